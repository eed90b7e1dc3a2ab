//! One connection, used by one call at a time.

use super::authorizer;
use super::failure::sql_failure;
use crate::blocking::Abort;
use jalm_kernel::failure::Failure;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Authorization;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No single value or row may be larger.
const LARGEST_VALUE: i32 = 64 * 1024 * 1024;
/// How long a lock that another process holds is waited for.
const BUSY: Duration = Duration::from_secs(10);
const BUSY_STEP: Duration = Duration::from_millis(5);
/// Instructions between two looks at the abort flag: well under a millisecond.
const LOOK_EVERY: i32 = 4000;

/// A connection and what its hooks share with it.
pub(super) struct Session {
    pub(super) connection: Connection,
    hooks: Arc<Hooks>,
    /// When old marks were removed last.
    pub(super) purged: Option<Instant>,
    /// The table of marks is known to be there.
    pub(super) has_marks: bool,
}

#[derive(Default)]
struct Hooks {
    /// The call that uses the session.
    abort: Mutex<Abort>,
    /// Set around the runner's own statements, which the authorizer does not judge.
    trusted: AtomicBool,
    /// Why the authorizer refused a statement.
    refusal: Mutex<Option<String>>,
}

impl Hooks {
    fn aborted(&self) -> bool {
        lock(&self.abort).is_set()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Opens the file; makes it when it is missing.
    pub(super) fn open(path: &Path, query_only: bool) -> Result<Self, Failure> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                Failure::permanent(
                    "db_open",
                    format!("cannot make the database's folder `{}`: {error}", folder.display()),
                )
                .hint("give the runner's user the right to it, or name another file")
            })?;
        }
        Self::prepare(path, query_only).map_err(|error| sql_failure(error, None))
    }

    fn prepare(path: &Path, query_only: bool) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        let hooks = Arc::new(Hooks::default());
        hooks.trusted.store(true, Ordering::Relaxed);

        let shared = Arc::clone(&hooks);
        connection.busy_handler(Some(move |count: i32| {
            let waited = BUSY_STEP * u32::try_from(count).unwrap_or(u32::MAX);
            let go_on = waited < BUSY && !shared.aborted();
            if go_on {
                std::thread::sleep(BUSY_STEP);
            }
            go_on
        }))?;
        let shared = Arc::clone(&hooks);
        connection.progress_handler(LOOK_EVERY, Some(move || shared.aborted()))?;
        let shared = Arc::clone(&hooks);
        connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| {
            if shared.trusted.load(Ordering::Relaxed) {
                return Authorization::Allow;
            }
            match authorizer::refusal(&context) {
                Some(reason) => {
                    *lock(&shared.refusal) = Some(reason);
                    Authorization::Deny
                }
                None => Authorization::Allow,
            }
        }))?;

        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // A file that cannot be switched (read-only, say) still works in its own mode.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).or_else(
            |error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
                    Err(error)
                }
                Some(_) | None => Ok(()),
            },
        )?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
        if query_only {
            connection.execute_batch("PRAGMA query_only = ON;")?;
        }
        hooks.trusted.store(false, Ordering::Relaxed);
        Ok(Self { connection, hooks, purged: None, has_marks: false })
    }

    /// From here on the session works for the call behind `abort`.
    pub(super) fn serve(&self, abort: &Abort) {
        *lock(&self.hooks.abort) = abort.clone();
        *lock(&self.hooks.refusal) = None;
    }

    /// Runs the runner's own statements, which the authorizer lets through.
    pub(super) fn trusted<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        self.hooks.trusted.store(true, Ordering::Relaxed);
        let result = work(&self.connection);
        self.hooks.trusted.store(false, Ordering::Relaxed);
        result.map_err(|error| sql_failure(error, None))
    }

    /// Ends a transaction that was left open. False when even that fails: the session is spent.
    pub(super) fn tidy(&self) -> bool {
        if self.connection.is_autocommit() {
            return true;
        }
        // The abort that ended the call must not end its own clearing up.
        *lock(&self.hooks.abort) = Abort::default();
        self.trusted(|connection| connection.execute_batch("ROLLBACK")).is_ok()
    }

    /// A failure of a statement, with what the authorizer had against it.
    pub(super) fn explain(&self, error: rusqlite::Error) -> Failure {
        sql_failure(error, lock(&self.hooks.refusal).take())
    }
}
