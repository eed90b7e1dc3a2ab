//! Many at once, and the end.

use super::values::message;
use super::{append, birth, everything, id, next};
use jalm_kernel::ids::Timestamp;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::{Store, StoreError};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Many threads drive an execution each; what is acknowledged can be read at once.
pub(super) async fn many_threads(store: Arc<dyn Store>) {
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

pub(super) async fn closes(store: &dyn Store) {
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
