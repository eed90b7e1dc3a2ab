//! Making calls: at once if the answer is there at the first poll, else in a task of their own.

use crate::engine::Engine;
use crate::live::{Cell, Live};
use futures_util::FutureExt;
use jalm_kernel::failure::Failure;
use jalm_kernel::machine::{CallId, Input};
use jalm_kernel::ports::{Answer, Call, Future, Pins, Runner};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

type Outcome = Result<Answer, Failure>;

impl Engine {
    #[expect(clippy::similar_names, reason = "a call and its cell are what both are called")]
    /// Makes a call. The answer, if it is there at once: cheap atoms never cost a task.
    pub(crate) fn call(
        &self,
        live: &Arc<Live>,
        cell: &mut Cell,
        id: CallId,
        call: Call,
    ) -> Option<Input> {
        let started = Instant::now();
        let limit = Duration::from_millis(call.timeout.0);
        let timed_out = timed_out(&call);
        let pins = call.pins.clone();
        let Ok(permit) = self.0.permits.clone().try_acquire_owned() else {
            let engine = self.clone();
            let work = async move {
                let _permit = engine.0.permits.clone().acquire_owned().await;
                let started = Instant::now();
                let work = guarded(&*engine.0.runner, call);
                let answer = tokio::time::timeout(limit, work).await;
                (answer.unwrap_or(Err(timed_out)), started)
            };
            self.spawn(live, cell, id, pins, work);
            return None;
        };
        let mut work = guarded(&*self.0.runner, call);
        if let Poll::Ready(result) = work.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            return Some(Input::Answered {
                call: id,
                result,
                us: micros(started),
                lock: pins.noted(),
            });
        }
        let work = async move {
            let _permit = permit;
            let answer = tokio::time::timeout(limit, work).await;
            (answer.unwrap_or(Err(timed_out)), started)
        };
        self.spawn(live, cell, id, pins, work);
        None
    }

    fn spawn(
        &self,
        live: &Arc<Live>,
        cell: &mut Cell,
        id: CallId,
        pins: Pins,
        work: impl std::future::Future<Output = (Outcome, Instant)> + Send + 'static,
    ) {
        let (engine, live) = (self.clone(), live.clone());
        let running = Running::new(self);
        let task = self.0.runtime.spawn(async move {
            let (result, started) = work.await;
            live.lock().calls.remove(&id);
            let (us, lock) = (micros(started), pins.noted());
            engine.drive(&live, Input::Answered { call: id, result, us, lock });
            drop(running);
        });
        // The task needs this cell's lock to take its entry out, so it cannot be gone yet.
        cell.calls.insert(id, task.abort_handle());
    }
}

/// Counts a running call, also when its task is aborted.
struct Running(Engine);

impl Running {
    fn new(engine: &Engine) -> Self {
        engine.0.counters.calls_running.fetch_add(1, Ordering::Relaxed);
        Self(engine.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.counters.calls_running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A panic in an atom ends the step, not the process; also one before its first `await`.
fn guarded(runner: &dyn Runner, call: Call) -> Future<'static, Outcome> {
    match catch_unwind(AssertUnwindSafe(|| runner.run(call))) {
        Ok(work) => Box::pin(
            AssertUnwindSafe(work)
                .catch_unwind()
                .map(|result| result.unwrap_or_else(|panic| Err(bug(&*panic)))),
        ),
        Err(panic) => Box::pin(std::future::ready(Err(bug(&*panic)))),
    }
}

/// What a panic said.
pub(crate) fn bug(panic: &(dyn Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("something panicked without a word");
    Failure::bug(text)
}

fn timed_out(call: &Call) -> Failure {
    Failure::transient("timeout", format!("{} was not done within {}", call.atom, call.timeout))
        .hint("raise the step's `timeout`, or see why the other side is slow")
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
