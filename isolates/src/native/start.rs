//! One process that becomes a program for one script, from its start to its end.

use super::child::Child;
use crate::api::{Strength, WORKER_ARG};
use crate::host::process::{self, Failure};
use crate::sandbox::Missing;
use crate::wire::{Ended, Notice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::IoSlice;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
};
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child as Process;
use tokio::sync::oneshot;

/// Programs take up to 50 ms to start, on a busy machine seconds.
const START_LIMIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Begins a process; the receiver gets it when it is locked in and waits for its script. `kind` is
/// the second argument of the worker that becomes the program, `settings` are the third one.
pub(crate) fn begin(
    exe: PathBuf,
    kind: &'static str,
    settings: String,
    strength: Strength,
) -> oneshot::Receiver<Result<Child, Failure>> {
    let (tell, told) = oneshot::channel();
    // The kernel ends the process when the thread that started it ends, so each has its own.
    let thread = std::thread::Builder::new().name(format!("jalm-{kind}"));
    // Without a thread, the receiver hears that nothing comes.
    let _ = thread.spawn(move || live(&exe, [strength.name(), kind, &settings], tell));
    told
}

/// The life of a process' thread: start it, hear its first word, see it end.
fn live(
    exe: &std::path::Path,
    [strength, kind, settings]: [&str; 3],
    tell: oneshot::Sender<Result<Child, Failure>>,
) {
    let failed = |why: &dyn std::fmt::Display| ("worker".to_owned(), why.to_string());
    let started = UnixStream::pair().map_err(|error| failed(&error)).and_then(|(ours, theirs)| {
        let arguments = [WORKER_ARG, strength, kind, settings];
        Ok((ours, process::start(exe, &arguments, theirs.into())?))
    });
    let (mut ours, process) = match started {
        Ok(started) => started,
        Err(failure) => {
            let _ = tell.send(Err(failure));
            return;
        }
    };
    match first_words(&mut ours) {
        Ok(pidfd) => {
            let (sender, ended) = oneshot::channel();
            // If nobody wants it any more, it is dropped, and that kills it.
            let _ = tell.send(Ok(Child { socket: Some(ours), pidfd, ended }));
            let _ = sender.send(wait(&process));
        }
        Err(failure) => {
            drop(ours);
            let mut process = process;
            let _ = process.kill();
            let _ = process.wait();
            let _ = tell.send(Err(failure));
        }
    }
}

/// `P` with the process itself, then `R` when it is ready, or `L` with its way out, which is left for
/// whoever runs a script in it; or `X` and why there will be none.
pub(crate) fn first_words(socket: &mut UnixStream) -> Result<OwnedFd, Failure> {
    let failed = |why: &str| ("worker".to_owned(), why.to_owned());
    let mut bytes = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    readable(socket)?;
    let received = recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    );
    let mut pidfd = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message {
            pidfd = fds.next();
        }
    }
    match (received, bytes, pidfd) {
        (Ok(_), [b'P'], Some(pidfd)) => {
            readable(socket)?;
            // `peek` of the standard library is not stable.
            match recv(socket.as_fd(), &mut bytes, RecvFlags::PEEK) {
                Ok((_, 1)) if bytes == *b"R" || bytes == *b"L" => Ok(pidfd),
                Ok((_, 1)) if bytes == *b"X" => {
                    let _ = socket.read_exact(&mut bytes);
                    Err(why(socket))
                }
                Ok(_) | Err(_) => Err(failed("the program ended while it started")),
            }
        }
        (Ok(_), [b'X'], _) => Err(why(socket)),
        (Ok(_) | Err(_), _, _) => Err(failed("the worker ended before it became the program")),
    }
}

fn readable(socket: &UnixStream) -> Result<(), Failure> {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut fds, Some(&START_LIMIT))) {
        Ok(1..) => Ok(()),
        Ok(0) => Err(("worker".to_owned(), "the program does not say that it is ready".to_owned())),
        Err(error) => Err(("worker".to_owned(), format!("cannot wait for the program: {error}"))),
    }
}

/// What the process says about its failure, until it closes its socket.
fn why(socket: &mut UnixStream) -> Failure {
    let mut text = Vec::new();
    let _ = socket.take(16 * 1024).read_to_end(&mut text);
    failure(&text)
}

/// The same from the text that was said.
pub(crate) fn failure(text: &[u8]) -> Failure {
    match serde_json::from_slice(text) {
        Ok(Notice::Failed { layer, why }) => (layer, why),
        Ok(Notice::Ready(_) | Notice::Ended(_)) | Err(_) => {
            ("worker".to_owned(), "the program ended while it started".to_owned())
        }
    }
}

/// The worker's side: tells the server which process it is.
pub(crate) fn tell_process(socket: &OwnedFd, process: &OwnedFd) -> Result<(), Missing> {
    hand_over(socket, b"P", process)
}

/// The worker's side: hands the server the listener of the process' way out.
pub(crate) fn tell_listener(socket: &OwnedFd, listener: &OwnedFd) -> Result<(), Missing> {
    hand_over(socket, b"L", listener)
}

fn hand_over(socket: &OwnedFd, word: &[u8], what: &OwnedFd) -> Result<(), Missing> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [what.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(socket, &[IoSlice::new(word)], &mut ancillary, SendFlags::NOSIGNAL)
        .map(drop)
        .map_err(|error| Missing::new("worker", format_args!("telling of the process: {error}")))
}

/// The worker's side: tells the server why there will be no program.
pub(crate) fn tell_failure(socket: &OwnedFd, why: Missing) {
    let notice = Notice::Failed { layer: why.layer.to_owned(), why: why.why };
    let mut bytes = vec![b'X'];
    bytes.extend(serde_json::to_vec(&notice).unwrap_or_default());
    // Sending is not among what is allowed any more.
    let _ = rustix::io::write(socket, &bytes);
}

/// Waits for the end of a process, and of those that it waited for.
fn wait(process: &Process) -> Ended {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let pid = i32::try_from(process.id()).unwrap_or(-1);
    #[expect(unsafe_code, reason = "waiting with resource usage has no safe wrapper")]
    // SAFETY: both pointers are to living values of the right type; a rusage of zeroes is valid.
    // Nobody else waits for this process.
    let usage = unsafe {
        while libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) < 0
            && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
        {}
        usage.assume_init()
    };
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    // Those who only waited for the program tell of its signal as a shell does.
    let told = code.and_then(|code| code.checked_sub(128)).filter(|signal| *signal > 0);
    Ended {
        id: u64::from(process.id()),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)).or(told),
        code: code.filter(|_| told.is_none()),
        never_started: false,
        overstayed: false,
        memory: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}
