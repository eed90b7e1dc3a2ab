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
use super::network::{self, Gate};
pub(crate) use super::root::Shown;
use super::seccomp::{self, Profile};
use super::{Missing, limits, namespaces, off, root};
use crate::api::Strength;
use rustix::fd::{AsRawFd, IntoRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

/// The descriptor through which the program starts; above [`limits::DESCRIPTORS`].
pub(super) const DOOR: i32 = 300;

/// So many files may be in it.
pub(crate) const FILES: u64 = 4096;

/// A folder of a program's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    /// Whether what is in it may be executed.
    pub(crate) runs: bool,
}

/// What a program may see and take.
pub(crate) struct Room<'a> {
    pub(crate) program: &'a Path,
    /// Folders of the host, read-only.
    pub(crate) folders: &'a [PathBuf],
    /// What of them may be read.
    pub(crate) readable: &'a [PathBuf],
    /// Installed packages, seen at [`root::PACKAGES`] with `Strength::A`.
    pub(crate) packages: Option<&'a Path>,
    /// Bytes of memory that it may write to.
    pub(crate) memory: u64,
    pub(crate) own: Own,
}

/// What a process gets for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Own {
    /// Whether it has a way out.
    pub(crate) network: bool,
    /// Bytes of a folder of its own.
    pub(crate) disk: u64,
}

/// A process in which nothing but the start of its program is left to do.
pub(crate) struct Locked {
    door: i32,
    /// The port of its way out, if it has one.
    pub(crate) port: Option<u16>,
}

/// Where a process goes on.
pub(crate) struct Settled {
    /// A folder of its own.
    pub(crate) own: Option<&'static Path>,
    /// Its way out.
    pub(crate) gate: Option<Gate>,
}

/// Locks this process in, or fails; then it must end. `begun` is told of the process that goes on,
/// which is another one for `Strength::A`, and `opened` gets the listener of a way out.
pub(crate) fn enter(
    strength: Strength,
    room: &Room<'_>,
    begun: impl FnOnce(OwnedFd) -> Result<(), Missing>,
    opened: impl FnOnce(OwnedFd) -> Result<(), Missing>,
) -> Result<Locked, Missing> {
    let Room { folders, packages, own, program, .. } = *room;
    let shown = Shown { folders, packages, certificates: own.network, program: Some(program) };
    let Settled { own, gate } = settle(strength, shown, own, begun)?;
    let port = gate.as_ref().map(|gate| gate.port);
    gate.map_or(Ok(()), |gate| opened(gate.listener))?;
    // Where programs have their loaders and libraries.
    let system = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].map(Path::new);
    let executable: Vec<&Path> = std::iter::once(room.program).chain(system).collect();
    let bounds = Bounds {
        executable: &executable,
        readable: room.readable,
        own,
        memory: room.memory,
        file_size: if own.is_some() { room.own.disk } else { 0 },
        seconds: None,
        programs: false,
        port,
        own_programs: false,
    };
    lock(open(room.program)?, &bounds)
}

/// The first half: goes on where there is nothing but what is shown, a folder of its own, and a way
/// out if it is to have one. Nothing foreign has run yet.
pub(crate) fn settle(
    strength: Strength,
    shown: Shown<'_>,
    own: Own,
    begun: impl FnOnce(OwnedFd) -> Result<(), Missing>,
) -> Result<Settled, Missing> {
    let disk = Disk { bytes: own.disk, files: FILES, runs: false };
    let Settled { own, gate } = confine_with(strength, shown, disk, own.network)?;
    let tell = |pid: Pid| {
        let process = pidfd_open(pid, PidfdFlags::empty());
        begun(process.map_err(|error| Missing::new("worker", error))?)
    };
    if let Some(own) = own {
        // The first process of a namespace ignores the signals by which a program says why it
        // ends, so the program is the second one.
        // It goes on when it has been told of, so that its own first word comes after that.
        let failed = |error: rustix::io::Errno| Missing::new("worker", error);
        let (told, say) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        namespaces::go_on_in_a_child(|pid| {
            tell(pid)?;
            rustix::io::write(&say, b"x").map(drop).map_err(failed)
        })?;
        rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut [0])).map_err(failed)?;
        rustix::process::chdir(own).map_err(|error| Missing::new("namespaces", error))?;
    } else {
        tell(rustix::process::getpid())?;
    }
    Ok(Settled { own, gate })
}

