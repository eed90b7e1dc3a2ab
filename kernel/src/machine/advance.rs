//! Doing everything that can be done at once: starting what is ready, closing what is through.

use super::decide::{Action, Decision, Timer, check_output, is_gated, too_large};
use super::event::Event;
use super::facts::Facts;
use super::state::{Attention, CallId, Execution, FrameKey, Inner, Phase, Running, Slot, SlotKey};
use crate::atom::RetrySafety;
use crate::expr::Datum;
use crate::failure::Failure;
use crate::ids::{Place, Timestamp};
use crate::plan::{AtomUse, Condition, DEFAULT_STEP_TIMEOUT, Kind, PlanNode};
use crate::ports::{Call, Pins};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Events of one decision, about: a long loop of cheap steps lets others have their turn.
const EVENTS_PER_DECISION: usize = 256;

/// Calls that one decision may start.
const ACTIONS_PER_DECISION: usize = 256;

/// Items of one `foreach`.
pub const MAX_ITEMS: usize = 100_000;

impl Execution {
    pub(super) fn facts(&self, frame: FrameKey, response: Option<Datum>) -> Facts<'_> {
        Facts { execution: self, frame, response }
    }

    /// Works off what is ready, within the bounds of one decision.
    pub(super) fn advance(&mut self, now: Timestamp, out: &mut Decision) {
        while matches!(self.phase, Phase::Running) {
            if out.events.len() >= EVENTS_PER_DECISION || out.actions.len() >= ACTIONS_PER_DECISION
            {
                out.more = true;
                return;
            }
            if let Some(attention) = self.attention.pop_front() {
                match attention {
                    Attention::Container(key) => self.attend(key, now, out),
                    Attention::Root => self.finish(now, out),
                }
            } else if let Some(key) = self.ready.pop_front() {
                self.start(key, now, out);
            } else {
                return;
            }
        }
    }

    fn start(&mut self, key: SlotKey, now: Timestamp, out: &mut Decision) {
        let Some(Slot::Ready(attempt)) = self.slot(key) else { return };
        let call = CallId { at: key, attempt: *attempt };
        let plan = self.plan.clone();
        let Some(node) = self.node_at(key) else { return };
        let node = plan.node(node);
        match self.wanted(node, call) {
            Ok(true) => {}
            Ok(false) => {
                let place = self.place(key);
                return self.record(Event::Skipped { place, at: now }, Some(key), out);
            }
            Err(error) => return self.fail(call, now, 0, error, now, out),
        }
        let result = match &node.kind {
            Kind::Call { atom, input } => {
                let input = input.eval(&self.facts(key.frame, None));
                input.map(|input| self.call(call, *atom, input, node, now, out))
            }
            Kind::Set(entries) => self.set_values(call, entries, node, now, out),
            Kind::Group { .. } => {
                self.enter_container(call, None, node, now, out);
                Ok(())
            }
            Kind::Loop { list, .. } => {
                let items = list.eval(&self.facts(key.frame, None)).and_then(items_of);
                items.map(|items| {
                    self.enter_container(call, Some(items), node, now, out);
                })
            }
        };
        if let Err(error) = result {
            self.fail(call, now, 0, error, now, out);
        }
    }

    /// Whether the step's `when` holds; asked before the first attempt only.
    fn wanted(&self, node: &PlanNode, call: CallId) -> Result<bool, Failure> {
        match &node.when {
            Some(Condition::Fixed(flag)) => Ok(*flag),
            // The node inside a loop shares the step but not its condition, which stays outside.
            Some(Condition::Expr(expr)) if call.attempt == 1 => {
                expr.eval_bool(&self.facts(call.at.frame, None))
            }
            Some(Condition::Expr(_)) | None => Ok(true),
        }
    }

    fn call(
        &mut self,
        id: CallId,
        atom: AtomUse,
        input: Value,
        node: &PlanNode,
        now: Timestamp,
        out: &mut Decision,
    ) {
        let gated = is_gated((atom.effect_of)(&input));
        let call = self.new_call(id, atom, input, node);
        if gated {
            let place = call.place.clone();
            self.record(Event::Calling { place, n: id.attempt, at: now }, Some(id.at), out);
        } else if let Some(slot) = self.slot_mut(id.at) {
            // Not recorded: if it is lost, the slot is ready again after the replay.
            *slot = Slot::Running(Running { attempt: id.attempt, started: now, recorded: false });
        }
        out.actions.push(Action::Call { id, call, gated });
    }

    fn new_call(&self, id: CallId, atom: AtomUse, input: Value, node: &PlanNode) -> Call {
        let place = self.place(id.at);
        let known = self.locks.get(&place.step).cloned();
        Call {
            execution: self.id,
            intent: self.submitted.intent.clone(),
            idempotency_key: self.idempotency_key(&place),
            place,
            attempt: id.attempt,
            atom: atom.name,
            input,
            timeout: node.timeout.unwrap_or(DEFAULT_STEP_TIMEOUT),
            grants: self.plan.grants.clone(),
            pins: Pins::new(known),
        }
    }

    /// `jalm-<execution>-<step>-<item>`: the same for every attempt. Items of nested loops are
    /// joined by dots, outside loops the item is 0; so the last dash always ends the step's id,
    /// which may hold dashes itself.
    fn idempotency_key(&self, place: &Place) -> Arc<str> {
        let items: Vec<String> = place.items.iter().map(u32::to_string).collect();
        let items = if items.is_empty() { "0".to_owned() } else { items.join(".") };
        format!("jalm-{}-{}-{items}", self.id, place.step).into()
    }

    fn set_values(
        &mut self,
        call: CallId,
        entries: &[(Arc<str>, crate::expr::Template)],
        node: &PlanNode,
        now: Timestamp,
        out: &mut Decision,
    ) -> Result<(), Failure> {
        let mut values = Map::new();
        for (name, template) in entries {
            values.insert(name.to_string(), template.eval(&self.facts(call.at.frame, None))?);
        }
        let output = self.reshape(node, call.at, Value::Object(values))?;
        self.done(call, now, Some(output), now, out);
        Ok(())
    }

    fn done(
        &mut self,
        call: CallId,
        started: Timestamp,
        output: Option<Arc<Value>>,
        now: Timestamp,
        out: &mut Decision,
    ) {
        let event = Event::Done {
            place: self.place(call.at),
            n: call.attempt,
            at: started,
            us: now.since(started).0.saturating_mul(1000),
            out: output,
            iso: None,
            lock: None,
        };
        self.forget_timeout(call, out);
        self.record(event, Some(call.at), out);
    }

    fn enter_container(
        &mut self,
        call: CallId,
        items: Option<Vec<Value>>,
        node: &PlanNode,
        now: Timestamp,
        out: &mut Decision,
    ) {
        let event = Event::Entered {
            place: self.place(call.at),
            n: call.attempt,
            at: now,
            items: items.as_ref().map(|items| u32::try_from(items.len()).unwrap_or(u32::MAX)),
        };
        self.record(event, Some(call.at), out);
        if let (Some(items), Some(Slot::Open(open))) = (items, self.slot_mut(call.at))
            && let Inner::Loop(turns) = &mut open.inner
        {
            turns.list = Some(Arc::new(items));
        }
        if let Some(timeout) = node.timeout {
            out.actions.push(Action::Timer(now.plus(timeout), Timer::Timeout(call)));
        }
    }

    /// Looks at a container in which something ended.
    fn attend(&mut self, key: SlotKey, now: Timestamp, out: &mut Decision) {
        let Some(Slot::Open(open)) = self.slot(key) else { return };
        let call = CallId { at: key, attempt: open.attempt };
        let started = open.started;
        let us = now.since(started).0.saturating_mul(1000);
        match &open.inner {
            Inner::Group(inner) => {
                let inner = *inner;
                let Some(frame) = self.frame(inner) else { return };
                if let Some(failed) = &frame.failed {
                    let error = inside(failed);
                    return self.fail(call, started, us, error, now, out);
                }
                if frame.open > 0 {
                    return;
                }
                let plan = self.plan.clone();
                let Some(node) = self.node_at(key).map(|node| plan.node(node)) else { return };
                let output = match &node.reshape {
                    None => Ok(None),
                    Some(_) => self.reshape(node, key, self.gather(inner)).map(Some),
                };
                match output {
                    Ok(output) => self.done(call, started, output, now, out),
                    Err(error) => self.fail(call, started, us, error, now, out),
                }
            }
            Inner::Loop(turns) => {
                if let Some(failed) = &turns.failed {
                    let error = inside(failed);
                    return self.fail(call, started, us, error, now, out);
                }
                if turns.bytes > super::decide::MAX_OUTPUT {
                    let error = too_large(turns.bytes);
                    return self.fail(call, started, us, error, now, out);
                }
                let ended = turns.progress.completed + turns.progress.failed;
                if ended == turns.total {
                    return self.done(call, started, None, now, out);
                }
                let (next, total, live) = (turns.next, turns.total, turns.live.len());
                self.start_turns(key, next, total, live);
            }
        }
    }

    fn start_turns(&mut self, key: SlotKey, next: u32, total: u32, live: usize) {
        let Some(node) = self.node_at(key) else { return };
        let Kind::Loop { concurrency, .. } = self.plan.node(node).kind else { return };
        let room = concurrency.saturating_sub(u32::try_from(live).unwrap_or(u32::MAX));
        let last = next.saturating_add(room).min(total);
        if last > next {
            self.turn(key, last - 1);
        }
    }

    /// The intent's own steps are through.
    fn finish(&mut self, now: Timestamp, out: &mut Decision) {
        let Some(root) = self.root() else { return };
        let Some(frame) = self.frame(root) else { return };
        let failed = frame.failed.as_deref().cloned();
        if failed.is_none() && frame.open > 0 {
            return;
        }
        let event = match failed {
            Some((place, error)) => Event::Broken { at: now, step: Some(place), error },
            None => match self.output(root) {
                Ok(output) => Event::Completed { at: now, out: Arc::new(output) },
                Err(error) => Event::Broken { at: now, step: None, error },
            },
        };
        self.record(event, None, out);
    }

    /// Without an `output` of its own an intent gives what its last step gave.
    fn output(&self, root: FrameKey) -> Result<Value, Failure> {
        if let Some(template) = &self.plan.output {
            let output = template.eval(&self.facts(root, None))?;
            return check_output(&output).map(|()| output);
        }
        let slots =
            self.frame(root).map_or(0, |frame| u32::try_from(frame.slots.len()).unwrap_or(0));
        let last = slots.checked_sub(1).map(|slot| SlotKey { frame: root, slot });
        let output = last.and_then(|key| self.slot_output(key));
        let output = output.map_or(Value::Null, |output| (**output.json()).clone());
        check_output(&output).map(|()| output)
    }

    /// After a replay the list of a loop is computed again, for the turns to come and those that
    /// were on their way. Its expression gave this list before, so it gives it again.
    pub(super) fn recover_list(&mut self, key: SlotKey, now: Timestamp, out: &mut Decision) {
        let Some(Slot::Open(open)) = self.slot(key) else { return };
        let Inner::Loop(turns) = &open.inner else { return };
        let call = CallId { at: key, attempt: open.attempt };
        let started = open.started;
        let plan = self.plan.clone();
        let Some(node) = self.node_at(key) else { return };
        let Kind::Loop { list, .. } = &plan.node(node).kind else { return };
        let live: Vec<(u32, FrameKey)> =
            turns.live.iter().map(|(item, key)| (*item, *key)).collect();
        let items = match list.eval(&self.facts(key.frame, None)).and_then(items_of) {
            Ok(items) => Arc::new(items),
            Err(error) => return self.fail(call, started, 0, error, now, out),
        };
        for (item, frame) in live {
            if let (Some(frame), Some(value)) = (self.frame_mut(frame), items.get(item as usize)) {
                frame.item = Some(Datum::from(value.clone()));
            }
        }
        if let Some(Slot::Open(open)) = self.slot_mut(key)
            && let Inner::Loop(turns) = &mut open.inner
        {
            turns.list = Some(items);
        }
    }

    /// A call with effects was out when the runner stopped, and its answer is lost.
    pub(super) fn settle(
        &mut self,
        key: SlotKey,
        running: Running,
        now: Timestamp,
        out: &mut Decision,
    ) {
        let plan = self.plan.clone();
        let Some(node) = self.node_at(key).map(|node| plan.node(node)) else { return };
        let Kind::Call { atom, input } = &node.kind else { return };
        let id = CallId { at: key, attempt: running.attempt };
        match atom.retry {
            // The same attempt once more: that it started is recorded already.
            RetrySafety::Safe | RetrySafety::WithKey => {
                match input.eval(&self.facts(key.frame, None)) {
                    Ok(input) => {
                        let call = self.new_call(id, *atom, input, node);
                        out.actions.push(Action::Call { id, call, gated: true });
                    }
                    Err(error) => self.fail(id, running.started, 0, error, now, out),
                }
            }
            RetrySafety::Never => {
                let error = Failure::permanent(
                    "outcome_unknown",
                    format!("the runner stopped while {} ran, and nobody can know whether it had its effect", atom.name),
                )
                .hint("look at the other side, then start the rest again");
                let us = now.since(running.started).0.saturating_mul(1000);
                self.fail(id, running.started, us, error, now, out);
            }
        }
    }

    /// Every slot of every frame, outer frames first.
    pub(super) fn slot_keys(&self) -> Vec<SlotKey> {
        let mut keys = Vec::new();
        let mut frames: Vec<FrameKey> = self.root().into_iter().collect();
        while let Some(key) = frames.pop() {
            let Some(frame) = self.frame(key) else { continue };
            for (slot, state) in (0_u32..).zip(&frame.slots) {
                keys.push(SlotKey { frame: key, slot });
                if let Slot::Open(open) = state {
                    match &open.inner {
                        Inner::Group(inner) => frames.push(*inner),
                        Inner::Loop(turns) => frames.extend(turns.live.values()),
                    }
                }
            }
        }
        keys
    }

    /// Where calls are out.
    pub(super) fn running_places(&self) -> Vec<Place> {
        let running = |key: &SlotKey| matches!(self.slot(*key), Some(Slot::Running(_)));
        self.slot_keys().into_iter().filter(running).map(|key| self.place(key)).collect()
    }
}

/// A container fails with the words of the step inside that failed.
fn inside(failed: &(Place, Failure)) -> Failure {
    let (place, error) = failed;
    Failure { message: format!("step `{place}`: {}", error.message), ..error.clone() }
}

fn items_of(list: Value) -> Result<Vec<Value>, Failure> {
    let what = kind(&list);
    let Value::Array(items) = list else {
        return Err(Failure::permanent(
            "wrong_type",
            format!("`foreach` needs a list and got {what}"),
        )
        .hint("give a list; for a map use `{{ the_map | items }}`"));
    };
    if items.len() > MAX_ITEMS {
        return Err(Failure::permanent(
            "too_many_items",
            format!("`foreach` got {} items, the limit is {MAX_ITEMS}", items.len()),
        )
        .hint("split the list and run the intent once per part"));
    }
    Ok(items)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
