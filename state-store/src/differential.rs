//! Random histories on `memory:` and `sqlite:`: the same questions get the same answers.

use crate::conformance::{append, birth, id, next};
use jalm_kernel::ids::Timestamp;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::{Append, Birth, Filter, Message, Store, StoreError, Stored};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;
use tokio::sync::oneshot;

/// One step of a history. Small numbers, so that steps meet each other.
#[derive(Clone, Debug)]
enum Step {
    /// Appends made in one go: (execution, kind, state, events, key).
    Appends(Vec<(u64, Kind, usize, u32, Option<u8>)>),
    Delete(u64),
    Set(u8, Option<i64>),
    /// Time goes on by so much; then the value is asked for.
    Get(u8, i64),
    Remove(u8),
    Publish(u8, u8),
    Acknowledge(u8, u8),
    List(Option<usize>, Option<u8>, Option<i64>, Option<u64>, u32),
    Records(u64, u64),
    FindKey(u8),
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Birth,
    /// Continues what the history has appended so far.
    Next,
    /// Starts at this event, right or wrong.
    At(u64),
}

const EXECUTIONS: u64 = 6;

fn step() -> impl Strategy<Value = Step> {
    let n = || 1..=EXECUTIONS;
    let kind = prop_oneof![
        3 => Just(Kind::Birth),
        8 => Just(Kind::Next),
        1 => (0..4_u64).prop_map(Kind::At)
    ];
    let one = (n(), kind, 0..5_usize, 0..4_u32, proptest::option::weighted(0.3, 0..3_u8));
    prop_oneof![
        8 => prop::collection::vec(one, 1..12).prop_map(Step::Appends),
        2 => n().prop_map(Step::Delete),
        3 => (0..4_u8, proptest::option::of(0..40_i64)).prop_map(|(k, e)| Step::Set(k, e)),
        2 => (0..4_u8, 0..4_i64).prop_map(|(k, by)| Step::Get(k, by)),
        1 => (0..4_u8).prop_map(Step::Remove),
        2 => (0..2_u8, 0..4_u8).prop_map(|(q, id)| Step::Publish(q, id)),
        2 => (0..2_u8, 0..4_u8).prop_map(|(q, id)| Step::Acknowledge(q, id)),
        3 => (
            proptest::option::of(0..5_usize),
            proptest::option::of(0..2_u8),
            proptest::option::of(0..8000_i64),
            proptest::option::of(n()),
            0..5_u32
        )
            .prop_map(|(s, i, since, before, limit)| Step::List(s, i, since, before, limit)),
        2 => (n(), 0..20_u64).prop_map(|(n, from)| Step::Records(n, from)),
        1 => (0..3_u8).prop_map(Step::FindKey),
        1 => Just(Step::Reopen),
    ]
}

fn intent(n: u64) -> &'static str {
    if n.is_multiple_of(2) { "a" } else { "b" }
}

/// The append that a step means, given how many events each execution should have by now.
fn make(
    (n, kind, state, events, key): (u64, Kind, usize, u32, Option<u8>),
    ends: &mut [u64],
) -> Append {
    let (status, end) = (Status::ALL[state], &mut ends[usize::try_from(n).unwrap()]);
    match kind {
        Kind::Birth => {
            *end = 1;
            let mut append = birth(n, intent(n), status);
            let key = key.map(|key| format!("key {key}").into());
            append.birth = append.birth.map(|birth| Birth { key, ..birth });
            append
        }
        Kind::Next => {
            let first = *end;
            *end += u64::from(events);
            next(n, intent(n), status, first, events)
        }
        Kind::At(first) => next(n, intent(n), status, first, events),
    }
}

