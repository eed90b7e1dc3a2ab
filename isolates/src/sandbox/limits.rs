//! Resource limits and the switches of `prctl`.

use super::Missing;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::time::Duration;

/// The first thing that is done: no privileges through exec, no life after the server.
pub(super) fn no_privileges() -> Result<(), Missing> {
    rustix::thread::set_no_new_privs(true).map_err(|error| Missing::new("limits", error))?;
    die_with_parent()
}

/// Nobody of the same user may read or trace this process, nor its children.
pub(super) fn no_tracing() -> Result<(), Missing> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Missing::new("limits", error))
}

/// A server that runs as root gives none of its power to scripts.
pub(super) fn drop_capabilities() -> Result<(), Missing> {
    for capability in 0..64 {
        #[expect(unsafe_code, reason = "the safe wrapper knows only today's capabilities")]
        // SAFETY: PR_CAPBSET_DROP takes a number and touches no memory; unknown ones are refused.
        unsafe {
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(|error| Missing::new("limits", format_args!("dropping capabilities: {error}")))
}

/// The kernel kills this process when its parent's thread ends.
pub(super) fn die_with_parent() -> Result<(), Missing> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Missing::new("limits", error))
}

fn set(resource: Resource, value: u64) -> Result<(), Missing> {
    set_both(resource, value, value)
}

fn set_both(resource: Resource, soft: u64, hard: u64) -> Result<(), Missing> {
    let limit = Rlimit { current: Some(soft), maximum: Some(hard) };
    setrlimit(resource, limit).map_err(|error| Missing::new("limits", error))
}

pub(super) fn worker_limits() -> Result<(), Missing> {
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, 256)
}

/// Descriptors that a program of the host may have open.
pub(super) const DESCRIPTORS: u64 = 256;

/// The limits of a program of the host. Engines reserve address space without end, so what is
/// limited is memory that can be written to; of that, each thread's stack is a part.
pub(super) fn program_limits(
    memory: u64,
    file_size: u64,
    seconds: Option<u64>,
) -> Result<(), Missing> {
    const STACK: u64 = 2 * 1024 * 1024;
    set(Resource::Core, 0)?;
    set(Resource::Fsize, file_size)?;
    set(Resource::Memlock, 0)?;
    set(Resource::Nproc, 256)?;
    if let Some(seconds) = seconds {
        // The signal of the soft limit says why the program ended; the hard limit is SIGKILL.
        set_both(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    }
    set(Resource::Stack, STACK)?;
    set(Resource::Data, memory)?;
    set(Resource::Nofile, DESCRIPTORS)
}

/// Neither processes nor threads.
pub(super) fn no_processes() -> Result<(), Missing> {
    set(Resource::Nproc, 0)
}

/// Address space that the process has now, in bytes. Zero where /proc cannot be read.
pub(crate) fn virtual_memory() -> u64 {
    memory_figure(0)
}

/// Memory that the process can write to now, in bytes. Zero where /proc cannot be read.
pub(crate) fn data_memory() -> u64 {
    memory_figure(5)
}

fn memory_figure(at: usize) -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(at).and_then(|text| text.parse::<u64>().ok()));
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The figures of this process' memory, open for whatever it becomes. None without /proc.
pub(super) fn memory_figures() -> Option<OwnedFd> {
    let flags = OFlags::RDONLY;
    rustix::fs::open("/proc/self/statm", flags, Mode::empty()).ok()
}

/// The limits of a child, on top of the worker's, whatever its job will be.
pub(crate) fn child_limits() -> Result<(), Missing> {
    // Forking forgets it.
    die_with_parent()?;
    if super::off("limits") {
        return Ok(());
    }
    set(Resource::Nproc, 0)?;
    // One more than the three that are open, so that nothing else can be opened.
    set(Resource::Nofile, 8)
}

/// The limits of one job, on top of the child's.
///
/// `before` is the address space that the child inherits: its limit counts all of it, mapped code
/// and the allocator's reserve included. The result stands in memory once more as an answer.
pub(crate) fn job_limits(
    memory: u64,
    output: u64,
    wall: Duration,
    before: u64,
) -> Result<(), Missing> {
    const SLACK: u64 = 32 * 1024 * 1024;
    if super::off("limits") {
        return Ok(());
    }
    set(Resource::As, before.saturating_add(memory).saturating_add(output).saturating_add(SLACK))?;
    // Up to a second more than the wall clock allows: this only matters if the watchdog fails.
    // The signal of the soft limit says why the script ended; the hard limit is SIGKILL.
    let seconds = wall.as_secs().saturating_add(1);
    set_both(Resource::Cpu, seconds, seconds.saturating_add(1))
}

/// The limit of one job of a runner, on top of wasmtime's own: memory that can be written to. A pool
/// reserves address space without end, so that is not limited. What is printed stands in memory up
/// to four times: as two texts, as a result, and as an answer.
pub(crate) fn runner_limits(memory: u64, output: u64, before: u64) {
    const SLACK: u64 = 64 * 1024 * 1024;
    let most = [before, memory, output.saturating_mul(4), SLACK]
        .into_iter()
        .fold(0_u64, u64::saturating_add);
    if !super::off("limits") {
        // The hard limit stays: the next job may take more. Without it, wasmtime's own limit holds.
        let _ = setrlimit(Resource::Data, Rlimit { current: Some(most), maximum: None });
    }
}
