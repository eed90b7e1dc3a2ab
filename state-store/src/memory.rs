//! `memory:`, the store that forgets: same order, same refusals, same callbacks, no disk.
//!
//! `on_durable` is usually called before `append` returns, by the calling thread and outside of
//! every lock; when several threads append at once, one of them delivers for all, in order.

use crate::OpenError;
use crate::codec::{Bounds, Refusal};
use jalm_kernel::ids::{ExecutionId, PlanHash, Timestamp};
use jalm_kernel::machine::Summary;
use jalm_kernel::ports::{
    Append, Filter, Future, Health, Journal, Kv, Message, OnDurable, Queue, Record, Store,
    StoreError, Stored,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Opens `memory:`.
pub(crate) fn open(rest: &str) -> Result<Arc<dyn Store>, OpenError> {
    match rest {
        "" | "//" => Ok(Arc::new(Memory::default())),
        _ => Err(OpenError::BadUrl { what: "`memory:` takes nothing behind it".to_owned() }),
    }
}

/// A store in this process's memory.
#[derive(Default)]
pub(crate) struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    executions: BTreeMap<ExecutionId, Execution>,
    keys: HashMap<Arc<str>, ExecutionId>,
    /// The source of each plan in use, and by how many executions.
    plans: HashMap<PlanHash, (Arc<str>, u64)>,
    kv: BTreeMap<(String, String), (Value, Option<Timestamp>)>,
    /// The `now` of the last `get`; what had run out by then is gone.
    now: Timestamp,
    /// Sweep when the map has grown to this size.
    sweep_at: usize,
    queues: BTreeMap<String, VecDeque<Message>>,
    /// Answers that wait for the one thread that delivers.
    answers: VecDeque<(OnDurable, Result<(), StoreError>)>,
    delivering: bool,
    closed: bool,
}

struct Execution {
    summary: Summary,
    plan: PlanHash,
    key: Option<Arc<str>>,
    records: Vec<Record>,
}

impl Execution {
    fn events(&self) -> u64 {
        self.records.last().map_or(0, |record| record.first + u64::from(record.count))
    }
}

impl State {
    fn append(&mut self, append: Append) -> Result<(), StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        self.check(&append).map_err(|refusal| refusal.of_append(&append))?;
        let Append { summary, first, count, record, birth } = append;
        let id = summary.execution_id;
        if let Some(birth) = birth {
            self.plans.entry(birth.plan).or_insert((birth.source, 0)).1 += 1;
            if let Some(key) = &birth.key {
                self.keys.insert(key.clone(), id);
            }
            let execution = Execution {
                summary: summary.clone(),
                plan: birth.plan,
                key: birth.key,
                records: Vec::new(),
            };
            self.executions.insert(id, execution);
        }
        if let Some(execution) = self.executions.get_mut(&id) {
            execution.summary.status = summary.status;
            execution.summary.started_at = summary.started_at;
            execution.summary.completed_at = summary.completed_at;
            execution.records.push(Record { first, count, record });
        }
        Ok(())
    }

    fn check(&self, append: &Append) -> Result<(), Refusal> {
        if let Some(refusal) = Refusal::of(append) {
            return Err(refusal);
        }
        let known = self.executions.get(&append.summary.execution_id);
        match (&append.birth, known) {
            (Some(_), Some(_)) => Err(Refusal::Exists),
            (Some(birth), None) => match birth.key.as_ref().and_then(|key| self.keys.get(key)) {
                Some(other) => Err(Refusal::Key(*other)),
                None => Ok(()),
            },
            (None, None) => Err(Refusal::Unknown),
            (None, Some(known)) if known.events() != append.first => {
                Err(Refusal::Gap { stored: known.events() })
            }
            (None, Some(_)) => Ok(()),
        }
    }

    fn list(&self, filter: &Filter) -> Vec<Summary> {
        let Some(bounds) = Bounds::of(filter) else { return Vec::new() };
        if bounds.low > bounds.high {
            return Vec::new();
        }
        let id = |bits| ExecutionId(uuid::Uuid::from_u128(bits));
        self.executions
            .range(id(bounds.low)..=id(bounds.high))
            .rev()
            .map(|(_, execution)| &execution.summary)
            .filter(|summary| {
                filter.status.is_none_or(|status| status == summary.status)
                    && filter.intent.as_deref().is_none_or(|intent| *intent == *summary.intent)
                    && summary.created_at.0 >= bounds.since
            })
            .take(bounds.limit as usize)
            .cloned()
            .collect()
    }

    fn delete(&mut self, id: ExecutionId) -> bool {
        if !self.executions.get(&id).is_some_and(|known| known.summary.status.is_end()) {
            return false;
        }
        let Some(gone) = self.executions.remove(&id) else { return false };
        if let Some(key) = gone.key {
            self.keys.remove(&key);
        }
        if let Some((_, uses)) = self.plans.get_mut(&gone.plan) {
            *uses -= 1;
            if *uses == 0 {
                self.plans.remove(&gone.plan);
            }
        }
        true
    }

    fn sweep(&mut self) {
        if self.kv.len() >= self.sweep_at.max(64) {
            let now = self.now;
            self.kv.retain(|_, (_, expires)| alive(*expires, now));
            self.sweep_at = 2 * self.kv.len();
        }
    }
}

