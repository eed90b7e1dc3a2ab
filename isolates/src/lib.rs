//! Runs foreign code within limits and says how it ended.
//!
//! The server never parses or runs script text. It starts a *worker*: the own executable again,
//! which locks itself into a sandbox once and then forks a fresh child per job. The child tightens
//! its limits, reads its job, runs it, answers and is gone; nothing of one job can be seen by the
//! next. An outside watchdog ends children that overstay, whatever their interpreter thinks.
//!
//! **Invariants.** Every set-up step fails closed. A job's data travels on a socket of its own,
//! read by the child alone. What the sandbox lacks is said, never skipped. `unsafe` is allowed in
//! this crate only, for system calls that have no safe wrapper.
//!
//! **Not here:** which step runs what (`layers`), Python and native code (a later issue).

mod api;
mod compiled;
mod deps;
mod engines;
mod host;
mod languages;
mod mutex;
mod native;
mod network;
mod node;
mod sandbox;
mod shelf;
mod wasm;
mod wire;
mod worker;

pub use api::*;
pub use deps::{DependencyError, Environment, Requirements, Settings as DependencySettings};
pub use host::{Isolates, Surveyed, survey};
pub use languages::*;
pub use network::Egress;
pub use worker::worker_main;

/// Tries system calls in this very process, outside any sandbox: what the conformance suite
/// compares with.
#[cfg(feature = "testkit")]
pub fn probe(attempts: &[String]) -> serde_json::Value {
    engines::probe::run(attempts)
}

/// Hides this process' memory, environment and descriptors from others of the same user, the
/// sandboxed ones included. For servers, at their start; what they start anew is not affected.
pub fn hide_process() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