async fn append_together(store: &dyn Store, appends: &[Append]) -> Vec<Result<(), StoreError>> {
    let mut waiting = Vec::new();
    for (last, append) in appends.iter().enumerate() {
        let (answer, durable) = oneshot::channel();
        waiting.push((last, durable));
        store.append(append.clone(), Box::new(move |outcome| drop(answer.send(outcome))));
    }
    let mut outcomes = Vec::new();
    for (_, durable) in waiting {
        outcomes.push(durable.await.unwrap());
    }
    outcomes
}

fn shown(stored: Result<Option<Stored>, StoreError>) -> String {
    format!("{stored:?}")
}

/// What a step does to one store, as text that can be compared.
async fn perform(store: &dyn Store, step: &Step, appends: &[Append], now: i64) -> String {
    let key = |k: &u8| format!("k{k}");
    match step {
        Step::Appends(_) => format!("{:?}", append_together(store, appends).await),
        Step::Delete(n) => format!("{:?}", store.delete(id(*n)).await),
        Step::Set(k, expires) => {
            let (value, expires) = (json!({"at": now, "f": 0.1}), expires.map(Timestamp));
            format!("{:?}", store.set("space", &key(k), value, expires).await)
        }
        Step::Get(k, _) => format!("{:?}", store.get("space", &key(k), Timestamp(now)).await),
        Step::Remove(k) => format!("{:?}", store.remove("space", &key(k)).await),
        Step::Publish(queue, id) => {
            let (id, at) = (format!("m{id}"), Timestamp(now));
            let message = Message { id, body: json!([now]), headers: json!({"h": "1"}), at };
            let fresh = store.publish(&key(queue), message).await;
            format!("{fresh:?} {:?}", store.queues().await)
        }
        Step::Acknowledge(queue, id) => {
            let gone = store.acknowledge(&key(queue), &format!("m{id}")).await;
            format!("{gone:?} {:?}", store.peek(&key(queue), 3).await)
        }
        Step::List(status, name, since, before, limit) => {
            let filter = Filter {
                status: status.map(|status| Status::ALL[status]),
                intent: name.map(|name| intent(u64::from(name)).to_owned()),
                since: since.map(Timestamp),
                before: before.map(id),
                limit: *limit,
            };
            format!("{:?}", store.list(filter).await)
        }
        Step::Records(n, from) => format!("{:?}", store.records(id(*n), *from).await),
        Step::FindKey(k) => format!("{:?}", store.find_key(&format!("key {k}")).await),
        Step::Reopen => format!("{:?}", store.unfinished().await),
    }
}

async fn same(history: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/s.db", folder.path().display());
    let (memory, mut sqlite) = (crate::memory(), crate::open(&url).unwrap());
    let (mut ends, mut now) = (vec![0; 8], 0);
    for step in &history {
        let mut appends = Vec::new();
        if let Step::Appends(all) = step {
            appends.extend(all.iter().map(|one| make(*one, &mut ends)));
        } else if let Step::Get(_, by) = step {
            now += by;
        } else if let Step::Reopen = step {
            drop(sqlite);
            sqlite = crate::open(&url).unwrap();
            // The clock of `remove` is that of the last `get`.
            sqlite.get("space", "k0", Timestamp(now)).await.unwrap();
            memory.get("space", "k0", Timestamp(now)).await.unwrap();
        }
        let expected = perform(&*memory, step, &appends, now).await;
        prop_assert_eq!(perform(&*sqlite, step, &appends, now).await, expected, "{:?}", step);
    }
    for n in 1..=EXECUTIONS {
        prop_assert_eq!(shown(sqlite.load(id(n)).await), shown(memory.load(id(n)).await));
    }
    // Still alive: one more goes in.
    prop_assert_eq!(append(&*sqlite, birth(90, "a", Status::Pending)).await, Ok(()));
    Ok(())
}

#[test]
fn memory_and_sqlite_answer_alike() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let config = ProptestConfig {
        cases: 150,
        rng_seed: RngSeed::Fixed(20_261_124),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(history in prop::collection::vec(step(), 1..60))| {
        runtime.block_on(same(history))?;
    });
}