/// Namespaces with these folders, read-only, and one of its own, which it gives; no privileges.
pub(crate) fn confine(
    strength: Strength,
    folders: &[PathBuf],
    packages: Option<&Path>,
    disk: Disk,
) -> Result<Option<&'static Path>, Missing> {
    let shown = Shown { folders, packages, ..Shown::default() };
    confine_with(strength, shown, disk, false).map(|settled| settled.own)
}

fn confine_with(
    strength: Strength,
    shown: Shown<'_>,
    disk: Disk,
    network: bool,
) -> Result<Settled, Missing> {
    limits::no_privileges()?;
    let full = strength >= Strength::A && !off("namespaces");
    let mut gate = None;
    if full {
        let Disk { bytes, files, runs } = disk;
        let tmp = root::Tmp { bytes, files, runs };
        namespaces::enter(|| root::with(shown, Some(&tmp)))?;
        if network {
            gate = Some(network::open()?);
        }
    } else if network {
        return Err(Missing::new("namespaces", "the network takes a namespace of its own"));
    }
    if !off("capabilities") {
        limits::drop_capabilities()?;
    }
    if !off("dumpable") {
        limits::no_tracing()?;
    }
    Ok(Settled { own: full.then_some(Path::new("/tmp")), gate })
}

/// What a program is held to from its first instruction on.
pub(crate) struct Bounds<'a> {
    /// What may be executed, and read.
    pub(crate) executable: &'a [&'a Path],
    /// What may be read.
    pub(crate) readable: &'a [PathBuf],
    /// Where it may write.
    pub(crate) own: Option<&'a Path>,
    /// Bytes of memory that it may write to.
    pub(crate) memory: u64,
    /// Bytes of a file that it writes.
    pub(crate) file_size: u64,
    /// Seconds of processor time.
    pub(crate) seconds: Option<u64>,
    /// Whether it may start what is executable, as compilers do.
    pub(crate) programs: bool,
    /// The port of its way out.
    pub(crate) port: Option<u16>,
    /// Whether what it writes is executable, too.
    pub(crate) own_programs: bool,
}

/// The second half: from here on, nothing but the start of the program can be done.
pub(crate) fn lock(program: OwnedFd, bounds: &Bounds<'_>) -> Result<Locked, Missing> {
    let failed = |error: rustix::io::Errno| {
        Missing::new("worker", format_args!("keeping the program open: {error}"))
    };
    let door = rustix::io::fcntl_dupfd_cloexec(program, DOOR).map_err(failed)?;
    if door.as_raw_fd() != DOOR {
        return Err(Missing::new("worker", "a descriptor is taken already"));
    }
    if !off("limits") {
        limits::program_limits(bounds.memory, bounds.file_size, bounds.seconds)?;
    }
    if !off("landlock") {
        let mut allowed = vec![(Path::new("/dev/null"), Use::Device)];
        allowed.extend(bounds.executable.iter().map(|path| (*path, Use::Execute)));
        allowed.extend(bounds.readable.iter().map(|path| (path.as_path(), Use::Read)));
        let own = if bounds.own_programs { Use::OwnPrograms } else { Use::Own };
        allowed.extend(bounds.own.map(|path| (path, own)));
        allowed.extend(bounds.port.map(|_| (Path::new(network::CERTIFICATES), Use::Read)));
        landlock::enter_but(&allowed, bounds.port)?;
    }
    if !off("seccomp") {
        seccomp::enter(match (bounds.programs, bounds.port) {
            (true, _) => Profile::Build,
            (false, None) => Profile::Program,
            (false, Some(_)) => Profile::ProgramOnline,
        })?;
    }
    // It stays open until the program has started.
    Ok(Locked { door: door.into_raw_fd(), port: bounds.port })
}

/// Opens a program to be started.
pub(crate) fn open(program: &Path) -> Result<OwnedFd, Missing> {
    rustix::fs::open(program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
        Missing::new("worker", format_args!("opening {}: {error}", program.display()))
    })
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
