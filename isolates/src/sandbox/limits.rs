//! Resource limits and the switches of `prctl`.

use super::Missing;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use std::time::Duration;

/// The first thing that is done: no privileges through exec, no tracing, no life after the server.
pub(super) fn no_privileges() -> Result<(), Missing> {
    let failed = |error| Missing::new("limits", error);
    rustix::thread::set_no_new_privs(true).map_err(failed)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)?;
    die_with_parent()
}

/// The kernel kills this process when its parent's thread ends.
pub(super) fn die_with_parent() -> Result<(), Missing> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Missing::new("limits", error))
}

fn set(resource: Resource, value: u64) -> Result<(), Missing> {
    let limit = Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(resource, limit).map_err(|error| Missing::new("limits", error))
}

pub(super) fn worker_limits() -> Result<(), Missing> {
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, 256)
}

/// Address space that the process has now, in bytes. Zero where /proc cannot be read.
pub(crate) fn virtual_memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').next().and_then(|text| text.parse::<u64>().ok()));
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The limits of one job, on top of the worker's.
///
/// `before` is the address space that the child inherits: its limit counts all of it, mapped code
/// and the allocator's reserve included.
pub(crate) fn child_limits(memory: u64, wall: Duration, before: u64) -> Result<(), Missing> {
    const SLACK: u64 = 64 * 1024 * 1024;
    // Forking forgets it.
    die_with_parent()?;
    set(Resource::As, before.saturating_add(memory).saturating_add(SLACK))?;
    // A second more than the wall clock allows: this only catches what the watchdog cannot.
    set(Resource::Cpu, wall.as_secs().saturating_add(2))?;
    set(Resource::Nproc, 0)?;
    // One more than the three that are open, so that nothing else can be opened.
    set(Resource::Nofile, 8)
}
