//! The process around an installer, which is one of the operator's own tools.
//!
//! It runs nothing foreign, but with the network, and it may have started others. So it has a
//! keeper: this executable once more, with nothing of the server's but a socket. When the server
//! closes that, however it ends, or time is over, or the folder gets too large, the keeper ends the
//! tool with all that it has started, and removes its folder.

use crate::native::start::tell_failure;
use crate::sandbox::Missing;
use crate::worker::leave;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, kill_process, kill_process_group,
    pidfd_open, set_child_subreaper, setrlimit, setsid, waitpid,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Of what a tool says, so much is kept.
const MOST_SAID: u64 = 256 * 1024;

/// Longer orders are none.
const MOST_ORDER: u64 = 1024 * 1024;

/// How often the folder is measured.
const TICK: Duration = Duration::from_millis(500);

/// What is to be run. It may hold passwords, so it comes by the socket, not as an argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The whole environment.
    pub(crate) variables: Vec<(String, String)>,
    /// Where it works. Removed if nobody waits any more.
    pub(crate) folder: PathBuf,
    /// Bytes that the folder may have.
    pub(crate) bytes: u64,
    pub(crate) limit: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
    Late,
    TooLarge,
    Unwanted,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) end: End,
    pub(crate) said: String,
}

/// Never returns: answers on the socket, and ends.
pub(crate) fn become_keeper(socket: OwnedFd) -> ! {
    // The tool reads nothing.
    let moved = rustix::io::fcntl_dupfd_cloexec(&socket, 10);
    std::mem::forget(socket);
    let Ok(socket) = moved else { leave(1) };
    match keep(&socket) {
        Ok(()) => leave(0),
        Err(error) => {
            tell_failure(&socket, Missing::new("worker", error));
            leave(1)
        }
    }
}

fn keep(socket: &OwnedFd) -> std::io::Result<()> {
    // What a terminal sends to all of the server's group does not come here.
    let _ = setsid();
    rustix::thread::set_no_new_privs(true)?;
    // Whatever the tool leaves behind becomes a child of this.
    set_child_subreaper(Pid::from_raw(1))?;
    let mut stream = File::from(socket.try_clone()?);
    let mut length = [0; 8];
    stream.read_exact(&mut length)?;
    let mut order = Vec::new();
    let length = u64::from_le_bytes(length).min(MOST_ORDER);
    (&mut stream).take(length).read_to_end(&mut order)?;
    let order: Order = serde_json::from_slice(&order)?;
    let most = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::Fsize, most(order.bytes))?;
    setrlimit(Resource::Core, most(0))?;
    let said = order.folder.join("said");
    let mut said = File::options().read(true).append(true).create(true).open(said)?;
    let process = Command::new(&order.program)
        .args(&order.arguments)
        .env_clear()
        .envs(order.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.folder)
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?)
        .process_group(0)
        .spawn();
    let mut process = process.map_err(|error| {
        std::io::Error::other(format!("{} cannot be started: {error}", order.program.display()))
    })?;
    let stopped = watch(&process, socket, &order);
    end(&mut process);
    let status = process.wait()?;
    let end = stopped.unwrap_or_else(|| match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    });
    if end == End::Unwanted {
        let _ = std::fs::remove_dir_all(&order.folder);
        return Ok(());
    }
    let length = said.metadata()?.len();
    said.seek(std::io::SeekFrom::Start(length.saturating_sub(MOST_SAID)))?;
    let mut text = Vec::new();
    (&mut said).take(MOST_SAID).read_to_end(&mut text)?;
    let said = String::from_utf8_lossy(&text).into_owned();
    stream.write_all(b"D")?;
    stream.write_all(&serde_json::to_vec(&Done { end, said })?)
}

/// Waits for the end of the tool; or says why it must be ended.
fn watch(process: &Child, socket: &OwnedFd, order: &Order) -> Option<End> {
    let deadline = Instant::now() + order.limit;
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw)?;
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Some(End::Late) };
    let tick = Timespec::try_from(TICK).ok();
    loop {
        let mut fds = [
            PollFd::new(&process, PollFlags::IN),
            PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN | PollFlags::RDHUP),
        ];
        match poll(&mut fds, tick.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Some(End::Late),
        }
        let (ended, gone) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        if gone {
            return Some(End::Unwanted);
        }
        if size(&order.folder) > order.bytes {
            return Some(End::TooLarge);
        }
        if ended {
            return None;
        }
        if Instant::now() >= deadline {
            return Some(End::Late);
        }
    }
}

/// Ends the tool and whatever it has started.
fn end(process: &mut Child) {
    if let Some(group) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = process.wait();
    // Those that left the group are children of this now, one generation after the other.
    while let Ok(text) = std::fs::read_to_string("/proc/thread-self/children") {
        let all = text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        let all: Vec<Pid> = all.collect();
        if all.is_empty() {
            return;
        }
        for pid in all {
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// Bytes of all files below a folder; what cannot be read counts nothing. Links are not followed.
pub(super) fn size(folder: &Path) -> u64 {
    let mut sum = 0_u64;
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => todo.push(entry.path()),
                // Small files take a block as well.
                Ok(found) => sum = sum.saturating_add(found.len().next_multiple_of(4096)),
                Err(_) => {}
            }
        }
    }
    sum
}
