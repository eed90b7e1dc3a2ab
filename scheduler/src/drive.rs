//! Moving one execution: let the kernel decide, give events to the store, perform actions.

use crate::engine::{Engine, Mode, now};
use crate::live::{Cell, Durable, Held, Live};
use jalm_kernel::machine::{Action, Decision, Event, Input, Timer, encode};
use jalm_kernel::ports::{Append, StoreError};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Events that an execution may be ahead of the disk; then it waits for a flush. Bounds what one
/// execution can have in memory unwritten, and so all of them together.
const MAX_AHEAD: u64 = 4096;

/// Events of one drive, about; then other tasks have their turn.
const EVENTS_PER_DRIVE: usize = 1024;

impl Engine {
    /// Brings `input` to an execution and does all that follows from it at once.
    pub(crate) fn drive(&self, live: &Arc<Live>, input: Input) {
        if self.0.mode() == Mode::Stopped || live.lost.get().is_some() {
            return;
        }
        let mut cell = live.lock();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let decision = decide(&mut cell, input);
            self.count(&decision.events);
            if decision.events.last().is_some_and(Event::is_end) {
                let status = cell.execution.status().name();
                tracing::debug!(execution_id = %live.id, status, "execution ended");
            }
            cell.unsent.extend(decision.events);
            for action in decision.actions {
                self.act(live, &mut cell, action, &mut inputs);
            }
            if decision.more {
                self.go_on(live, &mut cell, &mut inputs);
            }
        }
        self.arm_deadline(live, &mut cell);
        self.send(live, &mut cell);
        self.watch_gate(live, &cell);
    }

    /// Sees to it that the flush that opens the gate is noticed, also if it has just happened.
    fn watch_gate(&self, live: &Arc<Live>, cell: &Cell) {
        let Some((needs, _)) = cell.gated.front() else { return };
        live.waiting.store(true, Ordering::SeqCst);
        if *needs <= live.flushed() {
            self.spawn_open_gate(live.clone());
        }
    }

    fn spawn_open_gate(&self, live: Arc<Live>) {
        let engine = self.clone();
        self.0.runtime.spawn(async move { engine.open_gate(&live) });
    }

    fn act(&self, live: &Arc<Live>, cell: &mut Cell, action: Action, inputs: &mut VecDeque<Input>) {
        match action {
            Action::Call { id, call, gated } => {
                let count = cell.execution.event_count();
                if gated || count - live.flushed() > MAX_AHEAD {
                    cell.gated.push_back((count, Held::Call(id, call)));
                } else if let Some(answer) = self.call(live, cell, id, call) {
                    inputs.push_back(answer);
                }
            }
            Action::Abort(id) => {
                cell.gated.retain(|(_, held)| !matches!(held, Held::Call(held, _) if *held == id));
                if let Some(call) = cell.calls.remove(&id) {
                    call.abort();
                }
                for timer in [Timer::Retry(id), Timer::Timeout(id)] {
                    if let Some(key) = cell.timers.remove(&timer) {
                        self.0.timers.remove(key);
                    }
                }
            }
            Action::Timer(at, timer @ Timer::Deadline) => {
                // Noted with serial 0, which no armed timer has, and armed only once the execution
                // has to wait for something: most never do.
                cell.timers.insert(timer, (at, 0));
            }
            Action::Timer(at, timer) => {
                let key = self.0.timers.add(at, live.id, timer);
                if let Some(old) = cell.timers.insert(timer, key) {
                    self.0.timers.remove(old);
                }
            }
        }
    }

    /// There is more to do: now, after other tasks, or after the next flush.
    fn go_on(&self, live: &Arc<Live>, cell: &mut Cell, inputs: &mut VecDeque<Input>) {
        let count = cell.execution.event_count();
        if count - live.flushed() > MAX_AHEAD {
            cell.gated.push_back((count, Held::Continue));
        } else if cell.unsent.len() < EVENTS_PER_DRIVE {
            inputs.push_back(Input::Continue);
        } else {
            let (engine, live) = (self.clone(), live.clone());
            self.0.runtime.spawn(async move { engine.drive(&live, Input::Continue) });
        }
    }

    fn arm_deadline(&self, live: &Arc<Live>, cell: &mut Cell) {
        if cell.execution.status().is_end() {
            for (_, key) in std::mem::take(&mut cell.timers) {
                self.0.timers.remove(key);
            }
        } else if let Some(key @ (_, 0)) = cell.timers.get_mut(&Timer::Deadline) {
            *key = self.0.timers.add(key.0, live.id, Timer::Deadline);
        }
    }

    /// Gives what was recorded to the store, as one record.
    fn send(&self, live: &Arc<Live>, cell: &mut Cell) {
        let Ok(count @ 1..) = u32::try_from(cell.unsent.len()) else { return };
        let summary = cell.execution.summary();
        let ended = summary.status.is_end();
        let append = Append {
            summary,
            first: cell.sent,
            count,
            record: encode(&cell.unsent),
            birth: cell.birth.take(),
        };
        cell.unsent.clear();
        cell.sent += u64::from(count);
        let durable = Durable { events: cell.sent, ended };
        let (engine, live) = (self.clone(), live.clone());
        self.0.store.append(
            append,
            Box::new(move |result| match result {
                Ok(()) => engine.flushed(live, durable),
                Err(error) => engine.lost(&live, error),
            }),
        );
    }

    /// The store made events durable. Runs on the store's thread, so it only hands over.
    fn flushed(&self, live: Arc<Live>, durable: Durable) {
        live.flushed.store(durable.events, Ordering::SeqCst);
        if durable.ended {
            self.0.table.remove(&live);
        }
        live.durable.send_replace(durable);
        if durable.ended {
            // Somebody who waits for the end frees the execution; otherwise a task does.
            if Arc::strong_count(&live) == 1 {
                self.0.runtime.spawn(async move { drop(live) });
            }
        } else if live.waiting.load(Ordering::SeqCst) {
            self.spawn_open_gate(live);
        }
    }

    #[expect(clippy::similar_names, reason = "a call and its cell are what both are called")]
    /// Lets through what waited for a flush.
    fn open_gate(&self, live: &Arc<Live>) {
        if self.0.mode() == Mode::Stopped {
            return;
        }
        let mut inputs = Vec::new();
        {
            let mut cell = live.lock();
            live.waiting.store(false, Ordering::SeqCst);
            let durable = live.flushed();
            while cell.gated.front().is_some_and(|(needs, _)| *needs <= durable) {
                match cell.gated.pop_front() {
                    Some((_, Held::Call(id, call))) => {
                        inputs.extend(self.call(live, &mut cell, id, call));
                    }
                    Some((_, Held::Continue)) => inputs.push(Input::Continue),
                    None => break,
                }
            }
            self.watch_gate(live, &cell);
        }
        for input in inputs {
            self.drive(live, input);
        }
    }

    /// The store will never take these events: the execution cannot go on here.
    fn lost(&self, live: &Arc<Live>, error: StoreError) {
        if self.0.mode() != Mode::Stopped {
            tracing::error!(execution_id = %live.id, %error, "an execution cannot be recorded and stops");
        }
        self.0.table.remove(live);
        live.give_up(error);
        let (engine, live) = (self.clone(), live.clone());
        self.0.runtime.spawn(async move {
            live.abort_calls();
            let timers = std::mem::take(&mut live.lock().timers);
            timers.into_values().for_each(|key| engine.0.timers.remove(key));
        });
    }

    fn count(&self, events: &[Event]) {
        let counters = &self.0.counters;
        for event in events {
            let counter = match event {
                Event::Done { .. } => &counters.steps_completed,
                Event::Failed { .. } => &counters.steps_failed,
                Event::Completed { .. } => &counters.completed,
                Event::Broken { .. } => &counters.failed,
                Event::Cancelled { .. } => &counters.cancelled,
                Event::Submitted(_)
                | Event::Started { .. }
                | Event::Entered { .. }
                | Event::Calling { .. }
                | Event::Skipped { .. } => continue,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Lets the kernel decide. A panic there, or in what an atom says of its inputs, is a bug of ours;
/// it ends this execution, not whatever task happens to drive it.
fn decide(cell: &mut Cell, input: Input) -> Decision {
    let Cell { execution, gated, calls, .. } = cell;
    let panic = match catch_unwind(AssertUnwindSafe(|| execution.handle(input, now()))) {
        Ok(decision) => return decision,
        Err(panic) => panic,
    };
    gated.clear();
    calls.drain().for_each(|(_, call)| call.abort());
    let error = crate::calls::bug(&*panic);
    let event = Event::Broken { at: now(), step: None, error };
    // What the broken decision recorded is lost with it: the journal ends as it was before.
    match catch_unwind(AssertUnwindSafe(|| execution.apply(&event))) {
        Ok(Ok(())) => Decision { events: vec![event], ..Decision::default() },
        Ok(Err(_)) | Err(_) => Decision::default(),
    }
}
