//! The worker's side of running: confined, waits for a program, locks itself in, becomes it.

use crate::api::{Strength, USUAL_DISK};
use crate::native::start::{tell_failure, tell_listener, tell_process};
use crate::sandbox::program::{self, Bounds, Own, Settled, Shown};
use crate::sandbox::{Missing, network};
use crate::worker::leave;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::ffi::CString;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;

/// What comes with a program: itself, what it reads, and where it writes output, errors, result.
pub(super) const DESCRIPTORS: usize = 5;

/// What a process gets for itself; those that are kept ready are told nothing.
fn own(settings: &str) -> Own {
    serde_json::from_str(settings).unwrap_or(Own { network: false, disk: USUAL_DISK })
}

/// Bounds of a run, as they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) memory: u64,
    pub(super) seconds: u64,
}

impl Order {
    const SIZE: usize = 16;

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        (u128::from(self.memory) | u128::from(self.seconds) << 64).to_le_bytes()
    }

    fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [mut memory, mut seconds] = [[0; 8]; 2];
        memory.copy_from_slice(&bytes[..8]);
        seconds.copy_from_slice(&bytes[8..]);
        Self { memory: u64::from_le_bytes(memory), seconds: u64::from_le_bytes(seconds) }
    }
}

/// Never returns: the process is the program then, or has told why not.
pub(crate) fn become_program(socket: OwnedFd, strength: Strength, settings: &str) -> ! {
    // The standard streams' numbers are the program's.
    let moved = rustix::io::fcntl_dupfd_cloexec(&socket, 10);
    std::mem::forget(socket);
    let Ok(socket) = moved else { leave(1) };
    let why = start(&socket, strength, own(settings)).unwrap_or_else(|missing| missing);
    tell_failure(&socket, why);
    leave(1)
}

/// Becomes the program; returns why that failed.
fn start(socket: &OwnedFd, strength: Strength, wanted: Own) -> Result<Missing, Missing> {
    let Settled { own, gate } = program::settle(strength, Shown::default(), wanted, |process| {
        tell_process(socket, &process)
    })?;
    let port = gate.as_ref().map(|gate| gate.port);
    gate.map_or(Ok(()), |gate| tell_listener(socket, &gate.listener))?;
    let failed = |error: rustix::io::Errno| Missing::new("worker", error);
    rustix::io::write(socket, b"R").map_err(failed)?;
    let (order, descriptors) = receive(socket)?;
    let [program, streams @ ..] = descriptors;
    for (number, stream) in (0..).zip(&streams) {
        redirect(stream, number)?;
    }
    let bounds = Bounds {
        executable: &[],
        readable: &[],
        own,
        memory: order.memory.saturating_add(BASE),
        file_size: if own.is_some() { wanted.disk } else { 0 },
        seconds: Some(order.seconds),
        programs: false,
        port,
        own_programs: false,
    };
    let locked = program::lock(program, &bounds)?;
    let mut variables =
        vec![c"TZ=UTC".to_owned(), c"LC_ALL=C.UTF-8".to_owned(), c"GOTRACEBACK=single".to_owned()];
    let proxy = port.map(network::variables).unwrap_or_default();
    variables.extend(proxy.into_iter().filter_map(|text| CString::new(text).ok()));
    let error = locked.start(&[c"script".to_owned()], &variables);
    Ok(Missing::new("worker", format_args!("the program cannot be started: {error}")))
}

/// Memory that programs take before a script has any: the runtime of Go, stacks of threads.
const BASE: u64 = 32 * 1024 * 1024;

/// The order, and what comes with it, above the numbers of standard streams.
fn receive(socket: &OwnedFd) -> Result<(Order, [OwnedFd; DESCRIPTORS]), Missing> {
    let failed = |error: rustix::io::Errno| Missing::new("worker", error);
    let mut bytes = [0; Order::SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    let length = received.map_err(failed)?.bytes;
    if length == 0 {
        // Nobody wants this process any more.
        leave(0);
    }
    let mut found = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            for fd in fds {
                found.push(rustix::io::fcntl_dupfd_cloexec(&fd, 20).map_err(failed)?);
            }
        }
    }
    match <[OwnedFd; DESCRIPTORS]>::try_from(found) {
        Ok(found) if length == Order::SIZE => Ok((Order::from_bytes(bytes), found)),
        Ok(_) | Err(_) => Err(Missing::new("worker", "the order to run makes no sense")),
    }
}

/// Gives a descriptor a number at which the program finds it.
fn redirect(from: &OwnedFd, to: i32) -> Result<(), Missing> {
    #[expect(unsafe_code, reason = "numbers of standard streams have no safe wrapper")]
    // SAFETY: dup2 takes numbers only; nothing in this process owns those below 10 any more.
    let result = unsafe { libc::dup2(from.as_raw_fd(), to) };
    if result == to {
        return Ok(());
    }
    Err(Missing::new("worker", std::io::Error::last_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_the_way() {
        let order = Order { memory: 1 << 40, seconds: 7 };
        assert_eq!(Order::from_bytes(order.to_bytes()), order);
    }
}
