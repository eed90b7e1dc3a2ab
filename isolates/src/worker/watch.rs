//! The worker's loop: orders in, children out, nobody overstays.

use super::{Control, child, fork, leave};
use crate::engines::Ready;
use crate::sandbox;
use crate::wire::{Ended, MAX_NOTICE, Notice, Order};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg, send,
};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// An interpreter that notices its deadline by itself can still say what it printed.
const GRACE: Duration = Duration::from_millis(30);

struct Child {
    id: u64,
    pid: Pid,
    pidfd: OwnedFd,
    /// None while it waits for its job.
    deadline: Option<Instant>,
    overstayed: bool,
}

impl Child {
    fn overstays(&self, now: Instant) -> bool {
        !self.overstayed && self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// Sends a notice to the server.
pub(crate) fn tell(control: Control<'_>, notice: &Notice) -> Result<(), Errno> {
    let mut bytes = serde_json::to_vec(notice).unwrap_or_default();
    bytes.truncate(MAX_NOTICE);
    send(control, &bytes, SendFlags::NOSIGNAL).map(drop)
}

/// What every child starts from.
pub(super) struct Base {
    /// The worker's address space, in bytes.
    pub(super) memory: u64,
    pub(super) engines: Ready,
}

/// Works until the server closes the control socket.
pub(super) fn run(control: &OwnedFd, base: &Base) {
    let mut children: Vec<Child> = Vec::new();
    loop {
        let ready = wait(control, &children);
        let now = Instant::now();
        for child in children.iter_mut().filter(|child| child.overstays(now)) {
            child.overstayed = true;
            if sandbox::off("watchdog") {
                continue;
            }
            let _ = kill_process(child.pid, Signal::KILL);
        }
        let mut at = 0;
        children.retain(|child| {
            at += 1;
            if !ready.get(at).copied().unwrap_or(false) {
                return true;
            }
            let ended = Ended { overstayed: child.overstayed, ..reap(child.id, child.pid) };
            let _ = tell(control.as_fd(), &Notice::Ended(ended));
            false
        });
        if ready.first().copied().unwrap_or(false) && !take_order(control, &mut children, base) {
            break;
        }
    }
    for child in &children {
        let _ = kill_process(child.pid, Signal::KILL);
    }
}

/// Waits for an order, the end of a child, or a deadline. Says which descriptors are ready: the
/// control socket first, then the children in order.
fn wait(control: &OwnedFd, children: &[Child]) -> Vec<bool> {
    let next =
        children.iter().filter(|child| !child.overstayed).filter_map(|child| child.deadline).min();
    // A millisecond more, so that the deadline has surely passed when the wait is over.
    let timeout =
        next.map(|at| at.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let mut fds: Vec<PollFd<'_>> = std::iter::once(control)
        .chain(children.iter().map(|child| &child.pidfd))
        .map(|fd| PollFd::new(fd, PollFlags::IN))
        .collect();
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
        // Cannot be: the set is valid. Without it nobody is watched, so it is better to end.
        Err(_) => leave(1),
    }
}

/// How a child ended, and the most memory it had.
fn reap(id: u64, pid: Pid) -> Ended {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    #[expect(unsafe_code, reason = "waiting with resource usage has no safe wrapper")]
    // SAFETY: both pointers are to living values of the right type; a rusage of zeroes is valid.
    let usage = unsafe {
        libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, usage.as_mut_ptr());
        usage.assume_init()
    };
    Ended {
        id,
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        never_started: false,
        overstayed: false,
        memory: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}

/// Takes one order; false when the server has closed the socket.
fn take_order(control: &OwnedFd, children: &mut Vec<Child>, base: &Base) -> bool {
    let mut bytes = [0; Order::SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        control,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    );
    let length = match received {
        Ok(message) if message.bytes > 0 && !message.flags.contains(ReturnFlags::TRUNC) => {
            message.bytes
        }
        Err(Errno::INTR | Errno::AGAIN) => return true,
        Ok(_) | Err(_) => return false,
    };
    let socket = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        RecvAncillaryMessage::ScmCredentials(_) | _ => None,
    });
    match (Order::from_bytes(&bytes[..length]), socket) {
        (Some(Order::Fork { id }), socket) => {
            let place = child::Place { memory_before: base.memory, worker: getpid() };
            // Without a socket there was no descriptor left for it.
            let started = socket.ok_or(std::io::ErrorKind::InvalidInput.into());
            match started.and_then(|socket| start(socket, &place, &base.engines)) {
                Ok((pid, pidfd)) => {
                    children.push(Child { id, pid, pidfd, deadline: None, overstayed: false });
                }
                Err(_) => {
                    let ended = Ended {
                        id,
                        signal: None,
                        code: None,
                        never_started: true,
                        overstayed: false,
                        memory: 0,
                    };
                    let _ = tell(control.as_fd(), &Notice::Ended(ended));
                }
            }
        }
        (Some(Order::Run { id, wall_ms }), _) => {
            // One that has ended already is told of as such.
            if let Some(child) = children.iter_mut().find(|child| child.id == id) {
                let wall = Duration::from_millis(wall_ms);
                child.deadline = Some(Instant::now() + wall + GRACE);
            }
        }
        (Some(Order::Kill { id }), _) => {
            if let Some(child) = children.iter().find(|child| child.id == id) {
                let _ = kill_process(child.pid, Signal::KILL);
            }
        }
        (None, _) => {}
    }
    true
}

fn start(
    socket: OwnedFd,
    place: &child::Place,
    engines: &Ready,
) -> std::io::Result<(Pid, OwnedFd)> {
    match fork()? {
        None => child::run(socket, place, engines),
        Some(pid) => {
            // The child keeps its own copy of the socket.
            drop(socket);
            match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(pidfd) => Ok((pid, pidfd)),
                Err(error) => {
                    let _ = kill_process(pid, Signal::KILL);
                    reap(0, pid);
                    Err(error.into())
                }
            }
        }
    }
}
