//! A store that can be held, a runner that does as it is told, and an engine between them.
#![allow(dead_code, reason = "not every test file uses all of it")]

mod runner;
mod store;

pub(crate) use runner::{Reply, Runs, Script};
pub(crate) use store::HeldStore;

#[path = "../../../kernel/tests/support/mod.rs"]
pub(crate) mod kernel;

use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::{Event, Status, View, decode};
use jalm_kernel::ports::Journal;
use jalm_scheduler::{Engine, Options, Receipt, Submission, Waited};
use kernel::Atoms;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// No test waits for a duration; what does not come within this time never comes. Shorter than the
/// time that a step has by default: a call that nobody stops ends by that.
const NEVER: Duration = Duration::from_secs(25);

/// Waits for a fact.
pub(crate) async fn soon<T>(what: &str, fact: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(NEVER, fact).await;
    came.unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// Waits until something that nobody announces is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    soon(what, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub(crate) struct World {
    pub(crate) store: Arc<HeldStore>,
    pub(crate) script: Arc<Script>,
    pub(crate) engine: Engine,
}

impl World {
    pub(crate) fn new(script: Arc<Script>) -> Self {
        Self::with(HeldStore::new(), script, Options::default())
    }

    pub(crate) fn with(store: Arc<HeldStore>, script: Arc<Script>, options: Options) -> Self {
        let engine = Engine::start(
            store.clone(),
            Arc::new(Atoms::new()),
            Arc::new(Runs(script.clone())),
            options,
        );
        Self { store, script, engine }
    }

    /// The process dies: what was not durable is gone, and so is all that ran. A new one starts.
    pub(crate) async fn crash(self) -> Self {
        let Self { store, script, engine } = self;
        let after = store.crash();
        engine.shutdown(Duration::ZERO).await;
        Self::with(after, script, Options::default())
    }

    pub(crate) async fn submit(&self, source: &str) -> Receipt {
        soon("a receipt", self.engine.submit(submission(source))).await.unwrap()
    }

    /// Runs to the end.
    pub(crate) async fn run(&self, source: &str) -> View {
        match self.engine.run(submission(source), NEVER).await.unwrap() {
            Waited::Ended(view) => *view,
            Waited::Running(_) => panic!("it does not end: {source}"),
        }
    }

    /// Waits for the end.
    pub(crate) async fn end(&self, id: ExecutionId) -> View {
        let view = self.engine.wait(id, NEVER).await.unwrap().expect("it exists");
        assert!(view.summary.status.is_end(), "it does not end: {view:#?}");
        view
    }

    /// What is durable of an execution.
    pub(crate) async fn journal(&self, id: ExecutionId) -> Vec<Event> {
        let records = self.store.records(id, 0).await.unwrap();
        records.iter().flat_map(|record| decode(&record.record).unwrap()).collect()
    }
}

pub(crate) fn submission(source: &str) -> Submission {
    Submission { source: source.into(), params: None, timeout: None, key: None }
}

pub(crate) fn keyed(source: &str, key: &str) -> Submission {
    Submission { key: Some(key.to_owned()), ..submission(source) }
}

pub(crate) fn output(view: &View) -> Value {
    assert_eq!(view.summary.status, Status::Completed, "{view:#?}");
    (**view.output.as_ref().expect("a completed execution has an output")).clone()
}

pub(crate) fn error(view: &View) -> &'static str {
    let error = view.error.as_ref().expect("it failed");
    error.code.to_string().leak()
}
