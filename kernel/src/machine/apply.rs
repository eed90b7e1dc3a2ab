//! The fold: what each event changes. A journal that cannot be of this plan is refused with words
//! (`fits`), never a panic.

use super::event::Event;
use super::state::{
    Attention, Backoff, CallId, Ended, Execution, Frame, FrameKey, How, Inner, Open, Phase,
    Running, Slot, SlotKey, Turns,
};
use super::view::{Items, json_size};
use crate::expr::Datum;
use crate::ids::Place;
use crate::intent::{OnError, OnItemError};
use crate::plan::{BlockIx, Kind, NodeIx, Plan};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A journal that does not fit its plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event} of the journal does not fit the plan: {why}")]
pub struct BadJournal {
    /// The event's number.
    pub event: u64,
    /// What does not fit.
    pub why: String,
}

impl Execution {
    /// Applies a recorded event.
    pub fn apply(&mut self, event: &Event) -> Result<(), BadJournal> {
        let key = match event {
            Event::Entered { place, .. }
            | Event::Calling { place, .. }
            | Event::Done { place, .. }
            | Event::Failed { place, .. }
            | Event::Skipped { place, .. } => {
                Some(self.locate(place).ok_or_else(|| BadJournal {
                    event: self.count,
                    why: format!("there is no running step at `{place}`"),
                })?)
            }
            Event::Submitted(_)
            | Event::Started { .. }
            | Event::Completed { .. }
            | Event::Broken { .. }
            | Event::Cancelled { .. } => None,
        };
        self.fits(event, key).map_err(|why| BadJournal { event: self.count, why })?;
        self.apply_at(event, key);
        Ok(())
    }

    /// As `apply`, for callers that know the slot.
    pub(super) fn apply_at(&mut self, event: &Event, key: Option<SlotKey>) {
        self.count += 1;
        if let Event::Done { place, lock: Some(lock), .. }
        | Event::Failed { place, lock: Some(lock), .. } = event
        {
            self.locks.insert(place.step.clone(), lock.clone());
        }
        match (event, key) {
            (Event::Started { at }, _) => {
                self.phase = Phase::Running;
                self.started_at = Some(*at);
                self.open_frame(Plan::ROOT, None, Vec::new(), None);
            }
            (Event::Entered { n, at, items, .. }, Some(key)) => self.enter(key, *n, *at, *items),
            (Event::Calling { n, at, .. }, Some(key)) => {
                self.set(key, Slot::Running(Running { attempt: *n, started: *at, recorded: true }));
            }
            (Event::Done { n, at, us, out, iso, .. }, Some(key)) => {
                let out = out.clone().map(Datum::new);
                let (out, progress, group) = self.close_container(key, out);
                self.end(
                    key,
                    Ended {
                        how: How::Completed(out),
                        attempts: *n,
                        started: Some(*at),
                        us: Some(*us),
                        isolation: iso.clone(),
                        progress,
                        group,
                    },
                );
            }
            (Event::Failed { n, at, us, error, retry_at: Some(until), .. }, Some(key)) => {
                self.stop_inside(key, Keep::Nothing);
                self.set(
                    key,
                    Slot::Backoff(Box::new(Backoff {
                        failed_attempt: *n,
                        until: *until,
                        error: error.clone(),
                        started: *at,
                        us: *us,
                    })),
                );
            }
            (Event::Failed { n, at, us, error, retry_at: None, .. }, Some(key)) => {
                let progress = self.progress(key);
                let group = self.stop_inside(key, Keep::Groups);
                self.end(
                    key,
                    Ended {
                        how: How::Failed(error.clone()),
                        attempts: *n,
                        started: Some(*at),
                        us: Some(*us),
                        isolation: None,
                        progress,
                        group,
                    },
                );
            }
            (Event::Skipped { .. }, Some(key)) => self.end(key, Ended::without_run(How::Skipped)),
            (Event::Completed { at, out }, _) => {
                self.phase = Phase::Completed { at: *at, out: out.clone() };
            }
            (Event::Broken { at, step, error }, _) => {
                self.stop_everything();
                self.phase = Phase::Failed { at: *at, step: step.clone(), error: error.clone() };
            }
            (Event::Cancelled { at, reason }, _) => {
                self.stop_everything();
                self.phase = Phase::Cancelled { at: *at, reason: reason.clone() };
            }
            // A second submission changes nothing; the others always have a key.
            (Event::Submitted(_), _)
            | (
                Event::Entered { .. }
                | Event::Calling { .. }
                | Event::Done { .. }
                | Event::Failed { .. }
                | Event::Skipped { .. },
                None,
            ) => {}
        }
    }

