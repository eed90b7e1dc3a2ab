//! A runner as the server sees it: a process and a stream to it.

use crate::api::{Strength, WORKER_ARG};
use crate::host::process::{self, Failure};
use crate::wire::Ended;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// A runner. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) stream: tokio::net::UnixStream,
    pidfd: OwnedFd,
    ended: oneshot::Receiver<Ended>,
}

/// What its thread hands over.
struct Started {
    stream: StdStream,
    pidfd: OwnedFd,
    ended: oneshot::Receiver<Ended>,
}

impl Runner {
    /// Starts a runner and waits until its sandbox stands.
    /// `python`: it begins with this machine code of the interpreter.
    pub(super) async fn start(
        exe: &Path,
        strength: Strength,
        python: Option<&File>,
    ) -> Result<Self, Failure> {
        let exe = exe.to_owned();
        let failed = |why: &dyn std::fmt::Display| ("worker".to_owned(), why.to_string());
        let python = python.map(File::try_clone).transpose().map_err(|error| failed(&error))?;
        let started = tokio::task::spawn_blocking(move || start(&exe, strength, python));
        let Started { stream, pidfd, ended } = started.await.map_err(|error| failed(&error))??;
        stream.set_nonblocking(true).map_err(|error| failed(&error))?;
        let stream = tokio::net::UnixStream::from_std(stream).map_err(|error| failed(&error))?;
        Ok(Self { stream, pidfd, ended })
    }

    /// Whether it has ended by itself, or was ended by somebody.
    pub(super) fn is_gone(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    /// Ends it at once, if it has not ended yet, and says how it ended.
    pub(super) async fn end(mut self) -> Option<Ended> {
        // Who closed the stream by himself is ending, and how is worth knowing.
        let by_itself =
            tokio::time::timeout(std::time::Duration::from_millis(200), &mut self.ended);
        if let Ok(ended) = by_itself.await {
            return ended.ok();
        }
        self.kill();
        (&mut self.ended).await.ok()
    }

    /// Ends it at once, because it overstayed.
    pub(super) async fn stop(mut self) -> Option<Ended> {
        self.kill();
        (&mut self.ended).await.ok().map(|ended| Ended { overstayed: true, ..ended })
    }

    fn kill(&self) {
        // One that has ended by itself cannot be killed, and need not be.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.kill();
    }
}

type Told = Result<Started, Failure>;

fn start(exe: &Path, strength: Strength, python: Option<File>) -> Told {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        ("worker".to_owned(), format!("{what}: {error}"))
    };
    let exe = exe.to_owned();
    let (tell, told) = mpsc::channel();
    // The kernel ends the runner when the thread that started it ends, so that thread stays.
    std::thread::Builder::new()
        .name("jalm-wasm".to_owned())
        .stack_size(128 * 1024)
        .spawn(move || live(&exe, strength, python, &tell))
        .map_err(|error| failed("no thread", &error))?;
    told.recv().map_err(|error| failed("the runner's thread ended", &error))?
}

/// The life of a runner's thread: start the process, hear its first word, see it end.
fn live(exe: &Path, strength: Strength, python: Option<File>, tell: &mpsc::Sender<Told>) {
    let (mut child, started, ended) = match begin(exe, strength, python) {
        Ok(begun) => begun,
        Err(failure) => {
            let _ = tell.send(Err(failure));
            return;
        }
    };
    // If nobody wants it any more, the handover is dropped, and with it the stream.
    let pidfd = started.pidfd.try_clone();
    if tell.send(Ok(started)).is_err()
        && let Ok(pidfd) = pidfd
    {
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    }
    if let Ok(status) = child.wait() {
        let _ = ended.send(how(status));
    }
}

fn begin(
    exe: &Path,
    strength: Strength,
    python: Option<File>,
) -> Result<(Child, Started, oneshot::Sender<Ended>), Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        ("worker".to_owned(), format!("{what}: {error}"))
    };
    let (ours, theirs) = StdStream::pair().map_err(|error| failed("no socket", &error))?;
    let arguments = [WORKER_ARG, strength.name(), super::RUNNER, super::PYTHON];
    let mut child = match python {
        Some(code) => process::start_with(exe, &arguments, theirs.into(), code.into())?,
        None => process::start(exe, arguments.get(..3).unwrap_or_default(), theirs.into())?,
    };
    let ours = OwnedFd::from(ours);
    let ready = process::first_notice(&ours).and_then(|_| {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed("no process", &"its id makes no sense"))?;
        pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed("no pidfd", &error))
    });
    match ready {
        Ok(pidfd) => {
            let (tell, ended) = oneshot::channel();
            Ok((child, Started { stream: ours.into(), pidfd, ended }, tell))
        }
        Err(failure) => {
            drop(ours);
            process::end(&mut child);
            Err(failure)
        }
    }
}

/// In a process namespace of its own, the runner is a child of the process that was started, which
/// tells its signal as a shell would.
fn how(status: ExitStatus) -> Ended {
    let told = status.code().filter(|code| *code > 128).map(|code| code - 128);
    Ended {
        id: 0,
        signal: status.signal().or(told),
        code: status.code().filter(|_| told.is_none()),
        never_started: false,
        overstayed: false,
        memory: 0,
    }
}
