//! Notes of what a call has begun, kept under its idempotency key: they let a call that is
//! repeated after a crash see what the first one did.

use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{Millis, Timestamp};
use jalm_kernel::ports::{Kv, StoreError};
use serde_json::Value;

/// Longer than any execution lives on.
const KEPT: Millis = Millis(30 * 24 * 3_600_000);

/// The note of one call.
#[derive(Clone, Copy)]
pub(crate) struct Marks<'a> {
    pub(crate) kv: &'a dyn Kv,
    /// Which kind of note: `jalm.append`.
    pub(crate) space: &'static str,
    pub(crate) key: &'a str,
    pub(crate) now: Timestamp,
}

impl Marks<'_> {
    /// What was noted.
    pub(crate) async fn get(&self) -> Result<Option<Value>, Failure> {
        self.kv.get(self.space, self.key, self.now).await.map_err(store_failure)
    }

    /// Notes it; durable when it returns.
    pub(crate) async fn set(&self, mark: Value) -> Result<(), Failure> {
        let expires = Some(self.now.plus(KEPT));
        self.kv.set(self.space, self.key, mark, expires).await.map_err(store_failure)
    }
}

/// What the runner's own store says, as a step's failure.
pub(crate) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::Unavailable { message } => Failure::transient("store_unavailable", message)
            .hint("free the disk or repair the store; `retry` tries again"),
        StoreError::Corrupt { message } => Failure::permanent("store_corrupt", message)
            .hint("the operator must look at the runner's store"),
        StoreError::Closed => Failure::transient("store_unavailable", "the store is closed")
            .hint("the runner is shutting down; the step runs again after the start"),
    }
}
