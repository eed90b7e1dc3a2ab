//! One database file: one writer, a few readers.

use super::session::Session;
use crate::blocking::{self, Abort};
use jalm_kernel::failure::Failure;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Readers at once; more wait.
const READERS: usize = 4;

/// A database file that is in use.
pub(crate) struct Database {
    path: PathBuf,
    /// None until the first write, and after a failure that spent the connection.
    writer: Arc<tokio::sync::Mutex<Option<Session>>>,
    readers: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
}

impl Database {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            writer: Arc::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::default(),
        }
    }

    /// Runs `work` on a reader. Dropping the future interrupts its statement.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Session, &Abort) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = Arc::clone(&self.readers).acquire_owned().await.map_err(Failure::bug)?;
        let database = Arc::clone(self);
        blocking::run(move |abort| {
            let _permit = permit;
            let idle = || database.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let known = idle().pop();
            let session = match known {
                Some(session) => session,
                None => Session::open(&database.path, true)?,
            };
            session.serve(abort);
            let result = work(&session, abort);
            if session.tidy() {
                idle().push(session);
            }
            result
        })
        .await
    }

    /// Runs `work` on the writer, alone. Dropping the future interrupts its statement.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Session, &Abort) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        // The guard goes with the work: the next writer begins when this one has really ended.
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let database = Arc::clone(self);
        blocking::run(move |abort| {
            let mut session = match writer.take() {
                Some(session) => session,
                None => Session::open(&database.path, false)?,
            };
            session.serve(abort);
            let result = work(&mut session, abort);
            if session.tidy() {
                *writer = Some(session);
            }
            result
        })
        .await
    }
}
