//! The one place where an execution moves: `(state, input, now) → (events, actions)`.
//!
//! The caller queues `events` for the disk, then performs `actions`; those marked as gated only
//! once everything up to them is durable. Nothing here waits, reads a clock or fails on what comes
//! late: after a crash late inputs are normal.

use super::event::Event;
use super::json::{MAX_DEPTH, is_deeper};
use super::state::{CallId, Execution, Phase, Slot, SlotKey};
use super::view::json_size;
use crate::atom::Effect;
use crate::failure::Failure;
use crate::ids::Timestamp;
use crate::plan::PlanNode;
use crate::ports::{Answer, Call};
use std::sync::Arc;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A runner takes up an execution that has just been submitted.
    Start,
    /// A runner takes up an execution whose journal was replayed: what was out is lost.
    Recover,
    /// There was more to do than fits into one decision.
    Continue,
    /// A call came back.
    Answered {
        /// Which one.
        call: CallId,
        /// With what.
        result: Result<Answer, Failure>,
        /// How long it took, in microseconds.
        us: u64,
        /// What its dependencies were pinned to, if it has any.
        lock: Option<Arc<serde_json::Value>>,
    },
    /// A time has come.
    Due(Timer),
    /// Somebody wants it stopped.
    Cancel {
        /// In their words.
        reason: String,
    },
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next attempt of a step is due.
    Retry(CallId),
    /// A container has run out of time.
    Timeout(CallId),
    /// The whole execution has run out of time.
    Deadline,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Make a call. `gated` ones wait until all events so far are durable.
    Call {
        /// To be given back with the answer.
        id: CallId,
        /// The call.
        call: Call,
        /// Whether it changes the world.
        gated: bool,
    },
    /// Stop a call, or forget the timers of an attempt: nothing of it is wanted any more.
    Abort(CallId),
    /// Come back with [`Input::Due`] at this time. Timers are not durable: recovery sets them anew.
    Timer(Timestamp, Timer),
}

/// What follows from an input.
#[derive(Debug, Default)]
pub struct Decision {
    /// To be recorded, in this order.
    pub events: Vec<Event>,
    /// To be performed, in this order.
    pub actions: Vec<Action>,
    /// There is more to do: come back with [`Input::Continue`], after others had their turn.
    pub more: bool,
}

/// Step outputs larger than this are refused, in bytes of JSON.
pub const MAX_OUTPUT: usize = 16 * 1024 * 1024;

