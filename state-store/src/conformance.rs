//! What every store must do, as one suite that runs unchanged on each.
//!
//! A store outside of this crate turns on the feature `testkit` and calls [`check`] in a test.

use jalm_kernel::ids::{ExecutionId, PlanHash, Timestamp};
use jalm_kernel::machine::{Status, Summary};
use jalm_kernel::ports::{Append, Birth, Filter, Message, Record, Store, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::oneshot;

/// Runs every check, each on a store of its own from `fresh`. Needs a Tokio runtime.
///
/// # Panics
/// When a check fails; the message says what the store did.
pub async fn check(fresh: &dyn Fn() -> Arc<dyn Store>) {
    round_trip(&*fresh()).await;
    order(&*fresh()).await;
    refusals(&*fresh()).await;
    keys(&*fresh()).await;
    records_from(&*fresh()).await;
    lists(&*fresh()).await;
    deletes(&*fresh()).await;
    values(&*fresh()).await;
    messages(&*fresh()).await;
    many_threads(fresh()).await;
    closes(&*fresh()).await;
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

async fn record_numbers(store: &dyn Store, n: u64, from: u64) -> Vec<(u64, u32)> {
    let records = store.records(id(n), from).await.expect("records can be read");
    records.iter().map(|record| (record.first, record.count)).collect()
}

async fn round_trip(store: &dyn Store) {
    let (born, then) = (birth(1, "a", Status::Pending), next(1, "a", Status::Running, 1, 3));
    append_all(store, [born.clone(), then.clone()]).await;
    let stored = store.load(id(1)).await.expect("loads").expect("is there");
    assert_eq!(stored.summary, then.summary);
    assert_eq!(&*stored.source, "intent: a\n");
    assert_eq!(stored.plan, PlanHash::of("intent: a\n"));
    let record = |it: Append| Record { first: it.first, count: it.count, record: it.record };
    assert_eq!(stored.records, [record(born), record(then)]);
    assert!(store.load(id(2)).await.expect("loads").is_none(), "an unknown execution appeared");
    // Zero bytes and a MiB come back as they were.
    for (n, record) in [(2, Vec::new()), (3, vec![0xA5; 1 << 20])] {
        append_all(store, [Append { record: record.clone(), ..birth(n, "a", Status::Pending) }])
            .await;
        let stored = store.load(id(n)).await.expect("loads").expect("is there");
        assert_eq!(stored.records[0].record, record);
    }
}

/// All appends are made at once, so that stores which join them do.
async fn order(store: &dyn Store) {
    const RECORDS: u64 = 500;
    let (told, heard) = mpsc::channel();
    for at in 0..RECORDS {
        for n in 1..=3 {
            let status = if at + 1 == RECORDS { Status::Completed } else { Status::Running };
            let append = if at == 0 { birth(n, "a", status) } else { next(n, "a", status, at, 1) };
            let told = told.clone();
            store.append(append, Box::new(move |outcome| drop(told.send((n, at, outcome)))));
        }
    }
    drop(told);
    let heard = tokio::task::spawn_blocking(move || heard.iter().collect::<Vec<_>>());
    let mut durable = BTreeMap::new();
    for (n, at, outcome) in heard.await.expect("every listener is called") {
        outcome.expect("a good record is stored");
        let expected = durable.entry(n).or_insert(0);
        assert_eq!(at, *expected, "execution {n} became durable out of order");
        *expected += 1;
    }
    for n in 1..=3 {
        assert_eq!(durable.get(&n), Some(&RECORDS), "listeners of execution {n}");
        let stored = store.load(id(n)).await.expect("loads").expect("is there");
        assert_eq!(stored.summary, summary(n, "a", Status::Completed));
        let numbers = stored.records.iter().map(|record| (record.first, record.count));
        assert!(numbers.eq((0..RECORDS).map(|at| (at, 1))), "records were lost or mixed up");
    }
    assert_eq!(store.unfinished().await, Ok(Vec::new()));
}

async fn refusals(store: &dyn Store) {
    append_all(store, [birth(1, "a", Status::Running)]).await;
    let bad = [
        ("a second birth", birth(1, "a", Status::Running)),
        ("an unknown execution", next(2, "a", Status::Running, 1, 1)),
        ("a first record without a plan", next(3, "a", Status::Running, 0, 1)),
        ("a gap", next(1, "a", Status::Failed, 2, 1)),
        ("an overlap", next(1, "a", Status::Failed, 0, 1)),
        ("no events", next(1, "a", Status::Failed, 1, 0)),
        ("a birth in the middle", Append { first: 4, ..birth(4, "a", Status::Running) }),
    ];
    for (what, bad) in bad {
        // Between two good ones of others, in one go: they must not notice.
        let (told, heard) = mpsc::channel();
        let n = 100 + store.list(everything()).await.expect("lists").len() as u64;
        for (append, good) in [
            (birth(n, "a", Status::Running), true),
            (bad, false),
            (next(n, "a", Status::Completed, 1, 2), true),
        ] {
            let told = told.clone();
            store.append(append, Box::new(move |outcome| drop(told.send((good, outcome)))));
        }
        drop(told);
        let heard = tokio::task::spawn_blocking(move || heard.iter().collect::<Vec<_>>());
        for (good, outcome) in heard.await.expect("every listener is called") {
            match outcome {
                Ok(()) => assert!(good, "{what} was stored"),
                Err(error) => {
                    assert!(!good, "{what} harmed its neighbour: {error}");
                    assert!(matches!(error, StoreError::Corrupt { .. }), "{what}: {error:?}");
                }
            }
        }
        assert_eq!(record_numbers(store, n, 0).await, [(0, 1), (1, 2)], "beside {what}");
    }
    let stored = store.load(id(1)).await.expect("loads").expect("is there");
    assert_eq!((stored.records.len(), stored.summary.status), (1, Status::Running));
    // After refusals the execution goes on where its journal ends.
    append_all(store, [next(1, "a", Status::Completed, 1, 1)]).await;
}

fn with_key(n: u64, key: &str) -> Append {
    let mut append = birth(n, "a", Status::Completed);
    append.birth = append.birth.map(|birth| Birth { key: Some(key.into()), ..birth });
    append
}

async fn keys(store: &dyn Store) {
    append_all(store, [with_key(1, "k1"), with_key(2, "k2"), birth(3, "a", Status::Pending)]).await;
    assert_eq!(store.find_key("k2").await, Ok(Some(id(2))));
    assert_eq!(store.find_key("k").await, Ok(None));
    assert_eq!(store.find_key("").await, Ok(None));
    let error = append(store, with_key(4, "k1")).await.expect_err("a key is unique");
    assert!(error.to_string().contains(&id(1).to_string()), "{error} does not name the owner");
    assert!(store.load(id(4)).await.expect("loads").is_none(), "the second owner was stored");
    assert_eq!(store.delete(id(1)).await, Ok(true));
    append(store, with_key(4, "k1")).await.expect("a key is free when its owner is gone");
    assert_eq!(store.find_key("k1").await, Ok(Some(id(4))));
}

async fn records_from(store: &dyn Store) {
    let (durable, all) = oneshot::channel();
    store.append(birth(1, "a", Status::Running), Box::new(|_| {}));
    store.append(next(1, "a", Status::Running, 1, 4), Box::new(|_| {}));
    store.append(next(1, "a", Status::Running, 5, 1), Box::new(|_| {}));
    store.append(
        next(1, "a", Status::Running, 6, 2),
        Box::new(move |outcome| drop(durable.send(outcome))),
    );
    all.await.expect("calls back").expect("is stored");
    append_all(store, [next(1, "a", Status::Running, 8, 1)]).await;
    let all = [(0, 1), (1, 4), (5, 1), (6, 2), (8, 1)];
    // A record that straddles the border comes whole.
    for (from, skipped) in [(0, 0), (1, 1), (2, 1), (4, 1), (5, 2), (6, 3), (7, 3), (8, 4), (9, 5)]
    {
        assert_eq!(record_numbers(store, 1, from).await, all[skipped..], "from {from}");
    }
    assert_eq!(record_numbers(store, 1, u64::MAX).await, []);
    assert_eq!(record_numbers(store, 2, 0).await, []);
}

fn everything() -> Filter {
    Filter { limit: 1000, ..Filter::default() }
}

async fn lists(store: &dyn Store) {
    let intents = ["a", "b", "with 'quotes'"];
    let mut all = Vec::new();
    for n in (1..=60).rev() {
        let status = Status::ALL[usize::try_from(n % 5).expect("small")];
        let intent = intents[usize::try_from(n % 3).expect("small")];
        append_all(store, [birth(n, intent, Status::Pending)]).await;
        if status != Status::Pending {
            append_all(store, [next(n, intent, status, 1, 1)]).await;
        }
        all.push(summary(n, intent, status));
    }
    let unfinished = store.unfinished().await.expect("lists");
    let open = all.iter().rev().filter(|it| !it.status.is_end()).map(|it| it.execution_id);
    assert_eq!(unfinished, open.collect::<Vec<_>>(), "unfinished, oldest first");

    let states = [None].into_iter().chain(Status::ALL.map(Some));
    for status in states {
        for intent in [None, Some("a"), Some("with 'quotes'"), Some("nothing")] {
            for since in
                [None, Some(Timestamp(0)), Some(Timestamp(30_000)), Some(Timestamp(60_001))]
            {
                for before in [None, Some(id(40)), Some(id(1))] {
                    let intent = intent.map(ToOwned::to_owned);
                    let filter = Filter { status, intent, since, before, limit: 7 };
                    let fits = |it: &&Summary| {
                        filter.status.is_none_or(|status| status == it.status)
                            && filter.intent.as_deref().is_none_or(|name| name == &*it.intent)
                            && filter.since.is_none_or(|since| it.created_at >= since)
                            && filter.before.is_none_or(|before| it.execution_id < before)
                    };
                    let expected: Vec<_> = all.iter().filter(fits).take(7).cloned().collect();
                    let listed = store.list(filter.clone()).await.expect("lists");
                    assert_eq!(listed, expected, "{filter:?}");
                }
            }
        }
    }
    // Page by page, each execution once.
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let page = store.list(Filter { before, limit: 13, ..Filter::default() }).await;
        let page = page.expect("lists");
        let Some(last) = page.last() else { break };
        before = Some(last.execution_id);
        paged.extend(page);
    }
    assert_eq!(paged, all, "page by page");
    assert_eq!(store.list(Filter::default()).await.expect("lists").len(), 1, "limit 0 is 1");
}

async fn deletes(store: &dyn Store) {
    for (n, status) in (1..).zip(Status::ALL) {
        append_all(store, [birth(n, "a", status)]).await;
        assert_eq!(store.delete(id(n)).await, Ok(status.is_end()), "{status:?}");
        assert_eq!(store.load(id(n)).await.expect("loads").is_none(), status.is_end());
        assert_eq!(store.delete(id(n)).await, Ok(false), "{status:?}, the second time");
    }
    assert_eq!(store.list(everything()).await.expect("lists").len(), 2);
    let late = append(store, next(3, "a", Status::Completed, 1, 1)).await;
    assert!(late.is_err(), "a record of a deleted execution was stored");
    // A plan outlives one of its executions, and comes again after the last.
    append_all(store, [birth(11, "p", Status::Failed), birth(12, "p", Status::Failed)]).await;
    for n in [11, 12] {
        assert_eq!(store.delete(id(n)).await, Ok(true));
        append_all(store, [birth(n + 10, "p", Status::Failed)]).await;
        let stored = store.load(id(n + 10)).await.expect("loads").expect("is there");
        assert_eq!(&*stored.source, "intent: p\n");
    }
    assert_eq!(store.delete(id(21)).await, Ok(true));
    assert_eq!(store.delete(id(22)).await, Ok(true));
    append_all(store, [birth(11, "p", Status::Failed)]).await;
    assert!(store.load(id(11)).await.expect("loads").is_some(), "born again after its deletion");
}

async fn values(store: &dyn Store) {
    let at = Timestamp;
    let value = json!({"z": 1, "a": [0.1, -3, "ü\0", null, 1.797_693_134_862_315_7e308]});
    assert_eq!(store.get("s", "k", at(0)).await, Ok(None));
    assert_eq!(store.remove("s", "k").await, Ok(false));
    store.set("s", "k", value.clone(), None).await.expect("sets");
    assert_eq!(store.get("s", "k", at(i64::MAX)).await, Ok(Some(value.clone())));
    let text = store.get("s", "k", at(0)).await.expect("gets").map(|it| it.to_string());
    assert_eq!(text, Some(value.to_string()), "the order of keys changed");
    for (space, key) in [("t", "k"), ("s", "K"), ("", "k"), ("s", "")] {
        assert_eq!(store.get(space, key, at(0)).await, Ok(None), "`{space}` `{key}`");
    }
    store.set("s", "k", Value::Null, Some(at(100))).await.expect("replaces");
    assert_eq!(store.get("s", "k", at(99)).await, Ok(Some(Value::Null)));
    assert_eq!(store.get("s", "k", at(100)).await, Ok(None), "visible although it ran out");
    assert_eq!(store.remove("s", "k").await, Ok(false), "what has run out is not there");
    store.set("s", "k", json!(1), Some(at(300))).await.expect("sets");
    assert_eq!(store.remove("s", "k").await, Ok(true));
    assert_eq!(store.get("s", "k", at(100)).await, Ok(None));
    // Many come and run out; those that have not stay.
    for n in 0..400_u32 {
        let expires = (n % 2 == 0).then_some(at(200));
        store.set("many", &n.to_string(), json!(n), expires).await.expect("sets");
        if n == 200 {
            assert_eq!(store.get("many", "0", at(200)).await, Ok(None));
        }
    }
    for n in 0..400_u32 {
        let expected = (n % 2 == 1).then(|| json!(n));
        assert_eq!(store.get("many", &n.to_string(), at(250)).await, Ok(expected), "{n}");
    }
}

fn message(id: &str, body: i64) -> Message {
    Message { id: id.into(), body: json!({"n": body}), headers: json!({}), at: Timestamp(body) }
}

async fn messages(store: &dyn Store) {
    assert_eq!(store.queues().await, Ok(Vec::new()));
    assert_eq!(store.publish("q", message("2", 1)).await, Ok(true));
    assert_eq!(store.publish("q", message("1", 2)).await, Ok(true));
    assert_eq!(store.publish("q", message("2", 3)).await, Ok(false), "an id came twice");
    assert_eq!(store.publish("p", message("2", 4)).await, Ok(true));
    assert_eq!(store.peek("q", 10).await, Ok(vec![message("2", 1), message("1", 2)]));
    assert_eq!(store.peek("q", 1).await, Ok(vec![message("2", 1)]));
    assert_eq!(store.peek("q", 0).await, Ok(Vec::new()));
    assert_eq!(store.peek("nothing", 10).await, Ok(Vec::new()));
    assert_eq!(store.queues().await, Ok(vec![("p".to_owned(), 1), ("q".to_owned(), 2)]));
    assert_eq!(store.acknowledge("q", "2").await, Ok(true));
    assert_eq!(store.acknowledge("q", "2").await, Ok(false));
    assert_eq!(store.publish("q", message("3", 5)).await, Ok(true));
    assert_eq!(store.peek("q", 10).await, Ok(vec![message("1", 2), message("3", 5)]));
    assert_eq!(store.acknowledge("p", "2").await, Ok(true));
    assert_eq!(store.queues().await, Ok(vec![("q".to_owned(), 2)]));
}

/// Many threads drive an execution each; what is acknowledged can be read at once.
async fn many_threads(store: Arc<dyn Store>) {
    const THREADS: u64 = 8;
    let acknowledged: Arc<Mutex<Vec<u64>>> =
        Arc::new(Mutex::new(vec![0; usize::try_from(THREADS).expect("small")]));
    let runtime = tokio::runtime::Handle::current();
    let threads: Vec<_> = (0..THREADS)
        .map(|n| {
            let (store, acknowledged, runtime) =
                (store.clone(), acknowledged.clone(), runtime.clone());
            std::thread::spawn(move || {
                for at in 0..200 {
                    let status = if at == 199 { Status::Completed } else { Status::Running };
                    let append = match at {
                        0 => birth(n, "a", status),
                        at => next(n, "a", status, at, 1),
                    };
                    let (answer, durable) = mpsc::channel();
                    let acknowledged = acknowledged.clone();
                    store.append(
                        append,
                        Box::new(move |outcome| {
                            let mut all =
                                acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                            all[usize::try_from(n).expect("small")] += 1;
                            drop(answer.send(outcome));
                        }),
                    );
                    if at % 20 == 0 {
                        durable.recv().expect("calls back").expect("is stored");
                        let records = runtime.block_on(store.records(id(n), at));
                        assert_eq!(records.expect("reads").len(), 1, "acknowledged, not seen");
                    }
                }
            })
        })
        .collect();
    let ended = tokio::task::spawn_blocking(|| threads.into_iter().all(|it| it.join().is_ok()));
    assert!(ended.await.expect("joins"), "a thread failed");
    store.close().await;
    let acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(acknowledged.iter().all(|count| *count == 200), "{acknowledged:?}");
}

async fn closes(store: &dyn Store) {
    let stored = Arc::new(AtomicU64::new(0));
    for n in 1..=100 {
        let stored = stored.clone();
        let listener = move |outcome: Result<(), StoreError>| {
            stored.fetch_add(u64::from(outcome.is_ok()), Ordering::SeqCst);
        };
        store.append(birth(n, "a", Status::Pending), Box::new(listener));
    }
    store.close().await;
    assert_eq!(stored.load(Ordering::SeqCst), 100, "what was queued is written before the end");
    store.close().await;
    let closed = StoreError::Closed;
    assert_eq!(append(store, birth(101, "a", Status::Pending)).await, Err(closed.clone()));
    assert_eq!(store.load(id(1)).await.map(|_| ()), Err(closed.clone()));
    assert_eq!(store.records(id(1), 0).await, Err(closed.clone()));
    assert_eq!(store.unfinished().await, Err(closed.clone()));
    assert_eq!(store.find_key("k").await, Err(closed.clone()));
    assert_eq!(store.list(everything()).await, Err(closed.clone()));
    assert_eq!(store.delete(id(1)).await, Err(closed.clone()));
    assert_eq!(store.get("s", "k", Timestamp(0)).await, Err(closed.clone()));
    assert_eq!(store.set("s", "k", Value::Null, None).await, Err(closed.clone()));
    assert_eq!(store.remove("s", "k").await, Err(closed.clone()));
    assert_eq!(store.publish("q", message("1", 1)).await, Err(closed.clone()));
    assert_eq!(store.peek("q", 1).await, Err(closed.clone()));
    assert_eq!(store.queues().await, Err(closed.clone()));
    assert_eq!(store.acknowledge("q", "1").await, Err(closed));
}
