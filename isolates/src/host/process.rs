//! A process that this executable becomes once more: its start, its first word, its end.

use crate::api::Report;
use crate::wire::{MAX_NOTICE, Notice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Building a sandbox takes milliseconds; a worker that says nothing for so long never will.
const START_LIMIT: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// The layer that failed, and why.
pub(crate) type Failure = (String, String);

/// Whether a failure may pass by itself: no layer is missing, the process did not come up.
pub(crate) fn may_pass((layer, _): &Failure) -> bool {
    layer == "worker"
}

/// Starts something, once more after a failure that may pass: a busy moment must not leave a
/// server with a weaker sandbox than its host gives.
pub(crate) fn twice<T>(start: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    match start() {
        Err(failure) if may_pass(&failure) => start(),
        result => result,
    }
}

/// Starts a process with nothing of the server's but this socket. The kernel ends it when the
/// thread that called this ends.
pub(crate) fn start(exe: &Path, arguments: &[&str], socket: OwnedFd) -> Result<Child, Failure> {
    start_with(exe, arguments, socket, Stdio::null())
}

/// The same with something besides, where others have their standard output.
pub(crate) fn start_with(
    exe: &Path,
    arguments: &[&str],
    socket: OwnedFd,
    besides: Stdio,
) -> Result<Child, Failure> {
    Command::new(exe)
        .args(arguments)
        .env_clear()
        // mimalloc, if the executable has it, would reserve a gigabyte before any limit is set,
        // and a script could use all of that on top of what it may have. No less than 64 MiB
        // would do, so it gets all from the kernel as it is needed.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::from(socket))
        .stdout(besides)
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn()
        .map_err(|error| ("worker".to_owned(), format!("cannot start {}: {error}", exe.display())))
}

/// The process says at once whether its sandbox stands.
pub(crate) fn first_notice(control: &OwnedFd) -> Result<Report, Failure> {
    let failed = |why: &str| ("worker".to_owned(), why.to_owned());
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut fds, Some(&START_LIMIT))) {
        Ok(1..) => {}
        Ok(0) => return Err(failed("the worker does not say that it is ready")),
        Err(error) => return Err(failed(&format!("cannot wait for the worker: {error}"))),
    }
    match receive(control) {
        Some(Notice::Ready(report)) => Ok(report),
        Some(Notice::Failed { layer, why }) => Err((layer, why)),
        Some(Notice::Ended(_)) | None => Err(failed("the worker ended while it built its sandbox")),
    }
}

/// The next notice; None when the process has gone or makes no sense.
pub(crate) fn receive(control: &OwnedFd) -> Option<Notice> {
    let mut bytes = vec![0; MAX_NOTICE];
    loop {
        match recv(control, &mut bytes[..], RecvFlags::empty()) {
            Ok((_, 0)) => return None,
            Ok((_, length)) => return serde_json::from_slice(bytes.get(..length)?).ok(),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Waits a moment for the process, then kills it.
pub(crate) fn end(child: &mut Child) {
    for _ in 0..50 {
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn tries(layer: &str) -> u32 {
        let count = Cell::new(0);
        let result: Result<(), Failure> = twice(|| {
            count.set(count.get() + 1);
            Err((layer.to_owned(), "it did not work".to_owned()))
        });
        assert!(result.is_err());
        count.get()
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_missing_is_not() {
        assert_eq!((tries("worker"), tries("namespaces")), (2, 1));
    }
}
