//! The worker's side of compiling: wraps the script, has the compiler's steps done, each in a
//! process that is locked in, and hands over the program.
//!
//! This process stays outside of those locks, but inside the namespaces, and runs nothing foreign.
//! It watches over the compiler: at the deadline, or when the server closes the socket, it ends
//! the compiler with everything that it has started, which cannot leave its process group.

use super::crates;
use super::wrap::{self, Wrapped};
use crate::api::Strength;
use crate::languages::Language;
use crate::native::start::{tell_failure, tell_process};
use crate::sandbox::program::{self, Bounds};
use crate::sandbox::{Missing, packages_seen};
use crate::worker::{fork, leave};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open,
    set_parent_process_death_signal, setpgid, waitpid,
};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MIB: u64 = 1024 * 1024;

/// Where a step works.
struct Place<'a> {
    folder: &'a Path,
    /// The packages, as they are seen here.
    packages: Option<&'a Path>,
}

/// Longer sources are no scripts.
pub(crate) const MOST_SOURCE: u64 = 16 * MIB;

/// Larger programs are not kept, nor run.
pub(crate) const MOST_PROGRAM: u64 = 64 * MIB;

/// Of what a compiler says, so much is read.
const MOST_SAID: u64 = 256 * 1024;

/// All files of a compiler together, and each one.
pub(super) const DISK: u64 = 256 * MIB;

/// Writable memory of each process of a compiler.
const MEMORY: u64 = 1024 * MIB;

/// The exit code of a process that could not be locked in.
const NOT_LOCKED_IN: i32 = 125;

/// One program of a toolchain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// From the server, as JSON in the worker's arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) language: Language,
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) executable: Vec<PathBuf>,
    pub(crate) readable: Vec<PathBuf>,
    pub(crate) programs: bool,
    /// Of the compiler's environment.
    pub(crate) variables: Vec<String>,
    pub(crate) steps: Vec<Step>,
    /// The program that comes of it, below the folder.
    pub(crate) product: String,
    /// The environment of packages that the script needs. What they make may be executed.
    pub(crate) packages: Option<PathBuf>,
    pub(crate) disk: u64,
    pub(crate) files: u64,
    /// Where a folder may be made when there is none of its own.
    pub(crate) temporary: PathBuf,
    pub(crate) limit: Duration,
}

/// How compiling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Done,
    Code(i32),
    Signal(i32),
    Late,
}

/// To the server, before the bytes of the program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Built {
    pub(crate) end: End,
    /// What the compiler said.
    pub(crate) said: String,
    pub(crate) shift: (u32, u32),
    /// Bytes of the program.
    pub(crate) size: u64,
}

impl Built {
    /// A compiler that took more memory than there may be.
    pub(super) fn too_much() -> Self {
        Self { end: End::Signal(libc::SIGKILL), said: String::new(), shift: (0, 0), size: 0 }
    }
}

/// Never returns: answers on the socket, and ends.
pub(crate) fn become_builder(socket: OwnedFd, strength: Strength, settings: &str) -> ! {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Missing::new("worker", format_args!("{what}: {error}"))
    };
    // Standard input is for the compiler: nothing.
    let moved = rustix::io::fcntl_dupfd_cloexec(&socket, 10);
    std::mem::forget(socket);
    let Ok(socket) = moved else { leave(1) };
    redirect(std::io::stdout().as_raw_fd(), 0);
    let done = serde_json::from_str::<Settings>(settings)
        .map_err(|error| failed("the settings cannot be read", &error))
        .and_then(|settings| work(&socket, strength, &settings));
    match done {
        Ok(()) => leave(0),
        Err(missing) => {
            tell_failure(&socket, missing);
            leave(1)
        }
    }
}

fn redirect(from: i32, to: i32) {
    #[expect(unsafe_code, reason = "numbers of standard streams have no safe wrapper")]
    // SAFETY: dup2 takes numbers only; nothing in this process owns the standard streams.
    unsafe {
        libc::dup2(from, to);
    }
}