    fn set(&mut self, key: SlotKey, new: Slot) {
        if let Some(slot) = self.slot_mut(key) {
            *slot = new;
        }
    }

    fn enter(&mut self, key: SlotKey, attempt: u32, at: crate::ids::Timestamp, items: Option<u32>) {
        let Some(node) = self.node_at(key) else { return };
        let inner = match self.plan.node(node).kind {
            Kind::Group { block, .. } => {
                let items =
                    self.frame(key.frame).map(|frame| frame.items.clone()).unwrap_or_default();
                Inner::Group(self.open_frame(block, Some(key), items, None))
            }
            Kind::Loop { .. } => {
                // Whether it has items or not, somebody must look at it.
                self.attention.push_back(Attention::Container(key));
                let total = items.unwrap_or(0);
                Inner::Loop(Turns {
                    total,
                    next: 0,
                    live: BTreeMap::new(),
                    outputs: Vec::new(),
                    progress: Items { total, completed: 0, failed: 0 },
                    bytes: 0,
                    failed: None,
                    list: None,
                })
            }
            Kind::Call { .. } | Kind::Set(_) => return,
        };
        self.set(key, Slot::Open(Box::new(Open { attempt, started: at, inner })));
    }

    pub(super) fn node_at(&self, key: SlotKey) -> Option<NodeIx> {
        let frame = self.frame(key.frame)?;
        self.plan.block(frame.block).nodes.get(key.slot as usize).copied()
    }

    /// Opens a frame; its steps that wait for nobody become ready.
    pub(super) fn open_frame(
        &mut self,
        block: BlockIx,
        parent: Option<SlotKey>,
        items: Vec<u32>,
        item: Option<Datum>,
    ) -> FrameKey {
        let plan = self.plan.clone();
        let nodes = &plan.block(block).nodes;
        let slots: Box<[Slot]> = nodes
            .iter()
            .map(|node| match plan.node(*node).needs {
                0 => Slot::Ready(1),
                needs => Slot::Waiting(needs),
            })
            .collect();
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        let open = count(slots.len());
        let frame = Frame { serial, block, parent, items, item, slots, open, failed: None };
        let index = match self.free.pop() {
            Some(index) => {
                self.frames[index as usize] = Some(frame);
                index
            }
            None => {
                self.frames.push(Some(frame));
                count(self.frames.len() - 1)
            }
        };
        let key = FrameKey { index, serial };
        for (slot, node) in nodes.iter().enumerate() {
            if plan.node(*node).needs == 0 {
                self.ready.push_back(SlotKey { frame: key, slot: count(slot) });
            }
        }
        key
    }

    /// What a container leaves behind when it ends well.
    fn close_container(
        &mut self,
        key: SlotKey,
        out: Option<Datum>,
    ) -> (Option<Datum>, Option<Items>, Option<FrameKey>) {
        let Some(Slot::Open(open)) = self.slot_mut(key) else { return (out, None, None) };
        match &mut open.inner {
            Inner::Group(frame) => (out, None, Some(*frame)),
            Inner::Loop(turns) => {
                let outputs = std::mem::take(&mut turns.outputs);
                let progress = turns.progress;
                let list = outputs.into_iter().map(|output| match output {
                    Some(output) => {
                        let json = output.into_json();
                        std::sync::Arc::try_unwrap(json).unwrap_or_else(|shared| (*shared).clone())
                    }
                    None => Value::Null,
                });
                (Some(Datum::from(Value::Array(list.collect()))), Some(progress), None)
            }
        }
    }

    fn progress(&self, key: SlotKey) -> Option<Items> {
        match self.slot(key)? {
            Slot::Open(open) => match &open.inner {
                Inner::Loop(turns) => Some(turns.progress),
                Inner::Group(_) => None,
            },
            Slot::Waiting(_)
            | Slot::Ready(_)
            | Slot::Running(_)
            | Slot::Backoff(_)
            | Slot::Ended(_) => None,
        }
    }

