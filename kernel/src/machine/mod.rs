//! The state machine: `(state, input) → (events, actions)`, and the fold of events to a state.
//!
//! [`Execution::handle`] decides, and changes what is recorded only through [`Execution::apply`];
//! so the same state comes out of a replay of the journal ([`replay`]).

mod advance;
mod apply;
mod decide;
mod event;
mod facts;
mod fits;
mod json;
mod retry;
mod show;
mod state;
mod view;

pub use advance::MAX_ITEMS;
pub use apply::BadJournal;
pub use decide::{Action, Decision, Input, MAX_OUTPUT, Timer};
pub use event::*;
pub(crate) use json::present_boxed;
pub use json::{MAX_DEPTH, is_deeper};
pub use state::{CallId, Execution};
pub use view::*;

use crate::ids::ExecutionId;
use crate::plan::Plan;
use std::sync::Arc;

/// Folds a journal to the execution it records. To go on with it: [`Input::Recover`].
pub fn replay(
    id: ExecutionId,
    plan: Arc<Plan>,
    events: impl IntoIterator<Item = Event>,
) -> Result<Execution, BadJournal> {
    let mut events = events.into_iter();
    let Some(Event::Submitted(submitted)) = events.next() else {
        return Err(BadJournal {
            event: 0,
            why: "it does not begin with the submission".to_owned(),
        });
    };
    if submitted.format > JOURNAL_FORMAT {
        let why =
            format!("it has format {}, this runner reads up to {JOURNAL_FORMAT}", submitted.format);
        return Err(BadJournal { event: 0, why });
    }
    let mut execution = Execution::new(id, plan, submitted);
    for event in events {
        execution.apply(&event)?;
    }
    Ok(execution)
}
