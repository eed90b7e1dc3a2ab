//! Locking in a process that becomes a program of the host, for one script.
//!
//! Everything is in force before the program starts, since nobody knows what it does first. That
//! leaves one thing to allow: its start. A filter that let `execve` through would let the script
//! start programs, too. So it lets through `execveat` of one descriptor only, [`DOOR`]: the
//! program's file, opened at a number above the most that the process may have open. It closes as
//! the program starts, and no call can ever make that number again: the hard limit stays. Landlock
//! besides lets nothing be executed but this program and the folders of the system's libraries,
//! where its loader is.
//!
//! What does not survive the start: the program may be traced by its own user again. Other scripts
//! cannot, by their own Landlock domain and filter.

use super::landlock::{self, Use};
use super::seccomp::{self, Profile};
use super::{Missing, limits, namespaces, off, root};
use crate::api::Strength;
use rustix::fd::{AsRawFd, IntoRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

/// The descriptor through which the program starts; above [`limits::DESCRIPTORS`].
pub(super) const DOOR: i32 = 300;

const MIB: u64 = 1024 * 1024;

/// The program's own folder, in bytes and files.
const TMP: root::Tmp = root::Tmp { bytes: 64 * MIB, files: 4096 };

/// What a program may see and take.
pub(crate) struct Room<'a> {
    pub(crate) program: &'a Path,
    /// Folders of the host, read-only.
    pub(crate) folders: &'a [PathBuf],
    /// What of them may be read.
    pub(crate) readable: &'a [PathBuf],
    /// Bytes of memory that it may write to.
    pub(crate) memory: u64,
}

/// A process in which nothing but the start of its program is left to do.
pub(crate) struct Locked {
    door: i32,
}

/// Locks this process in, or fails; then it must end. `begun` is told of the process that goes on,
/// which is another one for `Strength::A`.
pub(crate) fn enter(
    strength: Strength,
    room: &Room<'_>,
    begun: impl FnOnce(OwnedFd) -> Result<(), Missing>,
) -> Result<Locked, Missing> {
    limits::no_privileges()?;
    let full = strength >= Strength::A && !off("namespaces");
    if full {
        namespaces::enter(|| root::with(room.folders, Some(&TMP)))?;
    }
    if !off("capabilities") {
        limits::drop_capabilities()?;
    }
    if !off("dumpable") {
        limits::no_tracing()?;
    }
    let tell = |pid: Pid| {
        let process = pidfd_open(pid, PidfdFlags::empty());
        begun(process.map_err(|error| Missing::new("worker", error))?)
    };
    if full {
        // The first process of a namespace ignores the signals by which a program says why it
        // ends, so the program is the second one.
        namespaces::go_on_in_a_child(tell)?;
        rustix::process::chdir("/tmp").map_err(|error| Missing::new("namespaces", error))?;
    } else {
        tell(rustix::process::getpid())?;
    }
    let door = open_door(room.program)?;
    if !off("limits") {
        limits::program_limits(room.memory, if full { TMP.bytes } else { 0 })?;
    }
    if !off("landlock") {
        landlock::enter_but(&allowed(room, full))?;
    }
    if !off("seccomp") {
        seccomp::enter(Profile::Program)?;
    }
    Ok(Locked { door })
}

fn allowed<'a>(room: &Room<'a>, own_folder: bool) -> Vec<(&'a Path, Use)> {
    // Where programs have their loaders and libraries.
    let system = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].map(Path::new);
    let mut allowed = vec![(room.program, Use::Execute), (Path::new("/dev/null"), Use::Device)];
    allowed.extend(system.map(|path| (path, Use::Execute)));
    allowed.extend(room.readable.iter().map(|path| (path.as_path(), Use::Read)));
    if own_folder {
        allowed.push((Path::new("/tmp"), Use::Own));
    }
    allowed
}

/// Opens the program at the one number from which it can be started.
fn open_door(program: &Path) -> Result<i32, Missing> {
    let failed = |error: rustix::io::Errno| {
        Missing::new("worker", format_args!("opening {}: {error}", program.display()))
    };
    let file = rustix::fs::open(program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let door = rustix::io::fcntl_dupfd_cloexec(file.map_err(failed)?, DOOR).map_err(failed)?;
    if door.as_raw_fd() != DOOR {
        return Err(Missing::new("worker", "a descriptor is taken already"));
    }
    // It stays open until the program has started.
    Ok(door.into_raw_fd())
}

impl Locked {
    /// Becomes the program; returns only if that failed.
    pub(crate) fn start(&self, arguments: &[CString], variables: &[CString]) -> std::io::Error {
        let pointers = |texts: &[CString]| {
            let texts = texts.iter().map(|text| text.as_ptr());
            texts.chain(std::iter::once(std::ptr::null())).collect::<Vec<_>>()
        };
        let (arguments, variables) = (pointers(arguments), pointers(variables));
        let nowhere: &CStr = c"";
        #[expect(unsafe_code, reason = "starting a program by descriptor has no safe wrapper")]
        // SAFETY: both lists end with a null pointer, and they and their C strings live until the
        // call returns, which it does only if it failed.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                self.door,
                nowhere.as_ptr(),
                arguments.as_ptr(),
                variables.as_ptr(),
                libc::AT_EMPTY_PATH,
            );
        }
        std::io::Error::last_os_error()
    }
}
