//! What the writer remembers of the rows it wrote, so that it need not ask for them again.
//!
//! The writer is the only one who writes, so what it remembers is true. After a rollback it
//! forgets everything and asks again.

use crate::codec::{Refusal, status_code};
use jalm_kernel::ids::{ExecutionId, PlanHash};
use jalm_kernel::machine::Summary;
use jalm_kernel::ports::Birth;
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::collections::HashMap;

/// Forgotten all at once when full: that costs one question each, and no bookkeeping.
const PLANS: usize = 4096;
const TAILS: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Known {
    /// The row of each plan used lately: a source is looked up (and sent) once.
    plans: HashMap<PlanHash, i64>,
    /// Of executions that go on; an ended one is never here, so a deletion leaves nothing stale.
    tails: HashMap<ExecutionId, Tail>,
}

/// Where a journal ends, and the list row as it is.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    pub(super) events: u64,
    pub(super) row: Changing,
}

/// The columns of a list row that change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Changing {
    pub(super) status: i64,
    pub(super) started_at: Option<i64>,
    pub(super) completed_at: Option<i64>,
}

impl From<&Summary> for Changing {
    fn from(summary: &Summary) -> Self {
        Self {
            status: status_code(summary.status),
            started_at: summary.started_at.map(|at| at.0),
            completed_at: summary.completed_at.map(|at| at.0),
        }
    }
}

impl Known {
    /// The transaction was rolled back: nothing is certain.
    pub(super) fn forget_all(&mut self) {
        self.plans.clear();
        self.tails.clear();
    }

    pub(super) fn forget_plan(&mut self, plan: i64) {
        self.plans.retain(|_, id| *id != plan);
    }

    /// The row of a plan; stores its source if it is new.
    pub(super) fn plan(&mut self, connection: &Connection, birth: &Birth) -> Result<i64> {
        if let Some(id) = self.plans.get(&birth.plan) {
            return Ok(*id);
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
        if self.plans.len() >= PLANS {
            self.plans.clear();
        }
        self.plans.insert(birth.plan, id);
        Ok(id)
    }

    /// Where the journal of `id` ends; it must end at `first`.
    pub(super) fn tail(
        &mut self,
        connection: &Connection,
        id: ExecutionId,
        first: u64,
    ) -> Result<std::result::Result<Tail, Refusal>> {
        let known = match self.tails.get(&id) {
            Some(tail) => Some(*tail),
            None => stored(connection, id)?,
        };
        Ok(match known {
            None => Err(Refusal::Unknown),
            Some(Tail { events, .. }) if events != first => Err(Refusal::Gap { stored: events }),
            Some(tail) => Ok(tail),
        })
    }

    /// The journal of `id` ends here now.
    pub(super) fn moved(&mut self, id: ExecutionId, tail: Tail, ended: bool) {
        if ended {
            self.tails.remove(&id);
            return;
        }
        if self.tails.len() >= TAILS {
            self.tails.clear();
        }
        self.tails.insert(id, tail);
    }
}

/// Asks the database.
fn stored(connection: &Connection, id: ExecutionId) -> Result<Option<Tail>> {
    connection
        .prepare_cached(
            "SELECT status, started_at, completed_at,
                 (SELECT first + count FROM journal WHERE id = ?1 ORDER BY first DESC LIMIT 1)
             FROM executions WHERE id = ?1",
        )?
        .query_row([id.0.as_bytes()], |row| {
            let row_now = Changing {
                status: row.get(0)?,
                started_at: row.get(1)?,
                completed_at: row.get(2)?,
            };
            Ok(Tail { events: row.get::<_, i64>(3)?.cast_unsigned(), row: row_now })
        })
        .optional()
}

pub(super) fn exists(connection: &Connection, id: ExecutionId) -> Result<bool> {
    stored(connection, id).map(|tail| tail.is_some())
}
