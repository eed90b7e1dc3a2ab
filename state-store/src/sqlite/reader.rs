//! Connections that read: a few, opened when first needed, used on Tokio's blocking threads.

use super::fault;
use super::query::Bad;
use jalm_kernel::ports::{Future, StoreError};
use rusqlite::{Connection, OpenFlags};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Reads at one time; more wait. Each costs a connection of about half a MiB.
const READERS: usize = 4;

/// The connections of one store; clones share them.
#[derive(Clone)]
pub(super) struct Readers(Arc<Pool>);

struct Pool {
    path: PathBuf,
    turns: Arc<Semaphore>,
    /// Connections at rest.
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        let turns = Arc::new(Semaphore::new(READERS));
        Self(Arc::new(Pool { path, turns, idle: Mutex::default() }))
    }

    /// Asks on a blocking thread. The future must run inside a Tokio runtime.
    pub(super) fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, Bad> + Send + 'static,
    ) -> Future<'static, Result<T, StoreError>> {
        let pool = self.0.clone();
        Box::pin(async move {
            let turn = pool.turns.clone().acquire_owned().await;
            let turn = turn.map_err(|_| StoreError::Closed)?;
            let task = tokio::task::spawn_blocking(move || {
                // The turn ends with the read, even if whoever asked has gone.
                let _turn = turn;
                pool.ask(ask)
            });
            task.await.unwrap_or_else(|error| {
                let message = format!("a read of the store broke off: {error}; please report it");
                Err(StoreError::Unavailable { message })
            })
        })
    }

    /// Refuses further reads and closes the connections at rest.
    pub(super) fn close(&self) {
        self.0.turns.close();
        self.0.idle().clear();
    }
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, Bad>) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open().map_err(|error| fault::of_read(&self.path, &error))?,
        };
        let answer = ask(&connection).map_err(|bad| match bad {
            Bad::Sql(error) => fault::of_read(&self.path, &error),
            Bad::Damaged(what) => StoreError::Corrupt {
                message: format!(
                    "the store `{}` is damaged: {what}; keep a copy of the file and restore a \
                     backup",
                    self.path.display()
                ),
            },
        });
        if !self.turns.is_closed() {
            self.idle().push(connection);
        }
        answer
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512;",
        )?;
        Ok(connection)
    }
}
