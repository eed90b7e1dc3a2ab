//! What the writer is asked to do.

use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::ports::{Append, OnDurable, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

/// One change, and who hears of it.
pub(super) struct Command {
    pub(super) op: Op,
    pub(super) done: Done,
}

/// A change. JSON is text here, so that the writer need not encode it.
pub(super) enum Op {
    Append(Append),
    Delete(ExecutionId),
    Set { space: String, key: String, value: String, expires: Option<Timestamp> },
    Remove { space: String, key: String, now: Timestamp },
    Publish { queue: String, id: String, body: String, headers: String, at: Timestamp },
    Acknowledge { queue: String, id: String },
}

/// Who hears of it.
pub(super) enum Done {
    Call(OnDurable),
    Answer(oneshot::Sender<Result<bool, StoreError>>),
}

impl Command {
    /// About how many bytes it brings to a transaction.
    pub(super) fn weight(&self) -> usize {
        256 + match &self.op {
            Op::Append(it) => {
                it.record.len() + it.birth.as_ref().map_or(0, |birth| birth.source.len())
            }
            Op::Set { value, .. } => value.len(),
            Op::Publish { body, headers, .. } => body.len() + headers.len(),
            Op::Delete(_) | Op::Remove { .. } | Op::Acknowledge { .. } => 0,
        }
    }
}

impl Done {
    /// Tells the outcome. The writer outlives a listener that panics.
    pub(super) fn tell(self, outcome: Result<bool, StoreError>) {
        match self {
            Self::Call(on_durable) => {
                let call = AssertUnwindSafe(|| on_durable(outcome.map(|_| ())));
                if catch_unwind(call).is_err() {
                    tracing::error!("a listener of the store panicked");
                }
            }
            // Whoever asked may have given up; the change holds all the same.
            Self::Answer(answer) => drop(answer.send(outcome)),
        }
    }
}
