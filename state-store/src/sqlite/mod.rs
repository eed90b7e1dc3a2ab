//! `sqlite:PATH`: one SQLite file (WAL, `synchronous=FULL`), one writer, a few readers.
//!
//! **Threads.** One OS thread writes (`writer`). It takes everything that waits, commits it as one
//! transaction, then calls the listeners; while it commits, the next batch gathers (`mailbox`).
//! There is no timer: the disk sets the pace. Reads use their own connections (`reader`), which
//! see committed data only.
//!
//! **Files.** `PATH`, `PATH-wal`, `PATH-shm` are SQLite's; `PATH.lock` is locked by the runner
//! that owns the store and names its process id (`lock`). The tables are described in `schema`.
//!
//! **One row for many records.** Within one commit, consecutive records of one execution become
//! one journal row and at most one write of its list row (`group`); the borders are kept, so readers get
//! back the records that were appended.

mod batch;
mod command;
mod fault;
mod group;
mod known;
mod lock;
mod mailbox;
mod query;
mod reader;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use crate::OpenError;
use command::{Command, Done, Op};
use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::machine::Summary;
use jalm_kernel::ports::{
    Append, Filter, Future, Health, Journal, Kv, Message, OnDurable, Queue, Record, Store,
    StoreError, Stored,
};
use mailbox::Mailbox;
use reader::Readers;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

/// Opens `sqlite:PATH` or `sqlite://PATH`.
pub(crate) fn open(rest: &str) -> Result<Arc<dyn Store>, OpenError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(OpenError::BadUrl { what: "`sqlite:` names no file".to_owned() });
    }
    if path.contains('?') {
        return Err(OpenError::BadUrl { what: "a path with `?` is not supported".to_owned() });
    }
    Ok(Arc::new(Sqlite::open(Path::new(path))?))
}

/// What the handle and the writer share.
struct Shared {
    path: PathBuf,
    mailbox: Mailbox,
    health: Mutex<Health>,
    readers: Readers,
    /// The `now` of the last `get`, in milliseconds; what had run out by then may be swept.
    now: AtomicI64,
    /// Turns true when the writer is gone and the lock is free.
    ended: watch::Sender<bool>,
    /// Stands for a full disk in tests: no more pages than this; 0 is no bound.
    #[cfg(test)]
    max_pages: std::sync::atomic::AtomicU32,
}

impl Shared {
    fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }
}

/// A store in one SQLite file.
struct Sqlite {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = schema::open(path)?;
        let shared = Arc::new(Shared {
            readers: Readers::new(opened.path.clone()),
            path: opened.path,
            mailbox: Mailbox::default(),
            health: Mutex::new(Health::Good),
            now: AtomicI64::new(0),
            ended: watch::Sender::new(false),
            #[cfg(test)]
            max_pages: std::sync::atomic::AtomicU32::new(0),
        });
        let writer = writer::start(shared.clone(), opened.connection, opened.lock)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Has the writer do it; the answer comes when it is durable.
    fn write(&self, op: Op) -> Future<'_, Result<bool, StoreError>> {
        let (answer, durable) = oneshot::channel();
        self.shared.mailbox.push(Command { op, done: Done::Answer(answer) });
        Box::pin(async { durable.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Drop for Sqlite {
    /// Writes what is queued and frees the file, so that it can be opened again at once.
    fn drop(&mut self) {
        self.shared.mailbox.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A listener may hold the last handle; the writer cannot wait for itself.
        if let Some(writer) = writer.filter(|it| it.thread().id() != std::thread::current().id()) {
            // It ends well even after a panic, which it has reported itself.
            writer.join().ok();
        }
    }
}

impl Journal for Sqlite {
    fn append(&self, append: Append, on_durable: OnDurable) {
        self.shared.mailbox.push(Command { op: Op::Append(append), done: Done::Call(on_durable) });
    }

    fn load(&self, id: ExecutionId) -> Future<'_, Result<Option<Stored>, StoreError>> {
        self.shared.readers.read(move |connection| query::load(connection, id))
    }

    fn records(&self, id: ExecutionId, from: u64) -> Future<'_, Result<Vec<Record>, StoreError>> {
        self.shared.readers.read(move |connection| query::records(connection, id, from))
    }

    fn unfinished(&self) -> Future<'_, Result<Vec<ExecutionId>, StoreError>> {
        self.shared.readers.read(query::unfinished)
    }

    fn find_key(&self, key: &str) -> Future<'_, Result<Option<ExecutionId>, StoreError>> {
        let key = key.to_owned();
        self.shared.readers.read(move |connection| query::find_key(connection, &key))
    }

    fn list(&self, filter: Filter) -> Future<'_, Result<Vec<Summary>, StoreError>> {
        self.shared.readers.read(move |connection| query::list(connection, &filter))
    }

    fn delete(&self, id: ExecutionId) -> Future<'_, Result<bool, StoreError>> {
        self.write(Op::Delete(id))
    }

    fn health(&self) -> Health {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn close(&self) -> Future<'_, ()> {
        self.shared.mailbox.close();
        let mut ended = self.shared.ended.subscribe();
        Box::pin(async move {
            // The sender lives in `shared`, which `self` keeps.
            ended.wait_for(|ended| *ended).await.ok();
        })
    }
}

impl Kv for Sqlite {
    fn get(
        &self,
        space: &str,
        key: &str,
        now: Timestamp,
    ) -> Future<'_, Result<Option<Value>, StoreError>> {
        self.shared.now.store(now.0, Ordering::Relaxed);
        let (space, key) = (space.to_owned(), key.to_owned());
        self.shared.readers.read(move |connection| query::get(connection, &space, &key, now))
    }

    fn set(
        &self,
        space: &str,
        key: &str,
        value: Value,
        expires: Option<Timestamp>,
    ) -> Future<'_, Result<(), StoreError>> {
        let (space, key) = (space.to_owned(), key.to_owned());
        let set = self.write(Op::Set { space, key, value: value.to_string(), expires });
        Box::pin(async { set.await.map(|_| ()) })
    }

    fn remove(&self, space: &str, key: &str) -> Future<'_, Result<bool, StoreError>> {
        let now = Timestamp(self.shared.now.load(Ordering::Relaxed));
        self.write(Op::Remove { space: space.to_owned(), key: key.to_owned(), now })
    }
}

impl Queue for Sqlite {
    fn publish(&self, queue: &str, message: Message) -> Future<'_, Result<bool, StoreError>> {
        self.write(Op::Publish {
            queue: queue.to_owned(),
            id: message.id,
            body: message.body.to_string(),
            headers: message.headers.to_string(),
            at: message.at,
        })
    }

    fn peek(&self, queue: &str, limit: u32) -> Future<'_, Result<Vec<Message>, StoreError>> {
        let queue = queue.to_owned();
        self.shared.readers.read(move |connection| query::peek(connection, &queue, limit))
    }

    fn queues(&self) -> Future<'_, Result<Vec<(String, u64)>, StoreError>> {
        self.shared.readers.read(query::queues)
    }

    fn acknowledge(&self, queue: &str, id: &str) -> Future<'_, Result<bool, StoreError>> {
        self.write(Op::Acknowledge { queue: queue.to_owned(), id: id.to_owned() })
    }
}
