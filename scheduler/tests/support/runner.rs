//! A runner that does as it is told and notes every call.

use jalm_kernel::failure::Failure;
use jalm_kernel::ports::{Answer, Call, Future, Runner};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, watch};

/// What a call does.
pub(crate) enum Reply {
    /// Answers at the first poll with its input's `x`.
    Echo,
    /// Answers at the first poll.
    Now(Value),
    /// Fails at the first poll.
    Fail(Failure),
    /// As `Echo`, after it gave way once.
    Later,
    /// As `Echo`, once it is let go.
    Held,
    /// Panics before there is a future.
    PanicAtOnce,
    /// Panics at the first poll.
    PanicAtFirst,
    /// Panics after it gave way once.
    PanicLater,
}

type Rule = Box<dyn Fn(&Call) -> Reply + Send + Sync>;

pub(crate) struct Script {
    rule: Rule,
    /// `place#attempt` of every call, as they started.
    started: watch::Sender<Vec<String>>,
    keys: watch::Sender<Vec<String>>,
    gate: Semaphore,
    /// Calls whose future is alive, and the most that were at once.
    alive: Arc<AtomicUsize>,
    most: AtomicUsize,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Script {
    pub(crate) fn new(rule: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            rule: Box::new(rule),
            started: watch::Sender::default(),
            keys: watch::Sender::default(),
            gate: Semaphore::new(0),
            alive: Arc::default(),
            most: AtomicUsize::new(0),
        })
    }

    pub(crate) fn echo() -> Arc<Self> {
        Self::new(|_| Reply::Echo)
    }

    /// What has started so far.
    pub(crate) fn started(&self) -> Vec<String> {
        self.started.borrow().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.started.borrow().len()
    }

    /// How often this call (`place#attempt`) started.
    pub(crate) fn times(&self, call: &str) -> usize {
        self.started.borrow().iter().filter(|started| *started == call).count()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.keys.borrow().clone()
    }

    /// Waits until this call has started.
    pub(crate) async fn wait_for(&self, call: &str) {
        let mut started = self.started.subscribe();
        let there = started.wait_for(|started| started.iter().any(|it| it == call));
        super::soon(call, there).await.expect("the script lives");
    }

    /// Waits until so many calls have started.
    pub(crate) async fn wait_for_calls(&self, count: usize) {
        let mut started = self.started.subscribe();
        let there = started.wait_for(|started| started.len() >= count);
        super::soon("calls", there).await.expect("the script lives");
    }

    /// Lets held calls go.
    pub(crate) fn let_go(&self, count: usize) {
        self.gate.add_permits(count);
    }

    /// Calls whose future is alive.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// What the engine gets: a call outlives the borrow of its runner.
pub(crate) struct Runs(pub(crate) Arc<Script>);

impl Runner for Runs {
    fn run(&self, call: Call) -> Future<'static, Result<Answer, Failure>> {
        self.0.clone().perform(call)
    }
}

impl Script {
    fn perform(self: Arc<Self>, call: Call) -> Future<'static, Result<Answer, Failure>> {
        self.started.send_modify(|all| all.push(format!("{}#{}", call.place, call.attempt)));
        self.keys.send_modify(|all| all.push(call.idempotency_key.to_string()));
        let reply = (self.rule)(&call);
        assert!(!matches!(reply, Reply::PanicAtOnce), "told to panic at once");
        let now = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let alive = Alive(self.alive.clone());
        Box::pin(async move {
            let _alive = alive;
            match &reply {
                Reply::Later | Reply::PanicLater => tokio::task::yield_now().await,
                Reply::Held => self.gate.acquire().await.expect("it is never closed").forget(),
                Reply::Echo
                | Reply::Now(_)
                | Reply::Fail(_)
                | Reply::PanicAtOnce
                | Reply::PanicAtFirst => {}
            }
            let output = match reply {
                Reply::Fail(failure) => return Err(failure),
                Reply::Now(value) => value,
                Reply::PanicAtFirst | Reply::PanicLater | Reply::PanicAtOnce => {
                    panic!("told to panic")
                }
                Reply::Echo | Reply::Later | Reply::Held => {
                    call.input.get("x").cloned().unwrap_or(json!(null))
                }
            };
            Ok(Answer { output, isolation: None })
        })
    }
}