fn work(socket: &OwnedFd, strength: Strength, settings: &Settings) -> Result<(), Missing> {
    let failed = |error: std::io::Error| Missing::new("worker", error);
    let packages = settings.packages.as_deref();
    let (bytes, files, runs) = (settings.disk, settings.files, packages.is_some());
    let disk = program::Disk { bytes, files, runs };
    let own = program::confine(strength, &settings.folders, packages, disk)?;
    let process = pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
    tell_process(socket, &process.map_err(|error| Missing::new("worker", error))?)?;
    let made = match own {
        Some(_) => None,
        None => {
            // The end of the server closes the socket. Then the folder is still to be removed.
            let _ = set_parent_process_death_signal(None);
            // Nor is it ended by what a terminal sends to all of the server's group.
            let _ = rustix::process::setsid();
            Some(make_folder(&settings.temporary).map_err(failed)?)
        }
    };
    let folder = own.or(made.as_deref()).unwrap_or(Path::new("/tmp"));
    let built = File::from(socket.try_clone().map_err(failed)?);
    let seen = packages.map(|packages| packages_seen(strength, packages));
    let result = build(built, settings, folder, seen.as_deref());
    if let Some(made) = &made {
        let _ = std::fs::remove_dir_all(made);
    }
    result
}

fn make_folder(above: &Path) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700);
    let mut number = 0;
    loop {
        let path = above.join(format!("jalm-build-{}-{number}", std::process::id()));
        match builder.create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn build(
    mut socket: File,
    settings: &Settings,
    folder: &Path,
    packages: Option<&Path>,
) -> Result<(), Missing> {
    let failed = |error: std::io::Error| Missing::new("worker", error);
    socket.write_all(b"R").map_err(failed)?;
    let mut length = [0; 8];
    socket.read_exact(&mut length).map_err(failed)?;
    let mut source = Vec::new();
    let length = u64::from_le_bytes(length).min(MOST_SOURCE);
    (&mut socket).take(length).read_to_end(&mut source).map_err(failed)?;
    let source = String::from_utf8_lossy(&source);
    let Wrapped { files, shift } = wrap::wrap(settings.language, &source);
    for (name, text) in files {
        std::fs::write(folder.join(name), text).map_err(failed)?;
    }
    if let Some(packages) = packages {
        crates::lay_out(folder, packages).map_err(failed)?;
    }
    let place = Place { folder, packages };
    let open = std::fs::OpenOptions::new()
        .append(true)
        .read(true)
        .create_new(true)
        .open(folder.join("said"));
    let mut said = open.map_err(failed)?;
    let deadline = Instant::now() + settings.limit;
    let mut end = End::Done;
    for step in &settings.steps {
        end = run(step, settings, &place, &said, &socket, deadline)?;
        if end != End::Done {
            break;
        }
    }
    let mut text = Vec::new();
    said.rewind().map_err(failed)?;
    said.take(MOST_SAID).read_to_end(&mut text).map_err(failed)?;
    let said = String::from_utf8_lossy(&text).into_owned();
    if end == End::Code(NOT_LOCKED_IN) {
        return Err(Missing::new("worker", said));
    }
    let program = if end == End::Done {
        read_program(&folder.join(&settings.product)).map_err(failed)?
    } else {
        Vec::new()
    };
    let size = u64::try_from(program.len()).unwrap_or(u64::MAX);
    let head = serde_json::to_vec(&Built { end, said, shift, size }).unwrap_or_default();
    let length = u64::try_from(head.len()).unwrap_or(0).to_le_bytes();
    [b"D", &length[..], &head, &program]
        .iter()
        .try_for_each(|part| socket.write_all(part))
        .map_err(failed)
}

/// What the compiler left may be anything: only a plain file is read, and only so much of it.
fn read_program(path: &Path) -> std::io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(std::io::Error::other("the compiler left no program"));
    }
    let mut program = Vec::new();
    File::from(file).take(MOST_PROGRAM).read_to_end(&mut program)?;
    Ok(program)
}

