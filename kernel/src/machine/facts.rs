//! What expressions see of an execution.

use super::state::{Ended, Execution, FrameKey, How, Slot, SlotKey};
use super::view::StepStatus;
use crate::expr::{Datum, Root, Scope, StepFacts};
use crate::plan::NodeIx;
use serde_json::{Map, Value, json};

/// The view from inside one frame.
pub(super) struct Facts<'a> {
    pub(super) execution: &'a Execution,
    /// Where the expression stands.
    pub(super) frame: FrameKey,
    /// The step's own output, for its `output` key.
    pub(super) response: Option<Datum>,
}

impl Scope for Facts<'_> {
    fn datum(&self, root: &Root) -> Option<Datum> {
        let execution = self.execution;
        match root {
            Root::Params => Some(execution.params.clone()),
            Root::Context => Some(execution.plan.context.clone()),
            Root::Response => self.response.clone(),
            Root::Execution => Some(Datum::from(json!({
                "id": execution.id.to_string(),
                "intent": &*execution.submitted.intent,
                "started_at": execution.started_at.unwrap_or(execution.submitted.at).to_string(),
                "attempt": 1,
            }))),
            Root::Env => Some(Datum::from(json!(execution.submitted.env))),
            Root::Item { depth, .. } => execution.turn_at(self.frame, *depth)?.0,
            Root::Index { depth } => {
                Some(Datum::from(json!(execution.turn_at(self.frame, *depth)?.1)))
            }
            Root::Variable { name, bound_by } => bound_by.iter().find_map(|node| {
                let output = execution.slot_output(execution.find(*node, self.frame)?)?;
                output.json().get(&**name).cloned().map(Datum::from)
            }),
            Root::Step { .. } => None,
        }
    }

    fn step(&self, node: NodeIx) -> StepFacts {
        let pending =
            StepFacts { status: StepStatus::Pending, output: None, error: None, attempts: 0 };
        let Some(key) = self.execution.find(node, self.frame) else { return pending };
        match self.execution.slot(key) {
            Some(Slot::Ended(ended)) => StepFacts {
                status: ended.status(),
                output: self.execution.slot_output(key),
                error: match &ended.how {
                    How::Failed(error) => Some(error.clone()),
                    How::Completed(_) | How::Skipped | How::Cancelled => None,
                },
                attempts: ended.attempts,
            },
            _ => pending,
        }
    }
}

impl Ended {
    pub(super) fn status(&self) -> StepStatus {
        match self.how {
            How::Completed(_) => StepStatus::Completed,
            How::Failed(_) => StepStatus::Failed,
            How::Skipped => StepStatus::Skipped,
            How::Cancelled => StepStatus::Cancelled,
        }
    }
}

impl Execution {
    /// The item and number of the turn of the `depth`-th loop around a frame.
    fn turn_at(&self, frame: FrameKey, depth: u32) -> Option<(Option<Datum>, u32)> {
        let mut at = self.frame(frame)?;
        loop {
            let outer = at.parent.and_then(|parent| self.frame(parent.frame));
            let is_turn = outer.is_some_and(|outer| outer.items.len() < at.items.len());
            if is_turn && at.items.len() == depth as usize {
                return Some((at.item.clone(), *at.items.last()?));
            }
            at = outer?;
        }
    }

    /// The slot of a step as seen from a frame: in this frame, around it, or inside a group there.
    fn find(&self, node: NodeIx, from: FrameKey) -> Option<SlotKey> {
        let mut inside = Vec::new();
        let mut at = node;
        loop {
            let block = self.plan.node(at).block;
            if let Some(mut frame) = self.frame_around(from, block) {
                let mut slot = self.plan.node(at).slot;
                while let Some(next) = inside.pop() {
                    frame = self.slot(SlotKey { frame, slot })?.group()?;
                    slot = self.plan.node(next).slot;
                }
                return Some(SlotKey { frame, slot });
            }
            inside.push(at);
            at = self.plan.block(block).parent?;
        }
    }

    fn frame_around(&self, from: FrameKey, block: crate::plan::BlockIx) -> Option<FrameKey> {
        let mut key = from;
        loop {
            let frame = self.frame(key)?;
            if frame.block == block {
                return Some(key);
            }
            key = frame.parent?.frame;
        }
    }

    /// The output of a step that ended well. A group's is put together from its steps.
    pub(super) fn slot_output(&self, key: SlotKey) -> Option<Datum> {
        let Slot::Ended(ended) = self.slot(key)? else { return None };
        match (&ended.how, ended.group) {
            (How::Completed(Some(output)), _) => Some(output.clone()),
            (How::Completed(None), Some(group)) => Some(Datum::from(self.gather(group))),
            (How::Completed(None), None) => Some(Datum::from(Value::Null)),
            (How::Failed(_) | How::Skipped | How::Cancelled, _) => None,
        }
    }

    /// `{id: output}` of the steps of a frame; steps without an output give null.
    pub(super) fn gather(&self, key: FrameKey) -> Value {
        let Some(frame) = self.frame(key) else { return Value::Null };
        let nodes = &self.plan.block(frame.block).nodes;
        let entries = (0_u32..).zip(nodes).map(|(slot, node)| {
            let output = self.slot_output(SlotKey { frame: key, slot });
            let value = output.map_or(Value::Null, |output| (**output.json()).clone());
            (self.plan.node(*node).id.to_string(), value)
        });
        Value::Object(entries.collect::<Map<_, _>>())
    }
}
