//! Performing a call: the one way from a decision to an effect.

use super::Future;
use crate::failure::Failure;
use crate::ids::{ExecutionId, Millis, Place};
use crate::intent::Grants;
use serde_json::Value;
use std::sync::{Arc, OnceLock};

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
    /// What its dependencies are pinned to.
    pub pins: Pins,
}

/// What the dependencies of a step are pinned to. The runner knows what it means; for everybody
/// else it is JSON. Clones share what is noted, so that it is known however the call ends.
#[derive(Clone, Debug, Default)]
pub struct Pins(Arc<Lock>);

#[derive(Debug, Default)]
struct Lock {
    known: Option<Arc<Value>>,
    noted: OnceLock<Arc<Value>>,
}

impl Pins {
    /// Pins with what is recorded already.
    pub fn new(known: Option<Arc<Value>>) -> Self {
        Self(Arc::new(Lock { known, noted: OnceLock::new() }))
    }

    /// What an earlier call of this step in the same execution was pinned to.
    pub fn known(&self) -> Option<&Value> {
        self.0.known.as_deref()
    }

    /// Notes what this call is pinned to. Only the first note counts.
    pub fn note(&self, lock: Arc<Value>) {
        let _ = self.0.noted.set(lock);
    }

    /// What was noted.
    pub fn noted(&self) -> Option<Arc<Value>> {
        self.0.noted.get().cloned()
    }
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
