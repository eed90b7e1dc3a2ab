//! Marks of finished steps, in the database that the steps write to.
//!
//! The mark is inserted in the transaction of the write itself. Either both are there or neither
//! is, so a call that is repeated under the same key knows whether the first one happened, and
//! answers what the first one answered.

use super::session::Session;
use jalm_kernel::failure::Failure;
use rusqlite::OptionalExtension;
use std::time::{Duration, Instant};

/// `key`: the call's idempotency key; `result`: the output as JSON; `at`: seconds since 1970.
pub(super) const TABLE: &str = "jalm_step_marks";
/// Longer than any execution lives on.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;
/// How often a runner looks for old marks.
const PURGE_EVERY: Duration = Duration::from_hours(1);

/// What the call under this key answered, if it happened. Inside a transaction.
pub(super) fn find(session: &mut Session, key: &str) -> Result<Option<String>, Failure> {
    if !session.has_marks {
        session.trusted(|connection| {
            connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS jalm_step_marks \
                 (key TEXT PRIMARY KEY, result TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
            )
        })?;
    }
    session.trusted(|connection| {
        connection
            .prepare("SELECT result FROM jalm_step_marks WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()
    })
}

/// Notes the answer; now and then removes what is too old to be asked for. Inside the same
/// transaction.
pub(super) fn set(session: &mut Session, key: &str, result: &str) -> Result<(), Failure> {
    let now = crate::context::now().0 / 1000;
    session.trusted(|connection| {
        connection.execute(
            "INSERT INTO jalm_step_marks (key, result, at) VALUES (?1, ?2, ?3)",
            (key, result, now),
        )
    })?;
    if session.purged.is_none_or(|last| last.elapsed() > PURGE_EVERY) {
        session.trusted(|connection| {
            connection.execute("DELETE FROM jalm_step_marks WHERE at < ?1", [now - KEPT_SECONDS])
        })?;
        session.purged = Some(Instant::now());
    }
    Ok(())
}
