//! One transaction: many commands, written in as few rows as they allow.

use super::command::{Command, Op};
use crate::codec::{Refusal, parts_of, status_code};
use jalm_kernel::ids::{ExecutionId, PlanHash};
use jalm_kernel::ports::{Append, Birth, StoreError};
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// What became of a command that the transaction could take, or why it was refused alone.
pub(super) type Outcome = std::result::Result<bool, StoreError>;

/// After so many `set`s, some of what has run out is swept.
const SWEEP_EVERY: u32 = 64;
/// At most so many rows a sweep: twice of what came in.
const SWEEP: i64 = 128;

/// Numbers of the plans used lately, so that a source is looked up (and sent) once.
#[derive(Default)]
pub(super) struct Plans {
    known: HashMap<PlanHash, i64>,
    /// Found by the open transaction; known when it commits.
    found: Vec<(PlanHash, i64)>,
}

impl Plans {
    /// Forgotten all at once when full: that costs one lookup each, and no bookkeeping.
    const LIMIT: usize = 4096;

    fn number(&mut self, connection: &Connection, birth: &Birth) -> Result<i64> {
        let found = || self.found.iter().find(|(hash, _)| *hash == birth.plan).map(|(_, id)| *id);
        if let Some(id) = self.known.get(&birth.plan).copied().or_else(found) {
            return Ok(id);
        }
        let hash = &birth.plan.0[..];
        let fresh = connection
            .prepare_cached("INSERT INTO plans (hash, uses) VALUES (?1, 0) ON CONFLICT DO NOTHING")?
            .execute([hash])?;
        let id = connection
            .prepare_cached("SELECT id FROM plans WHERE hash = ?1")?
            .query_row([hash], |row| row.get(0))?;
        if fresh > 0 {
            connection
                .prepare_cached("INSERT INTO sources (plan, source) VALUES (?1, ?2)")?
                .execute(params![id, &*birth.source])?;
        }
        self.found.push((birth.plan, id));
        Ok(id)
    }

    fn forget(&mut self, plan: i64) {
        self.known.retain(|_, id| *id != plan);
        self.found.retain(|(_, id)| *id != plan);
    }

    /// The transaction was committed.
    pub(super) fn keep(&mut self) {
        if self.known.len() + self.found.len() > Self::LIMIT {
            self.known.clear();
        }
        self.known.extend(self.found.drain(..));
    }

    /// The transaction was rolled back.
    pub(super) fn drop_found(&mut self) {
        self.found.clear();
    }
}

