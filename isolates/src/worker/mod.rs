//! The worker process: one thread that forks a child per job and watches over it.

mod child;
mod watch;

pub(crate) use child::memory_used;
pub(crate) use watch::tell;

use crate::api::Strength;
use crate::compiled;
use crate::deps;
use crate::engines::Ready;
use crate::native;
use crate::node;
use crate::sandbox::{self, Missing};
use crate::wasm;
use crate::wire::Notice;
use rustix::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::process::Pid;

/// Becomes the worker of a server that started this executable with [`crate::WORKER_ARG`], the
/// wanted strength, and the control socket as stdin. Must be called before any thread exists.
pub fn worker_main() -> ! {
    let wanted = match std::env::args().nth(2).as_deref() {
        Some("A") => Strength::A,
        Some("B") => Strength::B,
        Some("C") => Strength::C,
        _ => {
            // Somebody typed it; there is nothing to serve.
            leave(2)
        }
    };
    #[expect(unsafe_code, reason = "the control socket is stdin, and nothing else owns it")]
    // SAFETY: descriptor 0 is open (the server gave it) and this process never uses std's stdin.
    let control = unsafe { OwnedFd::from_raw_fd(0) };
    close_others();
    let settings = std::env::args().nth(4);
    let python = settings.as_deref() == Some(wasm::PYTHON);
    match (std::env::args().nth(3).as_deref(), settings) {
        (Some(native::PYTHON), Some(settings)) => {
            native::become_zygote(control, wanted, &settings);
        }
        (Some(node::NODE), Some(settings)) => node::become_node(control, wanted, &settings),
        (Some(compiled::BUILD), Some(settings)) => {
            compiled::become_builder(control, wanted, &settings);
        }
        (Some(deps::INSTALL), Some(_)) => deps::become_keeper(control),
        (Some(compiled::RUN), Some(settings)) => {
            compiled::become_program(control, wanted, &settings);
        }
        _ => {}
    }
    die_quietly();
    if std::env::args().nth(3).as_deref() == Some(wasm::RUNNER) {
        wasm::become_runner(control, wanted, python);
    }
    let memory = sandbox::virtual_memory();
    let entered = sandbox::enter(wanted).and_then(|report| {
        let engines = Ready::new().map_err(|why| Missing { layer: "worker", why })?;
        Ok((report, watch::Base { memory, engines }))
    });
    match entered {
        Ok((report, base)) => {
            if watch::tell(control.as_fd(), &Notice::Ready(report)).is_ok() {
                watch::run(&control, &base);
            }
            leave(0)
        }
        Err(missing) => {
            let notice = Notice::Failed { layer: missing.layer.to_owned(), why: missing.why };
            let _ = watch::tell(control.as_fd(), &notice);
            leave(1)
        }
    }
}

/// Nothing that the server had open comes along; 1 and 2 are /dev/null.
fn close_others() {
    if sandbox::off("descriptors") {
        return;
    }
    #[expect(unsafe_code, reason = "there is no safe wrapper for close_range")]
    // SAFETY: no descriptor from 3 on is used in this process: it has just begun.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
    }
}

/// A stack that overflows ends the process by SIGSEGV. Rust's own handler would abort instead, which
/// could not be told from memory that is used up. Panics print nothing: nobody reads it.
fn die_quietly() {
    std::panic::set_hook(Box::new(|_| {}));
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        #[expect(unsafe_code, reason = "resetting a signal has no safe wrapper")]
        // SAFETY: the default action is no handler, so nothing is called.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Forks. None in the child.
pub(crate) fn fork() -> std::io::Result<Option<Pid>> {
    #[expect(unsafe_code, reason = "forking has no safe wrapper")]
    // SAFETY: the worker and its children have one thread, so no lock can be held by another one.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(None),
        pid if pid > 0 => Ok(Pid::from_raw(pid)),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Ends the process at once: no destructors, no exit handlers of a half-alive copy.
pub(crate) fn leave(code: i32) -> ! {
    #[expect(unsafe_code, reason = "leaving without exit handlers has no safe wrapper")]
    // SAFETY: _exit takes a number and does not return.
    unsafe {
        libc::_exit(code)
    }
}

/// The control socket, borrowed.
type Control<'a> = BorrowedFd<'a>;
