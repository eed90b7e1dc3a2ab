//! One job in one process: lock in, wait, tighten, read, run, answer, end.

use super::leave;
use crate::api::ScriptError;
use crate::engines::{self, Bounds, Ready};
use crate::host::NOT_LOCKED_IN;
use crate::sandbox;
use crate::wire::{Outcome, Terms};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::process::{Pid, getppid};
use std::fs::File;
use std::io::{Read, Write};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Where a child comes from.
pub(super) struct Place {
    /// The worker's address space.
    pub(super) memory_before: u64,
    /// The worker, as the child sees it.
    pub(super) worker: Pid,
}

/// Room for a job's first bytes; most jobs are smaller.
const USUAL_JOB: usize = 16 * 1024;

/// Never returns to the worker's loop.
pub(super) fn run(socket: OwnedFd, place: &Place, ready: &Ready) -> ! {
    // The control socket and the other children's descriptors are the worker's alone.
    if !sandbox::off("descriptors") {
        keep_only(&socket);
    }
    let locked = sandbox::child_limits()
        // A worker that ended before this child was bound to its end leaves an orphan.
        .is_ok_and(|()| getppid() == Some(place.worker))
        && sandbox::enter_child().is_ok();
    if !locked {
        leave(NOT_LOCKED_IN);
    }
    engines::warm_up(ready);
    let mut socket = File::from(socket);
    let mut terms = [0; Terms::SIZE];
    let terms = match socket.read_exact(&mut terms) {
        Ok(()) => Terms::from_bytes(&terms),
        Err(_) => None,
    };
    // There will be no job.
    let Some(terms) = terms else { leave(4) };
    let Terms { wall_ms, memory, output } = terms;
    let wall = Duration::from_millis(wall_ms);
    let deadline = Instant::now() + wall;
    if sandbox::job_limits(memory, output, wall, place.memory_before).is_err() {
        leave(NOT_LOCKED_IN);
    }
    let mut bytes = Vec::with_capacity(USUAL_JOB);
    let task: engines::Task =
        match socket.read_to_end(&mut bytes).map(|_| serde_json::from_slice(&bytes)) {
            Ok(Ok(task)) => task,
            // The server went away, or the job is deeper than JSON readers go.
            Ok(Err(error)) => answer(socket, &refused(&error)),
            Err(_) => leave(4),
        };
    drop(bytes);
    let bounds = Bounds { deadline, memory, output };
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| engines::run(ready, task, &bounds)));
    let mut outcome = ran.unwrap_or_else(|panic| panicked(panic.as_ref()));
    outcome.memory = memory_used();
    answer(socket, &outcome)
}

/// A library met what it did not expect; for more bytes than can be counted, that is a panic too.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    engines::quiet(Err(if text.contains("capacity overflow") {
        ScriptError::out_of_memory()
    } else {
        ScriptError::new("script_crashed", format!("the interpreter failed: {text}"))
            .hint("please report it with the script")
    }))
}

/// The most memory that this process had, in bytes.
pub(crate) fn memory_used() -> u64 {
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
    let why = format!("the script's data cannot be read: {error}");
    engines::quiet(Err(ScriptError::new("script_error", why).hint("pass less deeply nested data")))
}

fn answer(mut socket: File, outcome: &Outcome) -> ! {
    let bytes = serde_json::to_vec(outcome).unwrap_or_default();
    let written = socket.write_all(&bytes).is_ok();
    // The server has its answer now, not only when this process is taken down.
    drop(socket);
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
