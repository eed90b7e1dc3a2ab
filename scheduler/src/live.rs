//! The executions that this engine holds.

use crate::timers::TimerKey;
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::{CallId, Event, Execution, Timer};
use jalm_kernel::ports::{Birth, Call, StoreError};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// One execution in memory.
pub(crate) struct Live {
    pub(crate) id: ExecutionId,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) cell: Mutex<Cell>,
    /// How many events are durable, and whether that is all there will ever be.
    pub(crate) durable: watch::Sender<Durable>,
    /// The same number, for the driver.
    pub(crate) flushed: AtomicU64,
    /// Whether something waits for its gate, so that a flush must look.
    pub(crate) waiting: AtomicBool,
    /// Why the store will never take its events; set at most once.
    pub(crate) lost: OnceLock<StoreError>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durable {
    pub(crate) events: u64,
    pub(crate) ended: bool,
}

/// What the driver works on.
pub(crate) struct Cell {
    pub(crate) execution: Execution,
    /// Recorded, not yet given to the store.
    pub(crate) unsent: Vec<Event>,
    /// Given with the first append.
    pub(crate) birth: Option<Birth>,
    /// Events given to the store.
    pub(crate) sent: u64,
    /// What waits until so many events are durable, in order.
    pub(crate) gated: VecDeque<(u64, Held)>,
    pub(crate) calls: HashMap<CallId, AbortHandle>,
    pub(crate) timers: BTreeMap<Timer, TimerKey>,
}

/// Something that waits for its gate.
#[expect(clippy::large_enum_variant, reason = "nearly all are calls")]
pub(crate) enum Held {
    Call(CallId, Call),
    /// The execution ran too far ahead of the disk.
    Continue,
}

impl Live {
    pub(crate) fn new(
        execution: Execution,
        birth: Option<Birth>,
        key: Option<Arc<str>>,
    ) -> Arc<Self> {
        let count = execution.event_count();
        // A new execution's first event is applied but not stored yet; a replayed one is stored.
        let stored = if birth.is_some() { 0 } else { count };
        Arc::new(Self {
            id: execution.id(),
            key,
            durable: watch::Sender::new(Durable { events: stored, ended: false }),
            flushed: AtomicU64::new(stored),
            waiting: AtomicBool::new(false),
            lost: OnceLock::new(),
            cell: Mutex::new(Cell {
                execution,
                unsent: Vec::new(),
                birth,
                sent: stored,
                gated: VecDeque::new(),
                calls: HashMap::new(),
                timers: BTreeMap::new(),
            }),
        })
    }

    /// How many events are durable.
    pub(crate) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::SeqCst)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more becomes durable here: tells those who wait.
    pub(crate) fn give_up(&self, error: StoreError) {
        // The first reason stays.
        let _ = self.lost.set(error);
        self.durable.send_modify(|_| {});
    }

    pub(crate) fn abort_calls(&self) {
        let mut cell = self.lock();
        cell.gated.clear();
        cell.calls.drain().for_each(|(_, call)| call.abort());
    }
}

/// All live executions, in shards so that two cores rarely meet.
pub(crate) struct Table {
    shards: [Mutex<HashMap<ExecutionId, Arc<Live>>>; SHARDS],
    keys: Mutex<HashMap<Arc<str>, ExecutionId>>,
    count: AtomicUsize,
}

const SHARDS: usize = 16;

impl Default for Table {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            keys: Mutex::default(),
            count: 0.into(),
        }
    }
}

impl Table {
    fn shard(&self, id: ExecutionId) -> MutexGuard<'_, HashMap<ExecutionId, Arc<Live>>> {
        // The last byte of a UUIDv7 is random.
        let shard = usize::from(id.0.as_bytes()[15]) % SHARDS;
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<Arc<str>, ExecutionId>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<Arc<Live>> {
        self.shard(id).get(&id).cloned()
    }

    pub(crate) fn by_key(&self, key: &str) -> Option<Arc<Live>> {
        let id = self.keys().get(key).copied()?;
        self.get(id)
    }

    /// False if an execution of this id is here already.
    pub(crate) fn insert(&self, live: &Arc<Live>) -> bool {
        {
            let mut shard = self.shard(live.id);
            if shard.contains_key(&live.id) {
                return false;
            }
            shard.insert(live.id, live.clone());
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(key) = &live.key {
            self.keys().insert(key.clone(), live.id);
        }
        true
    }

    pub(crate) fn remove(&self, live: &Live) {
        if self.shard(live.id).remove(&live.id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(key) = &live.key {
            // It may be a later one's by now, if this one was never stored.
            if let Entry::Occupied(entry) = self.keys().entry(key.clone())
                && *entry.get() == live.id
            {
                entry.remove();
            }
        }
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Arc<Live>)) {
        for shard in &self.shards {
            let all: Vec<Arc<Live>> =
                shard.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            all.iter().for_each(&mut visit);
        }
    }
}
