//! What every store must do, as one suite that runs unchanged on each.
//!
//! A store outside of this crate turns on the feature `testkit` and calls [`check`] in a test.

mod index;
mod journal;
mod life;
mod values;

use jalm_kernel::ids::{ExecutionId, PlanHash, Timestamp};
use jalm_kernel::machine::{Status, Summary};
use jalm_kernel::ports::{Append, Birth, Filter, Store, StoreError};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Runs every check, each on a store of its own from `fresh`. Needs a Tokio runtime.
///
/// # Panics
/// When a check fails; the message says what the store did.
pub async fn check(fresh: &dyn Fn() -> Arc<dyn Store>) {
    journal::round_trip(&*fresh()).await;
    journal::order(&*fresh()).await;
    journal::refusals(&*fresh()).await;
    journal::keys(&*fresh()).await;
    journal::records_from(&*fresh()).await;
    index::lists(&*fresh()).await;
    index::deletes(&*fresh()).await;
    values::values(&*fresh()).await;
    values::messages(&*fresh()).await;
    life::many_threads(fresh()).await;
    life::closes(&*fresh()).await;
}

/// An execution id whose own time is `millis`; `n` tells those of one moment apart.
pub fn id_at(millis: u64, n: u64) -> ExecutionId {
    let time = u128::from(millis) << 80;
    ExecutionId(uuid::Uuid::from_u128(time | 0x7000_8000_0000_0000_0000 | u128::from(n)))
}

/// Number `n` of the executions in these tests: made at second `n`.
pub fn id(n: u64) -> ExecutionId {
    id_at(n * 1000, n)
}

/// The row of execution `n` as lists show it.
pub fn summary(n: u64, intent: &str, status: Status) -> Summary {
    let created = i64::try_from(n * 1000).unwrap_or(i64::MAX);
    Summary {
        execution_id: id(n),
        intent: intent.into(),
        status,
        created_at: Timestamp(created),
        started_at: (status != Status::Pending).then_some(Timestamp(created + 1)),
        completed_at: status.is_end().then_some(Timestamp(created + 2)),
    }
}

/// The first record of an execution: one event.
pub fn birth(n: u64, intent: &str, status: Status) -> Append {
    let source: Arc<str> = format!("intent: {intent}\n").into();
    Append {
        summary: summary(n, intent, status),
        first: 0,
        count: 1,
        record: format!("born {n}\n").into_bytes(),
        birth: Some(Birth { plan: PlanHash::of(&source), source, key: None }),
    }
}

/// A record that follows: `count` events from number `first` on.
pub fn next(n: u64, intent: &str, status: Status, first: u64, count: u32) -> Append {
    let record = format!("{n}: {first}+{count}\n").into_bytes();
    Append { summary: summary(n, intent, status), first, count, record, birth: None }
}

/// Appends and waits until it is durable.
///
/// # Panics
/// When the store drops the listener without calling it.
pub async fn append(store: &dyn Store, append: Append) -> Result<(), StoreError> {
    let (answer, durable) = oneshot::channel();
    store.append(append, Box::new(move |outcome| drop(answer.send(outcome))));
    durable.await.expect("the store forgot to call back")
}

async fn append_all(store: &dyn Store, appends: impl IntoIterator<Item = Append>) {
    for it in appends {
        append(store, it).await.expect("a good record is stored");
    }
}

fn everything() -> Filter {
    Filter { limit: 1000, ..Filter::default() }
}
