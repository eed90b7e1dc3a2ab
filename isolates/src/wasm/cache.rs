//! Compiled modules in the server's memory: bytes that it never reads.

use super::compile::Shape;
use crate::mutex::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// The hash of a source.
pub(super) type Key = [u8; 32];

/// A module as a runner takes it.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) shape: Shape,
    pub(super) code: Vec<u8>,
}

/// Keeps what was compiled, until it is too much: then what was not used for the longest time goes.
#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    /// Empty while it is being compiled.
    cell: Arc<OnceCell<Arc<Compiled>>>,
    used: u64,
}

impl Cache {
    /// For so many bytes of machine code.
    pub(super) fn new(most: usize) -> Self {
        Self { most, inner: Mutex::default() }
    }

    /// The compiled module, from memory or by `compile`. Who asks for what is being compiled waits
    /// for it.
    pub(super) async fn get<E>(
        &self,
        key: Key,
        compile: impl AsyncFnOnce() -> Result<Compiled, E>,
    ) -> Result<Arc<Compiled>, E> {
        let cell = self.entry(key);
        if let Some(compiled) = cell.get() {
            return Ok(compiled.clone());
        }
        let made = cell.get_or_try_init(async || compile().await.map(Arc::new)).await.cloned();
        drop(cell);
        self.tidy();
        made
    }

    fn entry(&self, key: Key) -> Arc<OnceCell<Arc<Compiled>>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        let entry =
            inner.entries.entry(key).or_insert_with(|| Entry { cell: Arc::default(), used });
        entry.used = used;
        entry.cell.clone()
    }

    /// Forgets what could not be compiled, and what is too much.
    fn tidy(&self) {
        let mut inner = self.lock();
        inner
            .entries
            .retain(|_, entry| entry.cell.initialized() || Arc::strong_count(&entry.cell) > 1);
        let size = |entry: &Entry| entry.cell.get().map_or(0, |compiled| compiled.code.len());
        let mut total: usize = inner.entries.values().map(size).sum();
        while total > self.most && inner.entries.len() > 1 {
            let made = inner.entries.iter().filter(|(_, entry)| entry.cell.initialized());
            let Some(oldest) = made.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else {
                return;
            };
            total -= inner.entries.remove(&oldest).map_or(0, |entry| size(&entry));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(bytes: usize) -> Compiled {
        let shape = Shape { component: false, names: Vec::new() };
        Compiled { shape, code: vec![0; bytes] }
    }

    /// Whether it has to be compiled.
    async fn misses(cache: &Cache, key: u8, bytes: usize) -> bool {
        let mut asked = false;
        let made = cache.get([key; 32], async || {
            asked = true;
            Ok::<_, ()>(compiled(bytes))
        });
        assert_eq!(made.await.unwrap().code.len(), bytes);
        asked
    }

    #[tokio::test]
    async fn what_was_not_used_for_the_longest_time_goes_first() {
        let cache = Cache::new(10);
        assert!(misses(&cache, 1, 4).await && misses(&cache, 2, 4).await);
        assert!(!misses(&cache, 1, 4).await);
        assert!(misses(&cache, 3, 4).await);
        assert!(!misses(&cache, 1, 4).await && misses(&cache, 2, 4).await);
        // One that is larger than all the room is kept until the next one comes.
        assert!(misses(&cache, 4, 40).await && !misses(&cache, 4, 40).await);
        assert!(misses(&cache, 5, 4).await && misses(&cache, 4, 40).await);
    }

    #[tokio::test]
    async fn failures_are_not_kept() {
        let cache = Cache::new(10);
        let failed = cache.get([1; 32], async || Err("no")).await;
        assert_eq!(failed.unwrap_err(), "no");
        assert!(cache.lock().entries.is_empty());
        assert!(misses(&cache, 1, 1).await);
    }

    #[tokio::test]
    async fn two_who_ask_at_once_get_one_compilation() {
        let (cache, count) = (Cache::new(10), std::cell::Cell::new(0));
        let ask = || {
            cache.get([1; 32], async || {
                count.set(count.get() + 1);
                tokio::task::yield_now().await;
                Ok::<_, ()>(compiled(1))
            })
        };
        let (first, second) = tokio::join!(ask(), ask());
        assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
        assert_eq!(count.get(), 1);
    }
}
