//! The deadline: a timer of the kernel, whose signal moves wasmtime's epoch on. So the guest is
//! ended without a second thread. What is no guest's code is ended by the server from outside.

use std::sync::OnceLock;
use std::time::Duration;
use wasmtime::{Engine, Result, format_err};

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Signals beat the epoch of this engine.
pub(super) fn of(engine: &Engine) -> Result<()> {
    ENGINE.set(engine.clone()).map_err(|_| format_err!("there are two engines"))?;
    handle(libc::SIGALRM, tick)
}

extern "C" fn tick(_: libc::c_int) {
    if let Some(engine) = ENGINE.get() {
        // It adds to a number, which is all that a handler may do.
        engine.increment_epoch();
    }
}

/// Who gets no memory aborts. As the first process of its namespace it would not die of that
/// signal, but of another one a moment later.
pub(super) fn say_why_when_aborting() {
    let _ = handle(libc::SIGABRT, abort);
}

extern "C" fn abort(_: libc::c_int) {
    crate::worker::leave(128 + libc::SIGABRT)
}

fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) -> Result<()> {
    #[expect(unsafe_code, reason = "setting a handler has no safe wrapper")]
    // SAFETY: both handlers make no call that is not allowed in one; the struct is filled, and the
    // rest of it is valid as zeroes.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        // On its own stack, because the guest's may be used up.
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

/// Rings after a while, unless it is dropped before.
pub(super) struct Alarm;

impl Alarm {
    pub(super) fn after(wall: Duration) -> Self {
        if !crate::sandbox::off("interrupt") {
            // Longer than anything runs, and short enough for every kind of number.
            set(wall.clamp(Duration::from_micros(1), Duration::from_secs(1 << 30)));
        }
        Self
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        set(Duration::ZERO);
    }
}

fn set(wall: Duration) {
    let none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let after = libc::timeval {
        tv_sec: libc::time_t::try_from(wall.as_secs()).unwrap_or(0),
        tv_usec: libc::suseconds_t::from(i32::try_from(wall.subsec_micros()).unwrap_or(0)),
    };
    let timer = libc::itimerval { it_interval: none, it_value: after };
    #[expect(unsafe_code, reason = "setting a timer has no safe wrapper")]
    // SAFETY: the pointer is to a living value, and the old one is not asked for.
    unsafe {
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
}