/// Has one step done, and watches over it.
fn run(
    step: &Step,
    settings: &Settings,
    place: &Place<'_>,
    said: &File,
    socket: &File,
    deadline: Instant,
) -> Result<End, Missing> {
    let failed = |error: &dyn std::fmt::Display| Missing::new("worker", error);
    let Some(pid) = fork().map_err(|error| failed(&error))? else {
        begin(step, settings, place, said)
    };
    // Both do it, so that it is done whoever comes first.
    let _ = setpgid(Some(pid), Some(pid));
    let process = pidfd_open(pid, PidfdFlags::empty());
    let late = match &process {
        Ok(process) => !ends(process, socket, deadline),
        Err(_) => true,
    };
    // What it has started may outlive it.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = waitpid(Some(pid), WaitOptions::empty()).map_err(|error| failed(&error))?;
    reap();
    let status = status.map(|(_, status)| status);
    Ok(match status.map(|status| (status.exit_status(), status.terminating_signal())) {
        _ if late => End::Late,
        Some((Some(0), _)) => End::Done,
        Some((Some(code), _)) => End::Code(code),
        Some((None, signal)) => End::Signal(signal.unwrap_or(0)),
        None => End::Signal(0),
    })
}

/// Whatever was left to the first process of the namespace.
fn reap() {
    while matches!(waitpid(None::<Pid>, WaitOptions::NOHANG), Ok(Some(_))) {}
}

/// Waits for the end of a process; false when it must be ended.
fn ends(process: &OwnedFd, socket: &File, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let timeout = Timespec::try_from(left + Duration::from_millis(1)).ok();
        let mut fds = [
            PollFd::new(process, PollFlags::IN),
            PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN | PollFlags::RDHUP),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
        if !fds[0].revents().is_empty() {
            return true;
        }
        if !fds[1].revents().is_empty() {
            return false;
        }
    }
}

/// The new process: locks itself in and becomes the compiler, or says why not.
fn begin(step: &Step, settings: &Settings, place: &Place<'_>, said: &File) -> ! {
    redirect(said.as_raw_fd(), 1);
    redirect(said.as_raw_fd(), 2);
    let why = match start(step, settings, place) {
        Ok(error) => format!("{} cannot be started: {error}", step.program.display()),
        Err(missing) => format!("{}: {}", missing.layer, missing.why),
    };
    let _ = rustix::io::write(said, why.as_bytes());
    leave(NOT_LOCKED_IN)
}

fn start(step: &Step, settings: &Settings, place: &Place<'_>) -> Result<std::io::Error, Missing> {
    let Place { folder, packages } = *place;
    let failed = |error: rustix::io::Errno| Missing::new("worker", error);
    setpgid(None, None).map_err(failed)?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed)?;
    rustix::process::chdir(folder).map_err(failed)?;
    let texts = |texts: &[String]| {
        let all = texts.iter().map(|text| CString::new(text.as_str()));
        all.collect::<Result<Vec<_>, _>>().map_err(|error| Missing::new("worker", error))
    };
    let arguments = texts(&step.arguments)?;
    let mut variables = settings.variables.clone();
    variables.extend(["PATH=/usr/bin:/bin".to_owned(), "LC_ALL=C".to_owned()]);
    variables.push(format!("TMPDIR={}", folder.display()));
    if packages.is_some() {
        let folder = folder.display().to_string();
        for variable in &mut variables {
            *variable = variable.replace(crates::FOLDER, &folder);
        }
        variables.push(format!("HOME={folder}"));
    }
    let variables = texts(&variables)?;
    let executable: Vec<&Path> = settings.executable.iter().map(PathBuf::as_path).collect();
    let mut readable = settings.readable.clone();
    readable.extend(packages.map(Path::to_owned));
    let bounds = Bounds {
        executable: &executable,
        readable: &readable,
        own: Some(folder),
        memory: MEMORY,
        file_size: settings.disk,
        seconds: Some(settings.limit.as_secs().saturating_add(1)),
        programs: settings.programs,
        port: None,
        own_programs: packages.is_some(),
    };
    let locked = program::lock(program::open(&step.program)?, &bounds)?;
    Ok(locked.start(&arguments, &variables))
}
