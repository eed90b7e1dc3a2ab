//! One job in one process: tighten, read, run, answer, end.

use super::leave;
use crate::api::{Program, ScriptError};
use crate::engines::{self, Bounds};
use crate::host::NOT_LOCKED_IN;
use crate::sandbox;
use crate::wire::Outcome;
use rustix::fd::{AsRawFd, OwnedFd};
use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Never returns to the worker's loop.
pub(super) fn run(socket: OwnedFd, wall: Duration, memory: u64, memory_before: u64) -> ! {
    let deadline = Instant::now() + wall;
    // The control socket and the other children's descriptors are the worker's alone.
    keep_only(&socket);
    let locked = sandbox::child_limits(memory, wall, memory_before)
        .and_then(|()| sandbox::enter_child())
        .is_ok();
    if !locked {
        leave(NOT_LOCKED_IN);
    }
    let mut socket = File::from(socket);
    let mut bytes = Vec::new();
    let program: Program =
        match socket.read_to_end(&mut bytes).map(|_| serde_json::from_slice(&bytes)) {
            Ok(Ok(program)) => program,
            // The server went away, or the job is deeper than JSON readers go.
            Ok(Err(error)) => answer(socket, &refused(&error)),
            Err(_) => leave(4),
        };
    drop(bytes);
    let mut outcome = engines::run(program, &Bounds { deadline, memory });
    outcome.memory = memory_used();
    answer(socket, &outcome)
}

/// The most memory that this process had, in bytes.
fn memory_used() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[expect(unsafe_code, reason = "asking for resource usage has no safe wrapper")]
    // SAFETY: the pointer is to a living value of the right type; a rusage of zeroes is valid.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024
}

fn refused(error: &serde_json::Error) -> Outcome {
    Outcome {
        result: Err(ScriptError::new(
            "script_error",
            format!("the script's data cannot be read: {error}"),
        )
        .hint("pass less deeply nested data")),
        stdout: String::new(),
        stderr: String::new(),
        memory: 0,
    }
}

fn answer(mut socket: File, outcome: &Outcome) -> ! {
    let bytes = serde_json::to_vec(outcome).unwrap_or_default();
    let written = socket.write_all(&bytes).is_ok();
    leave(i32::from(!written))
}

/// Closes every descriptor but this one.
fn keep_only(socket: &OwnedFd) {
    let keep = u32::try_from(socket.as_raw_fd()).unwrap_or(0);
    let close = |first: u32, last: u32| {
        #[expect(unsafe_code, reason = "there is no safe wrapper for close_range")]
        // SAFETY: the closed descriptors belong to the worker's loop, to which this process, its
        // copy, never returns.
        unsafe {
            libc::syscall(libc::SYS_close_range, first, last, 0);
        }
    };
    if keep > 0 {
        close(0, keep - 1);
    }
    close(keep + 1, u32::MAX);
}
