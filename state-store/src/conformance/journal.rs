//! Records: whole, in order, refused alone.

use super::{append, append_all, birth, everything, id, next, summary};
use jalm_kernel::ids::PlanHash;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::{Append, Birth, Record, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::mpsc;
use tokio::sync::oneshot;

async fn record_numbers(store: &dyn Store, n: u64, from: u64) -> Vec<(u64, u32)> {
    let records = store.records(id(n), from).await.expect("records can be read");
    records.iter().map(|record| (record.first, record.count)).collect()
}

pub(super) async fn round_trip(store: &dyn Store) {
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
pub(super) async fn order(store: &dyn Store) {
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

pub(super) async fn refusals(store: &dyn Store) {
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

pub(super) async fn keys(store: &dyn Store) {
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

pub(super) async fn records_from(store: &dyn Store) {
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