/// Does `batch` inside the open transaction; one outcome a command. An error means that nothing
/// of it may be kept.
pub(super) fn apply(
    connection: &Connection,
    plans: &mut Plans,
    sets: &mut u32,
    batch: &[Command],
    now: i64,
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = batch.iter().map(|_| Ok(true)).collect();
    let mut group = Group::default();
    for (index, command) in batch.iter().enumerate() {
        outcomes[index] = Ok(match &command.op {
            Op::Append(append) => match Refusal::of(append) {
                Some(refusal) => {
                    outcomes[index] = Err(refusal.of_append(append));
                    continue;
                }
                None => {
                    group.add(index, append);
                    true
                }
            },
            Op::Delete(id) => {
                // What was appended before must be there before.
                std::mem::take(&mut group).write(connection, plans, &mut outcomes)?;
                delete(connection, plans, *id)?
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
    group.write(connection, plans, &mut outcomes)?;
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

/// Appends that wait to be written together.
#[derive(Default)]
struct Group<'a> {
    runs: Vec<Run<'a>>,
    /// The last run of each execution.
    last: HashMap<ExecutionId, usize>,
}

/// Appends of one execution, each continuing the one before; with their places in the batch.
struct Run<'a> {
    appends: Vec<(usize, &'a Append)>,
    /// Number of the event that would continue it.
    next: u64,
}

impl<'a> Group<'a> {
    fn add(&mut self, index: usize, append: &'a Append) {
        let next = append.first + u64::from(append.count);
        let id = append.summary.execution_id;
        let last = self.last.get(&id).copied();
        match last.and_then(|at| self.runs.get_mut(at)) {
            Some(run) if run.next == append.first && append.birth.is_none() => {
                run.appends.push((index, append));
                run.next = next;
            }
            _ => {
                self.last.insert(id, self.runs.len());
                self.runs.push(Run { appends: vec![(index, append)], next });
            }
        }
    }

    fn write(
        self,
        connection: &Connection,
        plans: &mut Plans,
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let mut uses = BTreeMap::new();
        for run in &self.runs {
            match write_run(connection, plans, &mut uses, &run.appends)? {
                None => {}
                Some(refusal) if run.appends.len() == 1 => {
                    refuse(run.appends[0], refusal, outcomes)
                }
                // The first of them was refused; another may still fit: as if each came alone.
                Some(_) => {
                    for append in &run.appends {
                        let alone = std::slice::from_ref(append);
                        if let Some(refusal) = write_run(connection, plans, &mut uses, alone)? {
                            refuse(*append, refusal, outcomes);
                        }
                    }
                }
            }
        }
        for (plan, uses) in uses {
            count_uses(connection, plans, plan, uses)?;
        }
        Ok(())
    }
}

fn refuse((index, append): (usize, &Append), refusal: Refusal, outcomes: &mut [Outcome]) {
    outcomes[index] = Err(refusal.of_append(append));
}

/// Writes one row of the list and one of the journal, or says why not. The last summary counts.
fn write_run(
    connection: &Connection,
    plans: &mut Plans,
    uses: &mut BTreeMap<i64, i64>,
    run: &[(usize, &Append)],
) -> Result<Option<Refusal>> {
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { return Ok(None) };
    let summary = &last.summary;
    let id = summary.execution_id;
    let events = int(last.first + u64::from(last.count));
    let written = if let Some(birth) = &first.birth {
        let plan = plans.number(connection, birth)?;
        let written = connection
            .prepare_cached(
                "INSERT INTO executions (id, intent, status, created_at, started_at, \
                 completed_at, plan, key, events) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                id.0.as_bytes(),
                &*first.summary.intent,
                status_code(summary.status),
                first.summary.created_at.0,
                summary.started_at.map(|at| at.0),
                summary.completed_at.map(|at| at.0),
                plan,
                birth.key.as_deref(),
                events
            ])?;
        *uses.entry(plan).or_default() += i64::from(written > 0);
        written
    } else {
        connection
            .prepare_cached(
                "UPDATE executions SET status = ?2, started_at = ?3, completed_at = ?4, \
                 events = ?5 WHERE id = ?1 AND events = ?6",
            )?
            .execute(params![
                id.0.as_bytes(),
                status_code(summary.status),
                summary.started_at.map(|at| at.0),
                summary.completed_at.map(|at| at.0),
                events,
                int(first.first)
            ])?
    };
    if written == 0 {
        return reason(connection, first).map(Some);
    }
    let record = if run.len() == 1 {
        Cow::Borrowed(first.record.as_slice())
    } else {
        let records: Vec<&[u8]> = run.iter().map(|(_, it)| it.record.as_slice()).collect();
        Cow::Owned(records.concat())
    };
    let parts = parts_of(run.iter().map(|(_, append)| *append));
    connection
        .prepare_cached(
            "INSERT INTO journal (id, first, count, parts, record) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id.0.as_bytes(),
            int(first.first),
            events - int(first.first),
            parts,
            record
        ])?;
    Ok(None)
}

/// Why the list row could not be written.
fn reason(connection: &Connection, append: &Append) -> Result<Refusal> {
    let stored: Option<i64> = connection
        .prepare_cached("SELECT events FROM executions WHERE id = ?1")?
        .query_row([append.summary.execution_id.0.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(birth) = &append.birth else {
        return Ok(match stored {
            Some(stored) => Refusal::Gap { stored: stored.cast_unsigned() },
            None => Refusal::Unknown,
        });
    };
    if stored.is_some() {
        return Ok(Refusal::Exists);
    }
    let other = super::query::find_key(connection, birth.key.as_deref().unwrap_or_default());
    match other {
        Ok(Some(other)) => Ok(Refusal::Key(other)),
        Ok(None) | Err(super::query::Bad::Damaged(_)) => Ok(Refusal::Exists),
        Err(super::query::Bad::Sql(error)) => Err(error),
    }
}

/// Forgets a finished execution, and its plan when nobody else uses it.
fn delete(connection: &Connection, plans: &mut Plans, id: ExecutionId) -> Result<bool> {
    let gone: Option<i64> = connection
        .prepare_cached("DELETE FROM executions WHERE id = ?1 AND status >= 2 RETURNING plan")?
        .query_row([id.0.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(plan) = gone else { return Ok(false) };
    connection.prepare_cached("DELETE FROM journal WHERE id = ?1")?.execute([id.0.as_bytes()])?;
    count_uses(connection, plans, plan, -1)?;
    Ok(true)
}

fn count_uses(connection: &Connection, plans: &mut Plans, plan: i64, change: i64) -> Result<()> {
    let uses: Option<i64> = connection
        .prepare_cached("UPDATE plans SET uses = uses + ?2 WHERE id = ?1 RETURNING uses")?
        .query_row([plan, change], |row| row.get(0))
        .optional()?;
    if uses.is_none_or(|uses| uses <= 0) {
        plans.forget(plan);
        connection.prepare_cached("DELETE FROM plans WHERE id = ?1")?.execute([plan])?;
        connection.prepare_cached("DELETE FROM sources WHERE plan = ?1")?.execute([plan])?;
    }
    Ok(())
}

/// SQLite's integers are signed; no journal has 2⁶³ events.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