fn alive(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| expires > now)
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held would be a bug of this file; the maps stay consistent
        // enough for the others to go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something under the lock and answers at once.
    fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut State) -> T,
    ) -> Future<'static, Result<T, StoreError>> {
        let mut state = self.lock();
        let answer = if state.closed { Err(StoreError::Closed) } else { Ok(act(&mut state)) };
        Box::pin(std::future::ready(answer))
    }
}

impl Journal for Memory {
    fn append(&self, append: Append, on_durable: OnDurable) {
        let mut state = self.lock();
        let answer = state.append(append);
        state.answers.push_back((on_durable, answer));
        if state.delivering {
            return;
        }
        state.delivering = true;
        while let Some((on_durable, answer)) = state.answers.pop_front() {
            drop(state);
            if catch_unwind(AssertUnwindSafe(|| on_durable(answer))).is_err() {
                tracing::error!("a listener of the store panicked");
            }
            state = self.lock();
        }
        state.delivering = false;
    }

    fn load(&self, id: ExecutionId) -> Future<'_, Result<Option<Stored>, StoreError>> {
        self.with(|state| {
            let known = state.executions.get(&id)?;
            let (source, _) = state.plans.get(&known.plan)?;
            Some(Stored {
                summary: known.summary.clone(),
                plan: known.plan,
                source: source.clone(),
                records: known.records.clone(),
            })
        })
    }

    fn records(&self, id: ExecutionId, from: u64) -> Future<'_, Result<Vec<Record>, StoreError>> {
        self.with(|state| {
            let known = state.executions.get(&id);
            let records = known.map_or(&[][..], |known| &known.records);
            let seen = records.partition_point(|it| it.first + u64::from(it.count) <= from);
            records[seen..].to_vec()
        })
    }

    fn unfinished(&self) -> Future<'_, Result<Vec<ExecutionId>, StoreError>> {
        self.with(|state| {
            let open = state.executions.iter().filter(|(_, it)| !it.summary.status.is_end());
            open.map(|(id, _)| *id).collect()
        })
    }

    fn find_key(&self, key: &str) -> Future<'_, Result<Option<ExecutionId>, StoreError>> {
        self.with(|state| state.keys.get(key).copied())
    }

    fn list(&self, filter: Filter) -> Future<'_, Result<Vec<Summary>, StoreError>> {
        self.with(|state| state.list(&filter))
    }

    fn delete(&self, id: ExecutionId) -> Future<'_, Result<bool, StoreError>> {
        self.with(|state| state.delete(id))
    }

    fn health(&self) -> Health {
        Health::Good
    }

    fn close(&self) -> Future<'_, ()> {
        self.lock().closed = true;
        Box::pin(std::future::ready(()))
    }
}

impl Kv for Memory {
    fn get(
        &self,
        space: &str,
        key: &str,
        now: Timestamp,
    ) -> Future<'_, Result<Option<Value>, StoreError>> {
        self.with(|state| {
            state.now = now;
            let (value, expires) = state.kv.get(&(space.to_owned(), key.to_owned()))?;
            alive(*expires, now).then(|| value.clone())
        })
    }

    fn set(
        &self,
        space: &str,
        key: &str,
        value: Value,
        expires: Option<Timestamp>,
    ) -> Future<'_, Result<(), StoreError>> {
        self.with(|state| {
            state.kv.insert((space.to_owned(), key.to_owned()), (value, expires));
            state.sweep();
        })
    }

    fn remove(&self, space: &str, key: &str) -> Future<'_, Result<bool, StoreError>> {
        self.with(|state| {
            let gone = state.kv.remove(&(space.to_owned(), key.to_owned()));
            gone.is_some_and(|(_, expires)| alive(expires, state.now))
        })
    }
}

impl Queue for Memory {
    fn publish(&self, queue: &str, message: Message) -> Future<'_, Result<bool, StoreError>> {
        self.with(|state| {
            let messages = state.queues.entry(queue.to_owned()).or_default();
            let fresh = messages.iter().all(|known| known.id != message.id);
            if fresh {
                messages.push_back(message);
            }
            fresh
        })
    }

    fn peek(&self, queue: &str, limit: u32) -> Future<'_, Result<Vec<Message>, StoreError>> {
        self.with(|state| {
            let messages = state.queues.get(queue).into_iter().flatten();
            messages.take(limit as usize).cloned().collect()
        })
    }

    fn queues(&self) -> Future<'_, Result<Vec<(String, u64)>, StoreError>> {
        self.with(|state| {
            let queues = state.queues.iter();
            queues.map(|(name, messages)| (name.clone(), messages.len() as u64)).collect()
        })
    }

    fn acknowledge(&self, queue: &str, id: &str) -> Future<'_, Result<bool, StoreError>> {
        self.with(|state| {
            let Some(messages) = state.queues.get_mut(queue) else { return false };
            let Some(at) = messages.iter().position(|message| message.id == id) else {
                return false;
            };
            messages.remove(at);
            if messages.is_empty() {
                state.queues.remove(queue);
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::conformance;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_conforms() {
        conformance::check(&crate::memory).await;
    }
}
