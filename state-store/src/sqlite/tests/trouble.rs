//! A disk that refuses, a command that spoils, a file that was damaged.

use super::{folder, open};
use crate::conformance::{append, birth, id, next};
use crate::sqlite::Sqlite;
use jalm_kernel::ids::Timestamp;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::{Append, Filter, Health, Journal, Kv, StoreError};
use rusqlite::Connection;
use serde_json::Value;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

type Durable = oneshot::Receiver<Result<(), StoreError>>;

fn start(store: &Sqlite, append: Append) -> Durable {
    let (answer, durable) = oneshot::channel();
    store.append(append, Box::new(move |outcome| drop(answer.send(outcome))));
    durable
}

fn big(n: u64) -> Append {
    Append { record: vec![7; 64 << 10], ..birth(n, "a", Status::Running) }
}

/// Waits for the fact, by asking again and again.
async fn until(mut fact: impl FnMut() -> bool) {
    while !fact() {
        tokio::task::yield_now().await;
    }
}

async fn fill(store: &Sqlite) -> Vec<Durable> {
    append(store, birth(1, "a", Status::Running)).await.unwrap();
    store.shared.max_pages.store(1, Ordering::Relaxed); // no page more than there are
    let waiting: Vec<_> = (2..20).map(|n| start(store, big(n))).collect();
    until(|| store.health() != Health::Good).await;
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_delays_and_loses_nothing() {
    let (_folder, path) = folder();
    let store = open(&path);
    let mut waiting = fill(&store).await;
    let Health::Degraded(text) = store.health() else { panic!("the health is good") };
    for part in ["s.db", "the disk is full", "free some space"] {
        assert!(text.contains(part), "{text}");
    }
    // Reads go on, and see nothing of what waits.
    assert!(store.load(id(1)).await.unwrap().is_some());
    assert!(store.load(id(2)).await.unwrap().is_none());
    waiting.push(start(&store, next(1, "a", Status::Completed, 1, 1)));
    assert!(waiting.iter_mut().all(|durable| durable.try_recv().is_err()), "told too early");

    store.shared.max_pages.store(0, Ordering::Relaxed);
    for durable in waiting {
        durable.await.unwrap().unwrap();
    }
    assert_eq!(store.health(), Health::Good);
    drop(store);
    let store = open(&path);
    for n in 1..20 {
        assert!(store.load(id(n)).await.unwrap().is_some(), "execution {n} was lost");
    }
}

/// What the writer believed while it wrote in vain must not outlive the rollback.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_failed_leaves_no_trace_in_memory() {
    let (_folder, path) = folder();
    let store = open(&path);
    append(&store, birth(1, "a", Status::Running)).await.unwrap();
    // A foreign lock holds the first; behind it the others gather to one commit.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = vec![start(&store, birth(2, "a", Status::Running))];
    until(|| store.health() != Health::Good).await;
    waiting.push(start(&store, next(1, "a", Status::Running, 1, 1)));
    let grown = Append { record: vec![7; 64 << 10], ..birth(3, "a new plan", Status::Running) };
    waiting.push(start(&store, grown));
    waiting.push(start(&store, next(1, "a", Status::Running, 2, 1)));
    store.shared.max_pages.store(1, Ordering::Relaxed);
    other.execute_batch("COMMIT").unwrap();
    let full = |health| matches!(health, Health::Degraded(text) if text.contains("is full"));
    until(|| full(store.health())).await;
    store.shared.max_pages.store(0, Ordering::Relaxed);
    for durable in waiting {
        durable.await.unwrap().unwrap();
    }
    let stored = store.load(id(3)).await.unwrap().unwrap();
    assert_eq!(&*stored.source, "intent: a new plan\n");
    let events: u32 = store.records(id(1), 0).await.unwrap().iter().map(|it| it.count).sum();
    assert_eq!(events, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_write_can_still_be_closed() {
    let (_folder, path) = folder();
    let store = open(&path);
    let waiting = fill(&store).await;
    store.close().await;
    for durable in waiting {
        assert_eq!(durable.await.unwrap(), Err(StoreError::Closed));
    }
    let store = open(&path);
    assert!(store.load(id(1)).await.unwrap().is_some());
    assert!(store.load(id(2)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_delays_and_is_explained() {
    let (_folder, path) = folder();
    let store = open(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let durable = start(&store, birth(1, "a", Status::Running));
    until(|| store.health() != Health::Good).await;
    let Health::Degraded(text) = store.health() else { panic!("the health is good") };
    assert!(text.contains("another program holds it locked"), "{text}");
    other.execute_batch("COMMIT").unwrap();
    durable.await.unwrap().unwrap();
    assert_eq!(store.health(), Health::Good);
}

/// Not a disk, and no command's fault either: it waits until someone mends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_moved_away_delays_only() {
    let (_folder, path) = folder();
    let store = open(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE journal RENAME TO away").unwrap();
    let durable = start(&store, birth(1, "a", Status::Running));
    until(|| store.health() != Health::Good).await;
    other.execute_batch("ALTER TABLE away RENAME TO journal").unwrap();
    durable.await.unwrap().unwrap();
    assert_eq!(store.health(), Health::Good);
}

#[tokio::test]
async fn a_change_that_the_database_refuses_fails_alone() {
    let (_folder, path) = folder();
    let store = open(&path);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TRIGGER t BEFORE INSERT ON executions WHEN NEW.intent = 'poison'
             BEGIN SELECT RAISE(ABORT, 'no poison here'); END",
        )
        .unwrap();
    let intents = ["a", "poison", "b", "poison", "c"];
    let waiting: Vec<_> = (1..)
        .zip(intents)
        .map(|(n, intent)| start(&store, birth(n, intent, Status::Running)))
        .collect();
    for (intent, durable) in intents.into_iter().zip(waiting) {
        match durable.await.unwrap() {
            Ok(()) => assert_ne!(intent, "poison"),
            Err(error) => {
                assert_eq!(intent, "poison");
                assert!(error.to_string().contains("no poison here"), "{error}");
            }
        }
    }
    assert_eq!(store.health(), Health::Good);
    let all = store.list(Filter { limit: 10, ..Filter::default() }).await.unwrap();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn what_was_changed_behind_our_back_is_reported() {
    let (_folder, path) = folder();
    let store = open(&path);
    let damages = [
        ("UPDATE executions SET status = 9", "unknown state 9"),
        ("UPDATE journal SET first = 5 WHERE first = 1", "breaks off at event 1"),
        ("DELETE FROM journal", "journal of execution"),
        ("DELETE FROM journal WHERE first = 0", "breaks off at event 0"),
        ("UPDATE journal SET parts = x'01'", "not put together as it says"),
        ("DELETE FROM sources", "plan of execution"),
        ("UPDATE executions SET intent = x'00'", "s.db"),
    ];
    let file = Connection::open(&path).unwrap();
    file.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    for (n, (damage, message)) in (1..).zip(damages) {
        append(&store, birth(n, "a", Status::Running)).await.unwrap();
        append(&store, next(n, "a", Status::Running, 1, 1)).await.unwrap();
        if file.execute_batch(damage).is_err() {
            // STRICT tables refuse wrong types themselves.
            assert_eq!(damage, damages[6].0);
            continue;
        }
        match store.load(id(n)).await {
            Err(StoreError::Corrupt { message: text }) => {
                assert!(text.contains(message) && text.contains("backup"), "{damage}: {text}");
            }
            other => panic!("{damage}: {other:?}"),
        }
        file.execute_batch(
            "DELETE FROM executions; DELETE FROM journal;
             INSERT OR IGNORE INTO sources SELECT id, 'intent: a' FROM plans",
        )
        .unwrap();
    }
    file.execute_batch("INSERT INTO kv VALUES ('s', 'k', 'not json', NULL)").unwrap();
    let error = store.get("s", "k", Timestamp(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_may_panic_or_hold_the_last_handle() {
    let (_folder, path) = folder();
    let store = std::sync::Arc::new(open(&path));
    store.append(birth(1, "a", Status::Running), Box::new(|_| panic!("a bad listener")));
    append(&*store, birth(2, "a", Status::Running)).await.unwrap();
    let (held, (ended, end)) = (store.clone(), std::sync::mpsc::channel());
    let mut watch = store.shared.ended.subscribe();
    let listener = move |_| {
        // Waits for the test's handle to go, so that this one is the last.
        end.recv().ok();
        drop(held);
    };
    store.append(birth(3, "a", Status::Running), Box::new(listener));
    drop(store);
    ended.send(()).unwrap();
    watch.wait_for(|ended| *ended).await.ok();
    assert!(open(&path).load(id(3)).await.unwrap().is_some());
}

#[tokio::test]
async fn values_that_have_run_out_leave_the_file() {
    let (_folder, path) = folder();
    let store = open(&path);
    let (soon, later) = (Some(Timestamp(100)), Some(Timestamp(200)));
    for n in 0..60 {
        store.set("s", &n.to_string(), Value::Null, soon).await.unwrap();
    }
    store.get("s", "0", Timestamp(150)).await.unwrap();
    for n in 60..70 {
        store.set("s", &n.to_string(), Value::Null, later).await.unwrap();
    }
    drop(store);
    let left: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM kv", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_into_a_file_that_was_deleted() {
    let (folder, path) = folder();
    let store = open(&path);
    append(&store, birth(1, "a", Status::Running)).await.unwrap();
    let aside = folder.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    let mut waiting = start(&store, birth(2, "a", Status::Running));
    until(|| store.health() != Health::Good).await;
    let Health::Degraded(text) = store.health() else { panic!("the health is good") };
    assert!(text.contains("moved, replaced or deleted"), "{text}");
    assert!(waiting.try_recv().is_err(), "told although it is lost");
    // Another file in its place is no better.
    std::fs::write(&path, "").unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(store.health(), Health::Good);
}