impl Execution {
    /// Moves on. An input that comes too late changes nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Decision {
        let mut out = Decision::default();
        match (&self.phase, input) {
            (Phase::Completed { .. } | Phase::Failed { .. } | Phase::Cancelled { .. }, _) => {
                return out;
            }
            (_, Input::Cancel { reason }) => {
                self.record(Event::Cancelled { at: now, reason }, None, &mut out);
            }
            (Phase::Pending, Input::Start | Input::Recover) => {
                self.record(Event::Started { at: now }, None, &mut out);
                self.deadline_due(now, &mut out);
            }
            (Phase::Pending, Input::Continue | Input::Answered { .. } | Input::Due(_))
            | (Phase::Running, Input::Start) => return out,
            (Phase::Running, Input::Recover) => self.recover(now, &mut out),
            (Phase::Running, Input::Continue) => {}
            (Phase::Running, Input::Answered { call, result, us, lock }) => {
                self.answered(call, result, us, lock, now, &mut out);
            }
            (Phase::Running, Input::Due(Timer::Retry(call))) => self.retry_due(call, now, &mut out),
            (Phase::Running, Input::Due(Timer::Timeout(call))) => {
                self.timed_out(call, now, &mut out);
            }
            (Phase::Running, Input::Due(Timer::Deadline)) => self.deadline_due(now, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    /// Applies an event and queues it; calls that it stops are aborted.
    pub(super) fn record(&mut self, event: Event, key: Option<SlotKey>, out: &mut Decision) {
        self.apply_at(&event, key);
        out.events.push(event);
        out.actions.extend(self.aborts.drain(..).map(Action::Abort));
    }

    fn answered(
        &mut self,
        call: CallId,
        result: Result<Answer, Failure>,
        us: u64,
        lock: Option<Arc<serde_json::Value>>,
        now: Timestamp,
        out: &mut Decision,
    ) {
        let Some(Slot::Running(running)) = self.slot(call.at) else { return };
        if running.attempt != call.attempt {
            return;
        }
        let started = running.started;
        let plan = self.plan.clone();
        let Some(node) = self.node_at(call.at) else { return };
        let node = plan.node(node);
        let shaped = result.and_then(|answer| {
            let output = self.reshape(node, call.at, answer.output)?;
            Ok((output, answer.isolation))
        });
        match shaped {
            Ok((output, iso)) => {
                let place = self.place(call.at);
                let n = call.attempt;
                let lock = self.new_lock(&place, lock);
                let event = Event::Done { place, n, at: started, us, out: Some(output), iso, lock };
                self.record(event, Some(call.at), out);
            }
            Err(error) => self.failed(call, started, us, (error, lock), now, out),
        }
    }

    /// A lock that the journal does not have: a loop with a thousand turns records it once.
    fn new_lock(
        &self,
        place: &crate::ids::Place,
        lock: Option<Arc<serde_json::Value>>,
    ) -> Option<Arc<serde_json::Value>> {
        lock.filter(|lock| self.locks.get(&place.step) != Some(lock))
    }

    /// The output as the author wants it, within its limit.
    pub(super) fn reshape(
        &self,
        node: &PlanNode,
        key: SlotKey,
        output: serde_json::Value,
    ) -> Result<Arc<serde_json::Value>, Failure> {
        let output = match &node.reshape {
            None => output,
            Some(_) if is_deeper(&output, MAX_DEPTH) => output,
            Some(template) => template.eval(&self.facts(key.frame, Some(output.into())))?,
        };
        check_output(&output)?;
        Ok(Arc::new(output))
    }

    /// An attempt failed: it is repeated later, or the step has failed.
    pub(super) fn fail(
        &mut self,
        call: CallId,
        started: Timestamp,
        us: u64,
        error: Failure,
        now: Timestamp,
        out: &mut Decision,
    ) {
        self.failed(call, started, us, (error, None), now, out);
    }

    /// As `fail`, with what the attempt's dependencies were pinned to.
    fn failed(
        &mut self,
        call: CallId,
        started: Timestamp,
        us: u64,
        (mut error, lock): (Failure, Option<Arc<serde_json::Value>>),
        now: Timestamp,
        out: &mut Decision,
    ) {
        // What cannot be read back must not be written.
        error.detail.take_if(|detail| is_deeper(detail, MAX_DEPTH));
        let Some(node) = self.node_at(call.at) else { return };
        let place = self.place(call.at);
        let retry = &self.plan.node(node).retry;
        let pause = super::retry::pause(retry, call.attempt, &error, self.id, &place);
        let retry_at = pause.map(|pause| now.plus(pause));
        let n = call.attempt;
        let lock = self.new_lock(&place, lock);
        self.forget_timeout(call, out);
        let event = Event::Failed { place, n, at: started, us, error, retry_at, lock };
        self.record(event, Some(call.at), out);
        if let Some(at) = retry_at {
            out.actions.push(Action::Timer(at, Timer::Retry(call)));
        }
    }

    /// A container that ends has no more use for its timer.
    pub(super) fn forget_timeout(&self, call: CallId, out: &mut Decision) {
        let timed = |node| self.plan.node(node).timeout.is_some();
        if matches!(self.slot(call.at), Some(Slot::Open(_)))
            && self.node_at(call.at).is_some_and(timed)
        {
            out.actions.push(Action::Abort(call));
        }
    }

    fn retry_due(&mut self, call: CallId, now: Timestamp, out: &mut Decision) {
        let Some(slot) = self.slot_mut(call.at) else { return };
        let Slot::Backoff(backoff) = slot else { return };
        if backoff.failed_attempt != call.attempt {
            return;
        }
        if now < backoff.until {
            // The clock was set back meanwhile.
            out.actions.push(Action::Timer(backoff.until, Timer::Retry(call)));
            return;
        }
        *slot = Slot::Ready(call.attempt + 1);
        self.ready.push_back(call.at);
    }

    fn timed_out(&mut self, call: CallId, now: Timestamp, out: &mut Decision) {
        let Some(Slot::Open(open)) = self.slot(call.at) else { return };
        if open.attempt != call.attempt {
            return;
        }
        let started = open.started;
        let Some(limit) = self.node_at(call.at).and_then(|node| self.plan.node(node).timeout)
        else {
            return;
        };
        let error = Failure::transient("timeout", format!("not done within {limit}"))
            .hint("raise the step's `timeout`, or see which of its steps is slow");
        self.fail(call, started, now.since(started).0.saturating_mul(1000), error, now, out);
    }

    pub(super) fn deadline(&self) -> Timestamp {
        let asked = self.submitted.timeout.unwrap_or(self.plan.timeout);
        self.submitted.at.plus(asked.min(self.plan.timeout))
    }

    /// Ends the execution if its time is over; sets the timer anew if not yet.
    fn deadline_due(&mut self, now: Timestamp, out: &mut Decision) {
        if now < self.deadline() {
            out.actions.push(Action::Timer(self.deadline(), Timer::Deadline));
            return;
        }
        let limit = self.submitted.timeout.unwrap_or(self.plan.timeout).min(self.plan.timeout);
        let running = self.running_places();
        let which = match running.first() {
            Some(place) if running.len() == 1 => format!(", during step `{place}`"),
            Some(place) => format!(", during {} steps, `{place}` among them", running.len()),
            None => String::new(),
        };
        let error = Failure::permanent(
            "timeout",
            format!("the execution was not done within {limit}{which}"),
        )
        .hint("raise `limits.timeout` of the intent, or the submission's `timeout`");
        let step = running.into_iter().next();
        self.record(Event::Broken { at: now, step, error }, None, out);
    }

    /// After a replay: timers are set anew, lost calls are settled by their atom's promise.
    fn recover(&mut self, now: Timestamp, out: &mut Decision) {
        self.aborts.clear();
        // Time went on while no runner did: what is over must not start anything more.
        self.deadline_due(now, out);
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        for key in self.slot_keys() {
            self.recover_list(key, now, out);
            let Some(node) = self.node_at(key) else { continue };
            let timeout = self.plan.node(node).timeout;
            match self.slot(key) {
                Some(Slot::Backoff(backoff)) => {
                    let call = CallId { at: key, attempt: backoff.failed_attempt };
                    out.actions.push(Action::Timer(backoff.until, Timer::Retry(call)));
                }
                Some(Slot::Open(open)) => {
                    let call = CallId { at: key, attempt: open.attempt };
                    let until = timeout.map(|timeout| open.started.plus(timeout));
                    match until {
                        Some(until) if until <= now => self.timed_out(call, now, out),
                        Some(until) => {
                            out.actions.push(Action::Timer(until, Timer::Timeout(call)));
                        }
                        None => {}
                    }
                }
                Some(Slot::Running(running)) => {
                    let running = *running;
                    self.settle(key, running, now, out);
                }
                Some(Slot::Waiting(_) | Slot::Ready(_) | Slot::Ended(_)) | None => {}
            }
        }
    }
}

/// Whether a call of this effect must wait for its gate.
pub(super) fn is_gated(effect: Effect) -> bool {
    match effect {
        Effect::None | Effect::Read => false,
        Effect::Write => true,
    }
}

/// Whether a value may be recorded.
pub(super) fn check_output(output: &serde_json::Value) -> Result<(), Failure> {
    // The depth first: other walks over a value go down on the stack.
    if is_deeper(output, MAX_DEPTH) {
        return Err(crate::expr::too_deep("the output"));
    }
    let size = json_size(output);
    if size > MAX_OUTPUT { Err(too_large(size)) } else { Ok(()) }
}

pub(super) fn too_large(size: usize) -> Failure {
    Failure::permanent(
        "output_too_large",
        format!("the output has {size} bytes, the limit is {MAX_OUTPUT}"),
    )
    .hint("return less, or write it to a file and return the path")
}
