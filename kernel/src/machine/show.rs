//! From the state to what people see.

use super::state::{Ended, Execution, FrameKey, How, Inner, Phase, Slot, SlotKey};
use super::view::{StepStatus, StepView, Summary, View};
use crate::ids::{Millis, Timestamp};
use crate::plan::{Kind, NodeIx, Plan};
use serde_json::Value;
use std::sync::Arc;

impl Execution {
    /// The row for lists.
    pub fn summary(&self) -> Summary {
        Summary {
            execution_id: self.id,
            intent: self.submitted.intent.clone(),
            status: self.phase.status(),
            created_at: self.submitted.at,
            started_at: self.started_at,
            completed_at: match &self.phase {
                Phase::Pending | Phase::Running => None,
                Phase::Completed { at, .. }
                | Phase::Failed { at, .. }
                | Phase::Cancelled { at, .. } => Some(*at),
            },
        }
    }

    /// Everything. Inputs are computed again from the recorded outputs, which gives what they were.
    pub fn view(&self) -> View {
        let mut steps = Vec::with_capacity(self.plan.nodes.len());
        self.show_block(self.root(), Plan::ROOT, None, &mut steps);
        let (output, error, failed_step) = match &self.phase {
            Phase::Pending | Phase::Running => (None, None, None),
            Phase::Completed { out, .. } => (Some(out.clone()), None, None),
            Phase::Failed { step, error, .. } => {
                (None, Some(error.clone()), step.as_ref().map(ToString::to_string))
            }
            Phase::Cancelled { reason, .. } => {
                let error = crate::failure::Failure::permanent("cancelled", reason.clone());
                (None, Some(error), None)
            }
        };
        View {
            summary: self.summary(),
            version: self.submitted.version.clone(),
            params: self.submitted.params.clone(),
            steps,
            output,
            error,
            failed_step,
            waiting_for: self.waiting_for(),
        }
    }

    fn show_block(
        &self,
        frame: Option<FrameKey>,
        block: crate::plan::BlockIx,
        parent: Option<&Arc<str>>,
        steps: &mut Vec<StepView>,
    ) {
        // What never began because its group was left out, was left out as well.
        let group = parent.and_then(|id| steps.iter().rev().find(|step| step.id == *id));
        let left_out = group.map(|group| group.status).filter(|status| {
            frame.is_none() && matches!(status, StepStatus::Skipped | StepStatus::Cancelled)
        });
        for (slot, ix) in (0_u32..).zip(&self.plan.block(block).nodes) {
            let key = frame.map(|frame| SlotKey { frame, slot });
            let mut shown = self.show_step(*ix, key, parent);
            shown.status = left_out.unwrap_or(shown.status);
            steps.push(shown);
            if let Kind::Group { block, .. } = &self.plan.node(*ix).kind {
                let inner = key.and_then(|key| self.slot(key)).and_then(Slot::group);
                self.show_block(inner, *block, Some(&self.plan.node(*ix).id), steps);
            }
        }
    }

    fn show_step(&self, ix: NodeIx, key: Option<SlotKey>, parent: Option<&Arc<str>>) -> StepView {
        let node = self.plan.node(ix);
        // A loop is shown under the name of what it repeats.
        let body = self.plan.node(crate::plan::body_of(&self.plan, ix));
        let layer = match &body.kind {
            Kind::Call { atom, .. } => Some(atom.layer),
            Kind::Set(_) | Kind::Group { .. } | Kind::Loop { .. } => None,
        };
        let mut view = StepView {
            id: node.id.clone(),
            name: node.name.clone(),
            layer,
            atom: body.kind.name().into(),
            parent: parent.cloned(),
            status: StepStatus::Pending,
            input: None,
            output: None,
            error: None,
            attempts: 0,
            isolation: None,
            lock: self.locks.get(&node.id).or_else(|| self.locks.get(&body.id)).cloned(),
            started_at: None,
            completed_at: None,
            execution_us: None,
            items: None,
        };
        let Some(key) = key else { return view };
        match self.slot(key) {
            None | Some(Slot::Waiting(_)) => {}
            // Ready in a running execution: a call that is not recorded is out, or about to be.
            Some(Slot::Ready(attempt)) if matches!(self.phase, Phase::Running) => {
                view.status = StepStatus::Running;
                view.attempts = attempt - 1;
            }
            Some(Slot::Ready(_)) => {}
            Some(Slot::Running(running)) => {
                view.status = StepStatus::Running;
                view.attempts = running.attempt;
                view.started_at = Some(running.started);
            }
            Some(Slot::Backoff(backoff)) => {
                view.status = StepStatus::Running;
                view.attempts = backoff.failed_attempt;
                view.error = Some(backoff.error.clone());
                view.started_at = Some(backoff.started);
                view.execution_us = Some(backoff.us);
            }
            Some(Slot::Open(open)) => {
                view.status = StepStatus::Running;
                view.attempts = open.attempt;
                view.started_at = Some(open.started);
                if let Inner::Loop(turns) = &open.inner {
                    view.items = Some(turns.progress);
                }
            }
            Some(Slot::Ended(ended)) => self.show_ended(key, ended, &mut view),
        }
        if view.attempts > 0 {
            view.input = self.input_of(node, key);
        }
        view
    }

    fn show_ended(&self, key: SlotKey, ended: &Ended, view: &mut StepView) {
        view.status = ended.status();
        view.attempts = ended.attempts;
        view.isolation.clone_from(&ended.isolation);
        view.started_at = ended.started;
        view.execution_us = ended.us;
        view.items = ended.progress;
        view.completed_at = ended.started.zip(ended.us).map(|(at, us)| at.plus(Millis(us / 1000)));
        match &ended.how {
            How::Completed(_) => view.output = self.slot_output(key).map(|out| out.json().clone()),
            How::Failed(error) => view.error = Some(error.clone()),
            How::Skipped | How::Cancelled => {}
        }
    }

    fn input_of(&self, node: &crate::plan::PlanNode, key: SlotKey) -> Option<Value> {
        match &node.kind {
            Kind::Call { input, .. } => input.eval(&self.facts(key.frame, None)).ok(),
            Kind::Set(_) | Kind::Group { .. } | Kind::Loop { .. } => None,
        }
    }

    /// What a running execution waits for, if it only waits.
    fn waiting_for(&self) -> Option<String> {
        if !matches!(self.phase, Phase::Running) {
            return None;
        }
        let mut next: Option<(Timestamp, String)> = None;
        for key in self.slot_keys() {
            match self.slot(key)? {
                Slot::Ready(_) | Slot::Running(_) => return None,
                Slot::Backoff(backoff) => {
                    if next.as_ref().is_none_or(|(at, _)| backoff.until < *at) {
                        let what = format!(
                            "attempt {} of step `{}`, due at {}",
                            backoff.failed_attempt + 1,
                            self.place(key),
                            backoff.until
                        );
                        next = Some((backoff.until, what));
                    }
                }
                Slot::Waiting(_) | Slot::Open(_) | Slot::Ended(_) => {}
            }
        }
        next.map(|(_, what)| what)
    }
}
