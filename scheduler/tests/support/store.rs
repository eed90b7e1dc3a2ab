//! The memory store behind a door: appends wait in front of it while it is held, and are gone
//! when the process dies.

use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::machine::Summary;
use jalm_kernel::ports::{
    Append, Filter, Future, Health, Journal, Kv, Message, OnDurable, Queue, Record, Store,
    StoreError, Stored,
};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

pub(crate) struct HeldStore {
    inner: Arc<dyn Store>,
    door: Mutex<Door>,
}

#[derive(Default)]
struct Door {
    held: bool,
    dead: bool,
    waiting: VecDeque<(Append, OnDurable)>,
    health: Option<String>,
    /// What every append is answered with.
    refuse: Option<StoreError>,
}

impl HeldStore {
    pub(crate) fn new() -> Arc<Self> {
        Self::around(jalm_state_store::memory())
    }

    fn around(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, door: Mutex::default() })
    }

    /// From now on appends wait.
    pub(crate) fn hold(&self) {
        self.door.lock().unwrap().held = true;
    }

    /// Appends that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.door.lock().unwrap().waiting.len()
    }

    /// Makes the oldest waiting append durable; false if none waits.
    pub(crate) fn flush_one(&self) -> bool {
        let next = self.door.lock().unwrap().waiting.pop_front();
        let Some((append, on_durable)) = next else { return false };
        self.inner.append(append, on_durable);
        true
    }

    /// Opens the door for good.
    pub(crate) fn let_go(&self) {
        while self.flush_one() {}
        self.door.lock().unwrap().held = false;
        while self.flush_one() {}
    }

    /// Every append is refused from now on.
    pub(crate) fn refuse(&self, error: StoreError) {
        self.door.lock().unwrap().refuse = Some(error);
    }

    pub(crate) fn set_health(&self, degraded: Option<&str>) {
        self.door.lock().unwrap().health = degraded.map(str::to_owned);
    }

    /// The process dies: what waited is lost. What the next process opens.
    pub(crate) fn crash(&self) -> Arc<Self> {
        let mut door = self.door.lock().unwrap();
        door.dead = true;
        let lost = std::mem::take(&mut door.waiting);
        drop(door);
        drop(lost);
        Self::around(self.inner.clone())
    }

    fn is_dead(&self) -> bool {
        self.door.lock().unwrap().dead
    }
}

impl Journal for HeldStore {
    fn append(&self, append: Append, on_durable: OnDurable) {
        let mut door = self.door.lock().unwrap();
        if door.dead {
            return; // nobody is left to be told
        }
        if let Some(error) = door.refuse.clone() {
            drop(door);
            return on_durable(Err(error));
        }
        if door.held {
            door.waiting.push_back((append, on_durable));
            return;
        }
        drop(door);
        self.inner.append(append, on_durable);
    }
    fn load(&self, id: ExecutionId) -> Future<'_, Result<Option<Stored>, StoreError>> {
        let load = self.inner.load(id);
        Box::pin(async {
            // A real store answers from another thread.
            tokio::task::yield_now().await;
            load.await
        })
    }
    fn records(&self, id: ExecutionId, from: u64) -> Future<'_, Result<Vec<Record>, StoreError>> {
        self.inner.records(id, from)
    }
    fn unfinished(&self) -> Future<'_, Result<Vec<ExecutionId>, StoreError>> {
        self.inner.unfinished()
    }
    fn find_key(&self, key: &str) -> Future<'_, Result<Option<ExecutionId>, StoreError>> {
        let found = self.inner.find_key(key);
        Box::pin(async {
            tokio::task::yield_now().await;
            found.await
        })
    }
    fn list(&self, filter: Filter) -> Future<'_, Result<Vec<Summary>, StoreError>> {
        self.inner.list(filter)
    }
    fn delete(&self, id: ExecutionId) -> Future<'_, Result<bool, StoreError>> {
        self.inner.delete(id)
    }
    fn health(&self) -> Health {
        self.door.lock().unwrap().health.clone().map_or(Health::Good, Health::Degraded)
    }
    /// Writes what waits, unless the process is dead: then the file belongs to the next one.
    fn close(&self) -> Future<'_, ()> {
        if self.is_dead() {
            return Box::pin(std::future::ready(()));
        }
        self.let_go();
        // The memory store stays open: the next process opens it.
        self.door.lock().unwrap().refuse = Some(StoreError::Closed);
        Box::pin(std::future::ready(()))
    }
}

impl HeldStore {
    /// What the next process finds after a clean stop.
    pub(crate) fn reopen(&self) -> Arc<Self> {
        Self::around(self.inner.clone())
    }
}

impl Kv for HeldStore {
    fn get(
        &self,
        space: &str,
        key: &str,
        now: Timestamp,
    ) -> Future<'_, Result<Option<Value>, StoreError>> {
        self.inner.get(space, key, now)
    }
    fn set(
        &self,
        space: &str,
        key: &str,
        value: Value,
        expires: Option<Timestamp>,
    ) -> Future<'_, Result<(), StoreError>> {
        self.inner.set(space, key, value, expires)
    }
    fn remove(&self, space: &str, key: &str) -> Future<'_, Result<bool, StoreError>> {
        self.inner.remove(space, key)
    }
}

impl Queue for HeldStore {
    fn publish(&self, queue: &str, message: Message) -> Future<'_, Result<bool, StoreError>> {
        self.inner.publish(queue, message)
    }
    fn peek(&self, queue: &str, limit: u32) -> Future<'_, Result<Vec<Message>, StoreError>> {
        self.inner.peek(queue, limit)
    }
    fn queues(&self) -> Future<'_, Result<Vec<(String, u64)>, StoreError>> {
        self.inner.queues()
    }
    fn acknowledge(&self, queue: &str, id: &str) -> Future<'_, Result<bool, StoreError>> {
        self.inner.acknowledge(queue, id)
    }
}
