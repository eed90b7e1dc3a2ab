//! Everything that is due later, in one table and one task.

use crate::engine::{Engine, Inner, now};
use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::machine::{Input, Timer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Where an entry stands; unique.
pub(crate) type TimerKey = (Timestamp, u64);

/// The clock may be set while the task sleeps, so it looks at it at least this often.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(crate) struct Timers {
    entries: Mutex<Entries>,
    earlier: Notify,
}

#[derive(Default)]
struct Entries {
    by_time: BTreeMap<TimerKey, (ExecutionId, Timer)>,
    serial: u64,
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_time.len()
    }

    pub(crate) fn add(&self, at: Timestamp, id: ExecutionId, timer: Timer) -> TimerKey {
        let mut entries = self.lock();
        entries.serial += 1;
        let key = (at, entries.serial);
        let first = entries.by_time.first_key_value().is_none_or(|(first, _)| key < *first);
        entries.by_time.insert(key, (id, timer));
        drop(entries);
        if first {
            self.earlier.notify_one();
        }
        key
    }

    pub(crate) fn remove(&self, key: TimerKey) {
        self.lock().by_time.remove(&key);
    }

    /// Takes out what is due, at most `limit`, and says when the next one is.
    fn due(&self, now: Timestamp, limit: usize) -> (Vec<(ExecutionId, Timer)>, Option<Timestamp>) {
        let mut entries = self.lock();
        let mut due = Vec::new();
        while due.len() < limit {
            let Some(entry) = entries.by_time.first_entry().filter(|entry| entry.key().0 <= now)
            else {
                break;
            };
            due.push(entry.remove());
        }
        (due, entries.by_time.first_key_value().map(|(key, _)| key.0))
    }
}

/// Brings what is due to its execution, as long as the engine lives.
pub(crate) async fn run(engine: Weak<Inner>, timers: Arc<Timers>) {
    loop {
        let time = now();
        let (due, next) = timers.due(time, 1024);
        let Some(engine) = engine.upgrade().map(Engine) else { return };
        let more = !due.is_empty();
        for (id, timer) in due {
            if let Some(live) = engine.0.table.get(id) {
                live.lock().timers.remove(&timer);
                engine.drive(&live, Input::Due(timer));
            }
        }
        // The engine may be dropped while this task sleeps.
        drop(engine);
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        let sleep = next.map_or(LONGEST_SLEEP, |at| Duration::from_millis(at.since(time).0));
        tokio::select! {
            () = timers.earlier.notified() => {}
            () = tokio::time::sleep(sleep.min(LONGEST_SLEEP)) => {}
        }
    }
}
