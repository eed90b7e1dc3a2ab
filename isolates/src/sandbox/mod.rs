//! Locking a process in. Called by the worker before it takes any job, while it has one thread.

mod landlock;
mod limits;
mod namespaces;
pub(crate) mod network;
pub(crate) mod program;
mod root;
mod seccomp;
mod switches;

pub(crate) use limits::{child_limits, data_memory, job_limits, runner_limits, virtual_memory};
pub(crate) use root::packages_seen;
pub(crate) use seccomp::{Profile, bytes as filter};
pub(crate) use switches::{LAYERS, off};

use crate::api::{Layer, Report, Strength};
use rustix::fd::OwnedFd;

/// Why a layer cannot be had.
pub(crate) struct Missing {
    pub(crate) layer: &'static str,
    pub(crate) why: String,
}

impl Missing {
    pub(crate) fn new(layer: &'static str, why: impl std::fmt::Display) -> Self {
        Self { layer, why: why.to_string() }
    }
}

/// Builds a sandbox of this strength around the process, or fails. After a failure the process is
/// in no defined state and must end. With `Strength::A` the function returns in a new process, the
/// first one of its own process namespace.
pub(crate) fn enter(strength: Strength) -> Result<Report, Missing> {
    enter_as(strength, Profile::Worker)
}

/// The same for a process that runs WebAssembly by itself: it has no children.
pub(crate) fn enter_runner(strength: Strength) -> Result<Report, Missing> {
    enter_as(strength, Profile::Runner)
}

fn enter_as(strength: Strength, profile: Profile) -> Result<Report, Missing> {
    limits::no_privileges()?;
    if strength >= Strength::A && !off("namespaces") {
        namespaces::enter(root::empty)?;
    }
    if !off("capabilities") {
        limits::drop_capabilities()?;
    }
    // Not before: the maps of a new user namespace cannot be written by who is not dumpable.
    if !off("dumpable") {
        limits::no_tracing()?;
    }
    if !off("limits") {
        limits::worker_limits()?;
        if profile == Profile::Runner {
            limits::no_processes()?;
        }
    }
    if strength >= Strength::B && !off("landlock") {
        landlock::enter()?;
    }
    if !off("seccomp") {
        seccomp::enter(profile)?;
    }
    Ok(report(strength))
}

/// Builds the part of a sandbox that an interpreter and its children share: namespaces and a root
/// with these folders for `Strength::A`, nothing but a lack of privileges below. The children add
/// the rest, each for itself. As with [`enter`], the process ends after a failure. Gives the
/// figures of the process' memory, as an open file.
pub(crate) fn enter_native(
    strength: Strength,
    folders: &[std::path::PathBuf],
    packages: Option<&std::path::Path>,
) -> Result<Option<OwnedFd>, Missing> {
    limits::no_privileges()?;
    if strength < Strength::A || off("namespaces") {
        return Ok(limits::memory_figures());
    }
    let mut figures = None;
    namespaces::enter(|| {
        // The new root has no /proc.
        figures = limits::memory_figures();
        root::with(root::Shown { folders, packages, certificates: true, program: None }, None)
    })?;
    Ok(figures)
}

/// Locks a child in for good: no forking, no sockets, no new files.
pub(crate) fn enter_child() -> Result<(), Missing> {
    if off("seccomp") { Ok(()) } else { seccomp::enter(Profile::Child) }
}

fn report(strength: Strength) -> Report {
    let layer = |name: &str, works: bool, detail: &str| Layer {
        name: name.to_owned(),
        works,
        detail: detail.to_owned(),
    };
    Report {
        strength: Some(strength),
        layers: vec![
            layer(
                "namespaces",
                strength >= Strength::A,
                if strength >= Strength::A {
                    "user, pid, mount, network, ipc and uts of its own; an empty, read-only root; no capabilities"
                } else {
                    "not in force"
                },
            ),
            layer(
                "landlock",
                strength >= Strength::B,
                if strength >= Strength::B {
                    "no files, no TCP ports, no abstract sockets, no signals out"
                } else {
                    "not in force"
                },
            ),
            layer("seccomp", true, "an allow-list of system calls; clone3 answers ENOSYS"),
            layer(
                "limits",
                true,
                "memory, processor time, file size, descriptors; not dumpable; no new privileges",
            ),
        ],
    }
}
