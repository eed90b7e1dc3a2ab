//! Appends that are written together: one journal row for records that follow each other.

use super::batch::{Outcome, count_uses};
use super::known::{Changing, Known, Tail, exists};
use super::query::{Bad, find_key};
use crate::codec::{Refusal, parts_of};
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::ports::{Append, Birth};
use rusqlite::{CachedStatement, Connection, Result, params};
use std::collections::{BTreeMap, HashMap};

/// Appends that wait to be written together, with their places in the batch.
#[derive(Default)]
pub(super) struct Group<'a> {
    runs: Vec<Run<'a>>,
    /// The last run of each execution.
    last: HashMap<ExecutionId, usize>,
}

/// Appends of one execution, each continuing the one before.
struct Run<'a> {
    appends: Vec<(usize, &'a Append)>,
    /// Number of the event that would continue it.
    next: u64,
}

impl<'a> Group<'a> {
    pub(super) fn add(&mut self, index: usize, append: &'a Append) {
        let next = append.first.saturating_add(u64::from(append.count));
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

    pub(super) fn write(
        self,
        connection: &Connection,
        known: &mut Known,
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        if self.runs.is_empty() {
            return Ok(());
        }
        let mut pen = Pen::new(connection, known)?;
        for run in &self.runs {
            match pen.write(&run.appends)? {
                Ok(()) => {}
                Err(refusal) if run.appends.len() == 1 => {
                    refuse(run.appends[0], refusal, outcomes);
                }
                // The first of them was refused; another may still fit: as if each came alone.
                Err(_) => {
                    for append in &run.appends {
                        if let Err(refusal) = pen.write(std::slice::from_ref(append))? {
                            refuse(*append, refusal, outcomes);
                        }
                    }
                }
            }
        }
        let uses = std::mem::take(&mut pen.uses);
        drop(pen);
        for (plan, uses) in uses {
            count_uses(connection, known, plan, uses)?;
        }
        Ok(())
    }
}

fn refuse((index, append): (usize, &Append), refusal: Refusal, outcomes: &mut [Outcome]) {
    outcomes[index] = Err(refusal.of_append(append));
}

/// The statements, looked up once a group.
struct Pen<'c> {
    connection: &'c Connection,
    known: &'c mut Known,
    /// New executions of each plan.
    uses: BTreeMap<i64, i64>,
    insert: CachedStatement<'c>,
    update: CachedStatement<'c>,
    journal: CachedStatement<'c>,
    joined: Vec<u8>,
}

impl<'c> Pen<'c> {
    fn new(connection: &'c Connection, known: &'c mut Known) -> Result<Self> {
        Ok(Self {
            connection,
            known,
            uses: BTreeMap::new(),
            insert: connection.prepare_cached(
                "INSERT INTO executions (id, intent, status, created_at, started_at, \
                 completed_at, plan, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO NOTHING",
            )?,
            update: connection.prepare_cached(
                "UPDATE executions SET status = ?2, started_at = ?3, completed_at = ?4
                 WHERE id = ?1",
            )?,
            journal: connection.prepare_cached(
                "INSERT INTO journal (id, first, count, parts, record)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            joined: Vec::new(),
        })
    }

    /// Writes a run: one row of the journal and, if it changed, the list row; the last summary
    /// counts.
    fn write(&mut self, run: &[(usize, &Append)]) -> Result<std::result::Result<(), Refusal>> {
        let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else {
            return Ok(Ok(()));
        };
        let id = first.summary.execution_id;
        let row = Changing::from(&last.summary);
        let kept = match &first.birth {
            Some(birth) => self.bear(first, birth, row)?,
            None => self.keep(first, row)?,
        };
        if kept.is_err() {
            return Ok(kept);
        }
        let end = last.first.saturating_add(u64::from(last.count));
        let record = if run.len() == 1 {
            &first.record
        } else {
            self.joined.clear();
            for (_, append) in run {
                self.joined.extend_from_slice(&append.record);
            }
            &self.joined
        };
        self.journal.execute(params![
            id.0.as_bytes(),
            int(first.first),
            int(end - first.first),
            parts_of(run.iter().map(|(_, append)| *append)),
            record
        ])?;
        self.known.moved(id, Tail { events: end, row }, last.summary.status.is_end());
        Ok(Ok(()))
    }

    /// A new execution.
    fn bear(
        &mut self,
        append: &Append,
        birth: &Birth,
        row: Changing,
    ) -> Result<std::result::Result<(), Refusal>> {
        let plan = self.known.plan(self.connection, birth)?;
        let written = self.insert.execute(params![
            append.summary.execution_id.0.as_bytes(),
            &*append.summary.intent,
            row.status,
            append.summary.created_at.0,
            row.started_at,
            row.completed_at,
            plan,
            birth.key.as_deref()
        ])?;
        *self.uses.entry(plan).or_default() += i64::from(written > 0);
        if written > 0 {
            return Ok(Ok(()));
        }
        self.taken(append.summary.execution_id, birth).map(Err)
    }

    /// An execution that goes on. Its list row is left alone when nothing in it changes.
    fn keep(&mut self, append: &Append, row: Changing) -> Result<std::result::Result<(), Refusal>> {
        let id = append.summary.execution_id;
        let tail = match self.known.tail(self.connection, id, append.first)? {
            Ok(tail) => tail,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if tail.row != row {
            let Changing { status, started_at, completed_at } = row;
            self.update.execute(params![id.0.as_bytes(), status, started_at, completed_at])?;
        }
        Ok(Ok(()))
    }

    /// Why a new execution could not be written: its id is taken, or its key.
    fn taken(&self, id: ExecutionId, birth: &Birth) -> Result<Refusal> {
        if exists(self.connection, id)? {
            return Ok(Refusal::Exists);
        }
        match find_key(self.connection, birth.key.as_deref().unwrap_or_default()) {
            Ok(Some(owner)) => Ok(Refusal::Key(owner)),
            Ok(None) | Err(Bad::Damaged(_)) => Ok(Refusal::Exists),
            Err(Bad::Sql(error)) => Err(error),
        }
    }
}

/// SQLite's integers are signed; no journal has 2⁶³ events.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