    /// A slot has ended: whoever waited for it may start, and its frame may be through.
    fn end(&mut self, key: SlotKey, ended: Ended) {
        let Some(node) = self.node_at(key) else { return };
        let place = self.place(key);
        let plan = self.plan.clone();
        let node = plan.node(node);
        let failure = match &ended.how {
            How::Failed(error) if node.on_error == OnError::Fail => Some(error.clone()),
            How::Failed(_) | How::Completed(_) | How::Skipped | How::Cancelled => None,
        };
        let Some(frame) = self.frame_mut(key.frame) else { return };
        if matches!(frame.slots[key.slot as usize], Slot::Ended(_)) {
            return;
        }
        frame.slots[key.slot as usize] = Slot::Ended(Box::new(ended));
        frame.open -= 1;
        if let Some(failure) = failure {
            // A place inside names the step that really failed.
            frame.failed.get_or_insert_with(|| Box::new((place, failure)));
            self.stop_frame(key.frame);
            self.frame_ended(key.frame);
            return;
        }
        let mut ready = Vec::new();
        for slot in &node.successors {
            if let Slot::Waiting(missing) = &mut frame.slots[*slot as usize] {
                *missing -= 1;
                if *missing == 0 {
                    frame.slots[*slot as usize] = Slot::Ready(1);
                    ready.push(SlotKey { frame: key.frame, slot: *slot });
                }
            }
        }
        let through = frame.open == 0;
        self.ready.extend(ready);
        if through {
            self.frame_ended(key.frame);
        }
    }

    /// All steps of a frame have ended, or one failed for all.
    fn frame_ended(&mut self, key: FrameKey) {
        let Some(frame) = self.frame(key) else { return };
        let Some(parent) = frame.parent else {
            self.attention.push_back(Attention::Root);
            return;
        };
        self.attention.push_back(Attention::Container(parent));
        let is_turn = matches!(
            self.slot(parent),
            Some(Slot::Open(open)) if matches!(open.inner, Inner::Loop(_))
        );
        if is_turn {
            self.turn_ended(parent, key);
        }
    }

    /// One turn of a loop is over: its output is kept and its frame freed.
    fn turn_ended(&mut self, parent: SlotKey, key: FrameKey) {
        let collects = self.node_at(parent).is_some_and(|node| {
            matches!(
                self.plan.node(node).kind,
                Kind::Loop { on_item_error: OnItemError::Collect, .. }
            )
        });
        let Some(frame) = self.frame(key) else { return };
        let Some(item) = frame.items.last().copied() else { return };
        let failed = frame.failed.as_deref().cloned();
        let output = match &failed {
            Some((_, error)) => Some(Datum::from(json!({ "error": error }))),
            None => self.slot_output(SlotKey { frame: key, slot: 0 }),
        };
        let bytes = output.as_ref().map_or(0, |output| json_size(output.json()));
        self.free_frame(key);
        let Some(Slot::Open(open)) = self.slot_mut(parent) else { return };
        let Inner::Loop(turns) = &mut open.inner else { return };
        turns.live.remove(&item);
        turns.bytes += bytes;
        let index = item as usize;
        if turns.outputs.len() <= index {
            turns.outputs.resize_with(index + 1, || None);
        }
        turns.outputs[index] = output;
        match failed {
            None => turns.progress.completed += 1,
            Some(failure) => {
                turns.progress.failed += 1;
                if !collects && turns.failed.is_none() {
                    turns.failed = Some(Box::new(failure));
                }
            }
        }
    }

    /// Frees a frame and all frames inside.
    fn free_frame(&mut self, key: FrameKey) {
        let Some(frame) = self.frames.get_mut(key.index as usize).and_then(Option::take) else {
            return;
        };
        self.free.push(key.index);
        for slot in frame.slots {
            match slot {
                Slot::Open(open) => match open.inner {
                    Inner::Group(inner) => self.free_frame(inner),
                    Inner::Loop(turns) => {
                        turns.live.into_values().for_each(|turn| self.free_frame(turn));
                    }
                },
                Slot::Ended(ended) => {
                    if let Some(inner) = ended.group {
                        self.free_frame(inner);
                    }
                }
                Slot::Waiting(_) | Slot::Ready(_) | Slot::Running(_) | Slot::Backoff(_) => {}
            }
        }
    }

