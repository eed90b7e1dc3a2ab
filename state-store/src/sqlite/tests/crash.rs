//! Copies of the files in mid-flight stand for what a crash leaves.

use super::{folder, open};
use crate::conformance::{birth, id, next, summary};
use jalm_kernel::machine::Status;
use jalm_kernel::ports::Journal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn copy(from: &Path, to: &Path) {
    for file in ["s.db", "s.db-wal"] {
        // First the database, then the log, as a reader after a crash finds them; `-shm` is
        // rebuilt. No checkpoint moves pages in between, the test writes too little for one.
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_survives_a_crash_at_any_moment() {
    let (home, path) = folder();
    let store = Arc::new(open(&path));
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged: Arc<Vec<AtomicU64>> = Arc::new((0..4).map(|_| AtomicU64::new(0)).collect());
    let threads: Vec<_> = (0..4_u64)
        .map(|n| {
            let (store, stop, acknowledged) = (store.clone(), stop.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                for at in 0..150 {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let append = match at {
                        0 => birth(n, "a", Status::Running),
                        at => next(n, "a", Status::Running, at, 1),
                    };
                    let (answer, durable) = std::sync::mpsc::channel();
                    let all = acknowledged.clone();
                    let n = usize::try_from(n).unwrap();
                    store.append(
                        append,
                        Box::new(move |outcome| {
                            outcome.unwrap();
                            all[n].store(at + 1, Ordering::SeqCst);
                            answer.send(()).ok();
                        }),
                    );
                    // Some wait, some run ahead.
                    if at % 7 != n as u64 {
                        durable.recv().unwrap();
                    }
                }
            })
        })
        .collect();

    for _ in 0..10 {
        let seen: Vec<u64> = acknowledged.iter().map(|at| at.load(Ordering::SeqCst)).collect();
        let wreck = tempfile::tempdir().unwrap();
        copy(home.path(), wreck.path());
        let store = open(&wreck.path().join("s.db"));
        for (n, seen) in (0..).zip(seen) {
            let Some(stored) = store.load(id(n)).await.unwrap() else {
                assert_eq!(seen, 0, "execution {n} was acknowledged and lost");
                continue;
            };
            let events: u64 = stored.records.iter().map(|it| u64::from(it.count)).sum();
            assert!(events >= seen, "execution {n}: {seen} acknowledged, {events} found");
            assert_eq!(stored.summary, summary(n, "a", Status::Running));
        }
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_torn_log_ends_at_its_last_whole_commit() {
    let (home, path) = folder();
    let store = open(&path);
    for n in 0..20 {
        crate::conformance::append(&store, birth(n, "a", Status::Pending)).await.unwrap();
    }
    let wreck = tempfile::tempdir().unwrap();
    copy(home.path(), wreck.path());
    let log = std::fs::OpenOptions::new().write(true).open(wreck.path().join("s.db-wal")).unwrap();
    let length = log.metadata().unwrap().len();
    log.set_len(length - 100).unwrap();
    let store = open(&wreck.path().join("s.db"));
    assert!(store.load(id(18)).await.unwrap().is_some());
    assert!(store.load(id(19)).await.unwrap().is_none());
}
