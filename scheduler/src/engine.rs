//! The handle that callers hold.

use crate::live::Table;
use crate::plans::Plans;
use crate::timers::Timers;
use jalm_kernel::atom::Catalog;
use jalm_kernel::ids::{ExecutionId, Millis, Timestamp};
use jalm_kernel::machine::{Status, View};
use jalm_kernel::plan::{ParamsProblem, Plan};
use jalm_kernel::ports::{Health, Runner, Store, StoreError};
use jalm_kernel::source::Problem;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The engine's settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// Executions held at once; further submissions are refused as busy.
    pub max_in_flight: usize,
    /// Calls that are out at once; the others wait their turn.
    pub max_calls: usize,
    /// Environment values that intents may read as `env.NAME`.
    pub env: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_in_flight: 100_000, max_calls: 1024, env: BTreeMap::new() }
    }
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
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) options: Options,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) table: Table,
    pub(crate) plans: Plans,
    pub(crate) timers: Arc<Timers>,
    pub(crate) counters: Counters,
    /// Calls that are out; the rest waits for a permit.
    pub(crate) permits: Arc<Semaphore>,
    /// Held while a keyed submission looks for an earlier one, so that two cannot both find none.
    pub(crate) keys: tokio::sync::Mutex<()>,
    /// Held while an execution is read and taken up, so that nobody takes up a state that has
    /// passed meanwhile. By a byte of the id.
    pub(crate) taking: [tokio::sync::Mutex<()>; TAKING],
    pub(crate) mode: AtomicU8,
}

/// Locks for taking up; more only make it rarer that two executions share one.
pub(crate) const TAKING: usize = 64;

/// How far a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Open = 0,
    /// Takes no submissions; what runs may end.
    Draining = 1,
    /// Moves nothing any more.
    Stopped = 2,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) submitted: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) steps_completed: AtomicU64,
    pub(crate) steps_failed: AtomicU64,
    pub(crate) calls_running: AtomicU64,
}

impl Engine {
    /// Starts the engine inside the current Tokio runtime.
    pub fn start(
        store: Arc<dyn Store>,
        catalog: Arc<dyn Catalog>,
        runner: Arc<dyn Runner>,
        options: Options,
    ) -> Self {
        let inner = Arc::new(Inner {
            store,
            catalog,
            runner,
            permits: Arc::new(Semaphore::new(options.max_calls)),
            options,
            runtime: tokio::runtime::Handle::current(),
            table: Table::default(),
            plans: Plans::default(),
            timers: Arc::default(),
            counters: Counters::default(),
            keys: tokio::sync::Mutex::new(()),
            taking: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            mode: AtomicU8::new(Mode::Open as u8),
        });
        tokio::spawn(crate::timers::run(Arc::downgrade(&inner), inner.timers.clone()));
        Self(inner)
    }

    /// Compiles a source, or finds it among those compiled lately.
    pub fn compile(&self, source: &Arc<str>) -> Result<Arc<Plan>, Vec<Problem>> {
        self.0.plans.compile(source, &*self.0.catalog)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        let counters = &self.0.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            submitted: read(&counters.submitted),
            completed: read(&counters.completed),
            failed: read(&counters.failed),
            cancelled: read(&counters.cancelled),
            resumed: read(&counters.resumed),
            steps_completed: read(&counters.steps_completed),
            steps_failed: read(&counters.steps_failed),
            calls_running: read(&counters.calls_running),
            in_flight: self.0.table.len() as u64,
            timers: self.0.timers.len() as u64,
        }
    }

    /// The store's health.
    pub fn health(&self) -> Health {
        self.0.store.health()
    }

    /// The atoms.
    pub fn catalog(&self) -> &dyn Catalog {
        &*self.0.catalog
    }

    /// Takes nothing new, lets running calls end within `grace`, writes everything, stops.
    /// What had not ended goes on at the next start.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.set_mode(Mode::Draining);
        let drained = async {
            // Each call that ends may start the next one of its execution; a short look now and
            // then is enough for the last seconds of a process.
            while self.0.counters.calls_running.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(grace, drained).await.is_err() {
            tracing::warn!(
                calls = self.0.counters.calls_running.load(Ordering::Relaxed),
                "stopping with calls still running; their executions go on at the next start"
            );
        }
        self.0.set_mode(Mode::Stopped);
        self.0.table.for_each(|live| live.abort_calls());
        self.0.store.close().await;
        self.0.table.for_each(|live| live.give_up(StoreError::Closed));
    }
}

impl Inner {
    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            0 => Mode::Open,
            1 => Mode::Draining,
            _ => Mode::Stopped,
        }
    }

    fn set_mode(&self, mode: Mode) {
        self.mode.fetch_max(mode as u8, Ordering::AcqRel);
    }
}

/// The wall clock. The only place of the engine that reads it.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
