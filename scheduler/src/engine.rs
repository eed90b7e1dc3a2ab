//! The handle that callers hold.

use jalm_kernel::atom::Catalog;
use jalm_kernel::ids::{ExecutionId, Millis};
use jalm_kernel::machine::{Event, Status, Summary, View};
use jalm_kernel::plan::{ParamsProblem, Plan};
use jalm_kernel::ports::{Filter, Health, Runner, Store, StoreError};
use jalm_kernel::source::Problem;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The engine's settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// Executions held at once; further submissions are refused as busy.
    pub max_in_flight: usize,
    /// Environment values that intents may read as `env.NAME`.
    pub env: BTreeMap<String, String>,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The intent's text, YAML or JSON.
    pub source: Arc<str>,
    /// Checked against the intent's `input`.
    pub params: Option<Value>,
    /// A bound on the whole execution.
    pub timeout: Option<Millis>,
    /// The same key answers with the same execution.
    pub key: Option<String>,
}

/// A durable promise to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The new execution, or the one that this key started earlier.
    pub id: ExecutionId,
    /// Its state when the promise became durable.
    pub status: Status,
    /// Whether the key was known already.
    pub existing: bool,
}

/// What `run` came back with.
#[derive(Clone, Debug)]
pub enum Waited {
    /// It ended in time.
    Ended(Box<View>),
    /// It goes on.
    Running(Receipt),
}

/// Why a submission was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// The config has problems; each points into the submitted source.
    #[error("the config has {} problem(s)", .0.len())]
    Config(Vec<Problem>),
    /// The params do not fit the intent's `input`.
    #[error("the params have {} problem(s)", .0.len())]
    Params(Vec<ParamsProblem>),
    /// The key belongs to an execution of another config or other params.
    #[error("idempotency key belongs to execution {0}, which runs something else")]
    KeyConflict(ExecutionId),
    /// Too much in flight; try later.
    #[error("{0} executions are in flight, which is this runner's limit")]
    Busy(usize),
    /// The store cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runner is shutting down.
    #[error("the runner is shutting down")]
    ShuttingDown,
}

/// Why a cancel did nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CancelError {
    /// No such execution.
    #[error("there is no execution {0}")]
    Unknown(ExecutionId),
    /// It had ended already.
    #[error("execution {0} has ended already: it is {status}", status = .1.name())]
    Ended(ExecutionId, Status),
    /// The store cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Counters since the start, and gauges.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stats {
    pub submitted: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub resumed: u64,
    pub steps_completed: u64,
    pub steps_failed: u64,
    pub calls_running: u64,
    pub in_flight: u64,
    pub timers: u64,
}

/// A cheap, clonable handle on the engine.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Starts the engine inside the current Tokio runtime.
    pub fn start(store: Arc<dyn Store>, catalog: Arc<dyn Catalog>, runner: Arc<dyn Runner>, options: Options) -> Self {
        let _ = (store, catalog, runner, options);
        unimplemented!()
    }

    /// Takes up every execution that had not ended when the last runner stopped. Returns how many.
    pub async fn resume_unfinished(&self) -> Result<usize, StoreError> {
        unimplemented!()
    }

    /// Takes up one execution that had not ended. False when there is none such.
    pub async fn resume(&self, id: ExecutionId) -> Result<bool, StoreError> {
        let _ = id;
        unimplemented!()
    }

    /// Compiles a source, or finds it among those compiled lately.
    pub fn compile(&self, source: &Arc<str>) -> Result<Arc<Plan>, Vec<Problem>> {
        let _ = source;
        unimplemented!()
    }

    /// Takes a submission; it is durable when this returns.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, SubmitError> {
        let _ = submission;
        unimplemented!()
    }

    /// Takes a submission and waits for its end, at most `wait`.
    pub async fn run(&self, submission: Submission, wait: Duration) -> Result<Waited, SubmitError> {
        let _ = (submission, wait);
        unimplemented!()
    }

    /// Waits for the end of an execution, at most `wait`; then shows it as it is.
    pub async fn wait(&self, id: ExecutionId, wait: Duration) -> Result<Option<View>, StoreError> {
        let _ = (id, wait);
        unimplemented!()
    }

    /// The durable state of one execution.
    pub async fn view(&self, id: ExecutionId) -> Result<Option<View>, StoreError> {
        let _ = id;
        unimplemented!()
    }

    /// The durable events from number `from` on, numbered; `None` if there is no such execution.
    pub async fn events(&self, id: ExecutionId, from: u64) -> Result<Option<Vec<(u64, Event)>>, StoreError> {
        let _ = (id, from);
        unimplemented!()
    }

    /// How many events of a running execution are durable; changes with each flush, closes at its
    /// end. `None` when it does not run here.
    pub fn watch(&self, id: ExecutionId) -> Option<tokio::sync::watch::Receiver<u64>> {
        let _ = id;
        unimplemented!()
    }

    /// Lists executions, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Summary>, StoreError> {
        let _ = filter;
        unimplemented!()
    }

    /// Stops an execution and everything it runs; durable when it returns.
    pub async fn cancel(&self, id: ExecutionId, reason: &str) -> Result<(), CancelError> {
        let _ = (id, reason);
        unimplemented!()
    }

    /// Forgets a finished execution; false when there is none of this id or it has not ended.
    pub async fn delete(&self, id: ExecutionId) -> Result<bool, StoreError> {
        let _ = id;
        unimplemented!()
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }

    /// The store's health.
    pub fn health(&self) -> Health {
        unimplemented!()
    }

    /// The atoms.
    pub fn catalog(&self) -> &dyn Catalog {
        unimplemented!()
    }

    /// Takes nothing new, lets running calls end within `grace`, writes everything, stops.
    /// What had not ended goes on at the next start.
    pub async fn shutdown(&self, grace: Duration) {
        let _ = grace;
        unimplemented!()
    }
}
