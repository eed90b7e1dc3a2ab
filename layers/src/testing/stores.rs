//! A store in memory that keeps the promises of the ports and notes what it was asked.

use jalm_kernel::ids::Timestamp;
use jalm_kernel::ports::{Future, Kv, Message, Queue, StoreError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Mutex;

type Values = BTreeMap<(String, String), (Value, Option<Timestamp>)>;

#[derive(Default)]
pub(crate) struct MemoryKv(Mutex<Values>);

impl Kv for MemoryKv {
    fn get(
        &self,
        space: &str,
        key: &str,
        now: Timestamp,
    ) -> Future<'_, Result<Option<Value>, StoreError>> {
        let found = self.0.lock().unwrap().get(&(space.to_owned(), key.to_owned())).cloned();
        let live = found.filter(|(_, expires)| expires.is_none_or(|at| at > now));
        Box::pin(ready(Ok(live.map(|(value, _)| value))))
    }

    fn set(
        &self,
        space: &str,
        key: &str,
        value: Value,
        expires: Option<Timestamp>,
    ) -> Future<'_, Result<(), StoreError>> {
        self.0.lock().unwrap().insert((space.to_owned(), key.to_owned()), (value, expires));
        Box::pin(ready(Ok(())))
    }

    fn remove(&self, space: &str, key: &str) -> Future<'_, Result<bool, StoreError>> {
        let removed = self.0.lock().unwrap().remove(&(space.to_owned(), key.to_owned()));
        Box::pin(ready(Ok(removed.is_some())))
    }
}

#[derive(Default)]
pub(crate) struct MemoryQueue(Mutex<BTreeMap<String, Vec<Message>>>);

impl Queue for MemoryQueue {
    fn publish(&self, queue: &str, message: Message) -> Future<'_, Result<bool, StoreError>> {
        let mut queues = self.0.lock().unwrap();
        let messages = queues.entry(queue.to_owned()).or_default();
        let new = messages.iter().all(|known| known.id != message.id);
        if new {
            messages.push(message);
        }
        Box::pin(ready(Ok(new)))
    }

    fn peek(&self, queue: &str, limit: u32) -> Future<'_, Result<Vec<Message>, StoreError>> {
        let queues = self.0.lock().unwrap();
        let messages = queues.get(queue).into_iter().flatten();
        let oldest = messages.take(limit as usize).cloned().collect();
        Box::pin(ready(Ok(oldest)))
    }

    fn queues(&self) -> Future<'_, Result<Vec<(String, u64)>, StoreError>> {
        let queues = self.0.lock().unwrap();
        let counts = queues.iter().map(|(name, list)| (name.clone(), list.len() as u64)).collect();
        Box::pin(ready(Ok(counts)))
    }

    fn acknowledge(&self, queue: &str, id: &str) -> Future<'_, Result<bool, StoreError>> {
        let mut queues = self.0.lock().unwrap();
        let messages = queues.entry(queue.to_owned()).or_default();
        let before = messages.len();
        messages.retain(|message| message.id != id);
        Box::pin(ready(Ok(messages.len() < before)))
    }
}
