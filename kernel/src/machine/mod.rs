//! The state machine: `(state, input) → (events, actions)`, and the fold of events to a state.

mod event;
mod view;

pub use event::*;
pub use view::*;