    /// Ends every slot of a frame that has not ended, calls that are out included.
    fn stop_frame(&mut self, key: FrameKey) {
        let slots = self.frame(key).map_or(0, |frame| count(frame.slots.len()));
        for slot in 0..slots {
            let at = SlotKey { frame: key, slot };
            let group = self.stop_inside(at, Keep::Groups);
            let Some(frame) = self.frame_mut(key) else { return };
            let slot = &mut frame.slots[slot as usize];
            let (attempts, started) = match slot {
                Slot::Ended(_) => continue,
                // What is shown must come out of a replay too, so a call that is not recorded
                // leaves no trace.
                Slot::Running(running) if running.recorded => {
                    (running.attempt, Some(running.started))
                }
                Slot::Running(running) => (running.attempt - 1, None),
                Slot::Open(open) => (open.attempt, Some(open.started)),
                Slot::Backoff(backoff) => (backoff.failed_attempt, None),
                Slot::Ready(attempt) => (*attempt - 1, None),
                Slot::Waiting(_) => (0, None),
            };
            let out = match slot {
                Slot::Running(running) => Some(running.attempt),
                Slot::Open(open) => Some(open.attempt),
                Slot::Backoff(backoff) => Some(backoff.failed_attempt),
                Slot::Waiting(_) | Slot::Ready(_) | Slot::Ended(_) => None,
            };
            let out = out.map(|attempt| CallId { at, attempt });
            *slot = Slot::Ended(Box::new(Ended {
                attempts,
                started,
                group,
                ..Ended::without_run(How::Cancelled)
            }));
            frame.open -= 1;
            self.aborts.extend(out);
        }
    }

    /// Ends everything that runs inside a container. A group's frame stays if asked: people want
    /// to see how far it came.
    fn stop_inside(&mut self, key: SlotKey, keep: Keep) -> Option<FrameKey> {
        let Some(Slot::Open(open)) = self.slot(key) else { return None };
        match &open.inner {
            Inner::Group(frame) => {
                let frame = *frame;
                self.stop_frame(frame);
                match keep {
                    Keep::Groups => return Some(frame),
                    Keep::Nothing => self.free_frame(frame),
                }
            }
            Inner::Loop(turns) => {
                let turns: Vec<FrameKey> = turns.live.values().copied().collect();
                for frame in turns {
                    self.stop_frame(frame);
                    self.free_frame(frame);
                }
            }
        }
        None
    }

    fn stop_everything(&mut self) {
        if let Some(root) = self.root() {
            self.stop_frame(root);
        }
        self.ready.clear();
        self.attention.clear();
    }

    /// The slot at a place. During a replay a loop's turn that a later event speaks of is opened
    /// on the way, with all turns before it: turns start in order and starting is not recorded.
    fn locate(&mut self, place: &Place) -> Option<SlotKey> {
        let plan = self.plan.clone();
        let target = *plan.by_id.get(&(place.step.clone(), count(place.items.len())))?;
        let mut chain = vec![target];
        while let Some(parent) = plan.block(plan.node(*chain.last()?).block).parent {
            chain.push(parent);
        }
        let mut frame = self.root()?;
        while let Some(node) = chain.pop() {
            let key = SlotKey { frame, slot: plan.node(node).slot };
            if chain.is_empty() {
                return Some(key);
            }
            frame = match &plan.node(node).kind {
                Kind::Loop { .. } => {
                    let depth = plan.block(plan.node(node).block).depth as usize;
                    self.turn(key, *place.items.get(depth)?)?
                }
                Kind::Group { .. } => self.slot(key)?.group()?,
                Kind::Call { .. } | Kind::Set(_) => return None,
            };
        }
        None
    }

    /// The frame of a loop's turn; opened, with those before it, if it has not started.
    pub(super) fn turn(&mut self, key: SlotKey, item: u32) -> Option<FrameKey> {
        loop {
            let plan = self.plan.clone();
            let node = self.node_at(key)?;
            let Kind::Loop { body, .. } = plan.node(node).kind else { return None };
            let mut items = self.frame(key.frame)?.items.clone();
            let Some(Slot::Open(open)) = self.slot(key) else { return None };
            let Inner::Loop(turns) = &open.inner else { return None };
            if let Some(frame) = turns.live.get(&item) {
                return Some(*frame);
            }
            if item < turns.next || item >= turns.total {
                return None;
            }
            let next = turns.next;
            let value = turns
                .list
                .as_ref()
                .and_then(|list| list.get(next as usize))
                .map(|value| Datum::from(value.clone()));
            items.push(next);
            let frame = self.open_frame(body, Some(key), items, value);
            let Some(Slot::Open(open)) = self.slot_mut(key) else { return None };
            let Inner::Loop(turns) = &mut open.inner else { return None };
            turns.live.insert(next, frame);
            turns.next += 1;
        }
    }
}

/// What stays of a container that is stopped.
#[derive(Clone, Copy)]
enum Keep {
    Groups,
    Nothing,
}

impl Ended {
    fn without_run(how: How) -> Self {
        Self {
            how,
            attempts: 0,
            started: None,
            us: None,
            isolation: None,
            progress: None,
            group: None,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "steps and items are bounded far below 2^32")]
fn count(number: usize) -> u32 {
    number as u32
}
