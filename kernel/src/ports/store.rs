//! Where journals live.

use super::Future;
use crate::ids::{ExecutionId, PlanHash, Timestamp};
use crate::machine::{Status, Summary};
use serde_json::Value;
use std::sync::Arc;

/// Why the store could not do it, split by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Try again: the disk is full, the file is locked, the server is away.
    #[error("{message}")]
    Unavailable {
        /// What happened, to what, and what to do.
        message: String,
    },
    /// What is stored cannot be read: nothing was changed, a person must look.
    #[error("{message}")]
    Corrupt {
        /// What cannot be read, where it is, and what to do.
        message: String,
    },
    /// The store was closed by a shutdown.
    #[error("the store is closed")]
    Closed,
}

/// One record to append to one execution's journal, with the row that lists show.
#[derive(Clone, Debug)]
pub struct Append {
    /// The row as it is after these events.
    pub summary: Summary,
    /// Number of the first event of `record` within the execution; the first ever is 0.
    pub first: u64,
    /// How many events `record` holds; at least 1.
    pub count: u32,
    /// Encoded events; opaque to the store.
    pub record: Vec<u8>,
    /// Present in the execution's first record.
    pub birth: Option<Birth>,
}

/// What is stored once, with the first record of an execution.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The plan it runs.
    pub plan: PlanHash,
    /// The plan's source text; stored once per hash.
    pub source: Arc<str>,
    /// The submitter's idempotency key; unique over all executions of the store.
    pub key: Option<Arc<str>>,
}

/// Called once, from any thread, after the record is on disk, or when it never will be.
/// Must be quick and must not call the store.
pub type OnDurable = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A stored journal record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Append`")]
pub struct Record {
    pub first: u64,
    pub count: u32,
    pub record: Vec<u8>,
}

/// Everything stored of one execution.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in `Append`")]
pub struct Stored {
    pub summary: Summary,
    pub plan: PlanHash,
    pub source: Arc<str>,
    /// In order, without gaps.
    pub records: Vec<Record>,
}

/// Which executions to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this state.
    pub status: Option<Status>,
    /// Only this intent.
    pub intent: Option<String>,
    /// Created at or after this moment.
    pub since: Option<Timestamp>,
    /// Only those older than this one: the last of the page before.
    pub before: Option<ExecutionId>,
    /// At most this many; 1..=1000.
    pub limit: u32,
}

/// How the store feels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Writes reach the disk.
    Good,
    /// Writes wait; the text says for what and what to do.
    Degraded(String),
}

/// Journals and their index.
///
/// Appends of one execution become durable in the order in which they were made. A store never
/// loses an append that it acknowledged, and while it cannot write it keeps trying: it calls
/// `on_durable` with an error only at shutdown or when the record can never be stored.
pub trait Journal: Send + Sync + 'static {
    /// Queues a record for the next group commit; never blocks for the disk.
    fn append(&self, append: Append, on_durable: OnDurable);
    /// Everything of one execution. `Ok(None)` when there is no such execution.
    fn load(&self, id: ExecutionId) -> Future<'_, Result<Option<Stored>, StoreError>>;
    /// The records whose events have numbers ≥ `from`; empty when there are none.
    fn records(&self, id: ExecutionId, from: u64) -> Future<'_, Result<Vec<Record>, StoreError>>;
    /// The executions that have not ended, oldest first.
    fn unfinished(&self) -> Future<'_, Result<Vec<ExecutionId>, StoreError>>;
    /// The execution that was submitted under this key.
    fn find_key(&self, key: &str) -> Future<'_, Result<Option<ExecutionId>, StoreError>>;
    /// Lists executions, newest first.
    fn list(&self, filter: Filter) -> Future<'_, Result<Vec<Summary>, StoreError>>;
    /// Forgets a finished execution. `Ok(false)` when there is none of this id; an unfinished
    /// one is left alone and answers `false` too.
    fn delete(&self, id: ExecutionId) -> Future<'_, Result<bool, StoreError>>;
    /// Whether writes reach the disk.
    fn health(&self) -> Health;
    /// Writes what is queued, then closes. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> Future<'_, ()>;
}

/// Small values that outlive executions, with an end of life.
pub trait Kv: Send + Sync + 'static {
    /// The value, unless it has run out at `now`.
    fn get(
        &self,
        space: &str,
        key: &str,
        now: Timestamp,
    ) -> Future<'_, Result<Option<Value>, StoreError>>;
    /// Sets the value; durable when it returns.
    fn set(
        &self,
        space: &str,
        key: &str,
        value: Value,
        expires: Option<Timestamp>,
    ) -> Future<'_, Result<(), StoreError>>;
    /// Removes the value; true if there was one.
    fn remove(&self, space: &str, key: &str) -> Future<'_, Result<bool, StoreError>>;
}

/// A message of the embedded queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Unique within its queue: publishing the same id again changes nothing.
    pub id: String,
    /// Any JSON.
    pub body: Value,
    /// Text headers.
    pub headers: Value,
    /// When it was published.
    pub at: Timestamp,
}

/// The embedded queue: durable, ordered by publication, each message id once.
pub trait Queue: Send + Sync + 'static {
    /// Publishes; durable when it returns. `Ok(false)` when the id was there already.
    fn publish(&self, queue: &str, message: Message) -> Future<'_, Result<bool, StoreError>>;
    /// The oldest messages, at most `limit`, left where they are.
    fn peek(&self, queue: &str, limit: u32) -> Future<'_, Result<Vec<Message>, StoreError>>;
    /// Queue names with their number of messages.
    fn queues(&self) -> Future<'_, Result<Vec<(String, u64)>, StoreError>>;
    /// Removes a message; true if it was there.
    fn acknowledge(&self, queue: &str, id: &str) -> Future<'_, Result<bool, StoreError>>;
}

/// A store is all of these.
pub trait Store: Journal + Kv + Queue {}

impl<T: Journal + Kv + Queue> Store for T {}
