//! Whether an event can follow: what stands between a damaged journal and a state that no
//! execution can be in.

use super::advance::MAX_ITEMS;
use super::event::Event;
use super::state::{Execution, Phase, Slot, SlotKey};
use crate::plan::Kind;

impl Execution {
    /// Why `event`, which names the slot at `key`, cannot be the next one.
    pub(super) fn fits(&self, event: &Event, key: Option<SlotKey>) -> Result<(), String> {
        let allowed = match (event, &self.phase) {
            (Event::Submitted(_), _) => return Err("it is submitted a second time".to_owned()),
            (Event::Started { .. }, phase) => matches!(phase, Phase::Pending),
            (Event::Broken { .. } | Event::Cancelled { .. }, phase) => !phase.status().is_end(),
            (
                Event::Entered { .. }
                | Event::Calling { .. }
                | Event::Done { .. }
                | Event::Failed { .. }
                | Event::Skipped { .. }
                | Event::Completed { .. },
                phase,
            ) => matches!(phase, Phase::Running),
        };
        if !allowed {
            return Err(format!("the execution is {} by then", self.status().name()));
        }
        let Some((key, slot, node)) =
            key.and_then(|key| Some((key, self.slot(key)?, self.node_at(key)?)))
        else {
            return Ok(());
        };
        let kind = &self.plan.node(node).kind;
        let (next, open, running) = match slot {
            Slot::Ready(attempt) => (*attempt, false, false),
            // That a pause is over is not recorded.
            Slot::Backoff(backoff) => (backoff.failed_attempt.saturating_add(1), false, false),
            Slot::Running(running) => (running.attempt, false, true),
            Slot::Open(open) => (open.attempt, true, false),
            Slot::Waiting(_) => return Err(self.not_now(key, "has not started")),
            Slot::Ended(_) => return Err(self.not_now(key, "has ended")),
        };
        let container = matches!(kind, Kind::Group { .. } | Kind::Loop { .. });
        let good = match event {
            Event::Entered { n, items, .. } => {
                let items_fit = match (kind, items) {
                    (Kind::Loop { .. }, Some(items)) => *items as usize <= MAX_ITEMS,
                    (Kind::Group { .. }, None) => true,
                    (
                        Kind::Loop { .. } | Kind::Group { .. } | Kind::Call { .. } | Kind::Set(_),
                        _,
                    ) => false,
                };
                *n == next && !open && !running && items_fit
            }
            Event::Calling { n, .. } => {
                *n == next && !open && !running && matches!(kind, Kind::Call { .. })
            }
            Event::Done { n, .. } => *n == next && open == container,
            Event::Failed { n, .. } => *n == next,
            Event::Skipped { .. } => !open && !running,
            Event::Submitted(_)
            | Event::Started { .. }
            | Event::Completed { .. }
            | Event::Broken { .. }
            | Event::Cancelled { .. } => true,
        };
        if good { Ok(()) } else { Err(self.not_now(key, "is elsewhere")) }
    }

    fn not_now(&self, key: SlotKey, where_it_is: &str) -> String {
        format!("step `{}` {where_it_is} by then", self.place(key))
    }
}
