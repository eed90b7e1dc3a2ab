//! One transaction: many commands, written in as few rows as they allow.

use super::command::{Command, Op};
use super::group::Group;
use super::known::Known;
use crate::codec::Refusal;
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::ports::StoreError;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// What became of a command that the transaction could take, or why it was refused alone.
pub(super) type Outcome = std::result::Result<bool, StoreError>;

/// After so many `set`s, some of what has run out is swept.
const SWEEP_EVERY: u32 = 64;
/// At most so many rows a sweep: more than came in since the last.
const SWEEP: i64 = 256;

/// Does `batch` inside the open transaction; one outcome a command. An error means that nothing
/// of it may be kept.
pub(super) fn apply(
    connection: &Connection,
    known: &mut Known,
    sets: &mut u32,
    batch: &[Command],
    now: i64,
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = batch.iter().map(|_| Ok(true)).collect();
    let mut group = Group::default();
    for (index, command) in batch.iter().enumerate() {
        outcomes[index] = Ok(match &command.op {
            Op::Append(append) => {
                if let Some(refusal) = Refusal::of(append) {
                    outcomes[index] = Err(refusal.of_append(append));
                    continue;
                }
                group.add(index, append);
                true
            }
            Op::Delete(id) => {
                // What was appended before must be there before.
                std::mem::take(&mut group).write(connection, known, &mut outcomes)?;
                delete(connection, known, *id)?
            }
            Op::Set { space, key, value, expires } => {
                *sets += 1;
                connection
                    .prepare_cached(
                        "INSERT INTO kv (space, key, value, expires) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT DO UPDATE SET value = excluded.value, \
                         expires = excluded.expires",
                    )?
                    .execute(params![space, key, value, expires.map(|at| at.0)])?;
                if *sets >= SWEEP_EVERY {
                    *sets = 0;
                    sweep(connection, now)?;
                }
                true
            }
            Op::Remove { space, key, now } => connection
                .prepare_cached(
                    "DELETE FROM kv WHERE space = ?1 AND key = ?2
                     RETURNING expires IS NULL OR expires > ?3",
                )?
                .query_row(params![space, key, now.0], |row| row.get(0))
                .optional()?
                .unwrap_or(false),
            Op::Publish { queue, id, body, headers, at } => {
                let mut insert = connection.prepare_cached(
                    "INSERT INTO messages (queue, id, body, headers, at)
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                )?;
                insert.execute(params![queue, id, body, headers, at.0])? > 0
            }
            Op::Acknowledge { queue, id } => {
                let mut delete = connection
                    .prepare_cached("DELETE FROM messages WHERE queue = ?1 AND id = ?2")?;
                delete.execute([queue, id])? > 0
            }
        });
    }
    group.write(connection, known, &mut outcomes)?;
    Ok(outcomes)
}

/// Removes some of what had run out at `now`; returns how many rows.
pub(super) fn sweep(connection: &Connection, now: i64) -> Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM kv WHERE (space, key) IN
             (SELECT space, key FROM kv WHERE expires <= ?1 LIMIT ?2)",
        )?
        .execute([now, SWEEP])
}

/// Forgets a finished execution, and its plan when nobody else uses it.
fn delete(connection: &Connection, known: &mut Known, id: ExecutionId) -> Result<bool> {
    let gone: Option<i64> = connection
        .prepare_cached("DELETE FROM executions WHERE id = ?1 AND status >= 2 RETURNING plan")?
        .query_row([id.0.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(plan) = gone else { return Ok(false) };
    connection.prepare_cached("DELETE FROM journal WHERE id = ?1")?.execute([id.0.as_bytes()])?;
    count_uses(connection, known, plan, -1)?;
    Ok(true)
}

/// Counts executions of a plan up or down; at none, the plan goes.
pub(super) fn count_uses(
    connection: &Connection,
    known: &mut Known,
    plan: i64,
    change: i64,
) -> Result<()> {
    let uses: Option<i64> = connection
        .prepare_cached("UPDATE plans SET uses = uses + ?2 WHERE id = ?1 RETURNING uses")?
        .query_row([plan, change], |row| row.get(0))
        .optional()?;
    if uses.is_none_or(|uses| uses <= 0) {
        known.forget_plan(plan);
        connection.prepare_cached("DELETE FROM plans WHERE id = ?1")?.execute([plan])?;
        connection.prepare_cached("DELETE FROM sources WHERE plan = ?1")?.execute([plan])?;
    }
    Ok(())
}
