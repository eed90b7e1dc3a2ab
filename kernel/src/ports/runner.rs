//! Performing a call: the one way from a decision to an effect.

use super::Future;
use crate::failure::Failure;
use crate::ids::{ExecutionId, Millis, Place};
use crate::intent::Grants;
use serde_json::Value;
use std::sync::Arc;

/// One attempt of one step.
#[derive(Clone, Debug)]
pub struct Call {
    /// For logs, keys and per-execution folders.
    pub execution: ExecutionId,
    /// The intent's name, for logs.
    pub intent: Arc<str>,
    /// Which step and item.
    pub place: Place,
    /// From 1.
    pub attempt: u32,
    /// The atom's name; the catalogue has it.
    pub atom: &'static str,
    /// Evaluated input.
    pub input: Value,
    /// `jalm-<execution>-<step>-<item>`: the same for every attempt of this step and item.
    pub idempotency_key: Arc<str>,
    /// The runner should end by itself a little before; the engine drops it at this time.
    pub timeout: Millis,
    /// What the execution may touch; none means the operator's default.
    pub grants: Option<Arc<Grants>>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The step's output.
    pub output: Value,
    /// The isolation that was in force, for foreign code: `isolate/A (ns, landlock, seccomp)`.
    pub isolation: Option<Arc<str>>,
}

/// Runs calls. Dropping the future aborts the call and ends every process it started.
pub trait Runner: Send + Sync + 'static {
    /// Performs `call`. The first poll must not block: an answer that is there at once is taken
    /// on the spot, anything slower yields.
    fn run(&self, call: Call) -> Future<'static, Result<Answer, Failure>>;
}
