//! The questions, as SQL. Each runs on a connection that sees committed data only.

use crate::codec::{Bounds, split, status_code, status_of};
use jalm_kernel::ids::{ExecutionId, PlanHash, Timestamp};
use jalm_kernel::machine::{Status, Summary};
use jalm_kernel::ports::{Filter, Message, Record, Stored};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde_json::Value;
use std::sync::Arc;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Bad {
    Sql(rusqlite::Error),
    /// What was read makes no sense; the text says what and where.
    Damaged(String),
}

impl From<rusqlite::Error> for Bad {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

type Answer<T> = Result<T, Bad>;

const COLUMNS: &str = "id, intent, status, created_at, started_at, completed_at";

pub(super) fn load(connection: &Connection, id: ExecutionId) -> Answer<Option<Stored>> {
    let bytes = id.0.as_bytes();
    let snapshot = connection.unchecked_transaction()?;
    let found = snapshot
        .prepare_cached(&format!("SELECT {COLUMNS}, plan FROM executions WHERE id = ?1"))?
        .query_row([bytes], |row| Ok((summary(row), row.get::<_, i64>("plan")?)))
        .optional()?;
    let Some((summary, plan)) = found else { return Ok(None) };
    let source = snapshot
        .prepare_cached("SELECT hash, source FROM plans JOIN sources ON plan = id WHERE id = ?1")?
        .query_row([plan], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Arc<str>>(1)?)))
        .optional()?;
    let Some((hash, source)) = source else {
        return Err(Bad::Damaged(format!("the plan of execution `{id}` is missing")));
    };
    let records = rows(&snapshot, id, 0)?;
    let mut next = 0;
    for record in &records {
        if record.first != next {
            let what = format!("the journal of execution `{id}` breaks off at event {next}");
            return Err(Bad::Damaged(what));
        }
        next += u64::from(record.count);
    }
    if records.is_empty() {
        return Err(Bad::Damaged(format!("the journal of execution `{id}` is missing")));
    }
    Ok(Some(Stored { summary: summary?, plan: PlanHash(hash), source, records }))
}

pub(super) fn records(connection: &Connection, id: ExecutionId, from: u64) -> Answer<Vec<Record>> {
    let mut records = rows(connection, id, from)?;
    let seen = records.partition_point(|it| it.first + u64::from(it.count) <= from);
    records.drain(..seen);
    Ok(records)
}

/// The records from the row that holds event `from` on.
fn rows(connection: &Connection, id: ExecutionId, from: u64) -> Answer<Vec<Record>> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, parts, record FROM journal
         WHERE id = ?1 AND first >= coalesce(
             (SELECT max(first) FROM journal WHERE id = ?1 AND first <= ?2), 0)
         ORDER BY first",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![id.0.as_bytes(), from])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let record = Record {
            first: row.get::<_, i64>(0)?.cast_unsigned(),
            count: row.get(1)?,
            record: row.get(3)?,
        };
        let parts: Option<Vec<u8>> = row.get(2)?;
        split(record, parts.as_deref(), &mut records)
            .map_err(|what| Bad::Damaged(format!("execution `{id}`: {what}")))?;
    }
    Ok(records)
}

pub(super) fn unfinished(connection: &Connection) -> Answer<Vec<ExecutionId>> {
    let mut ids = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| !status.is_end()) {
        let mut statement = connection.prepare_cached(
            "SELECT id FROM executions INDEXED BY executions_status WHERE status = ?1",
        )?;
        let found = statement.query_map([status_code(status)], execution_id)?;
        for id in found {
            ids.push(id?);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

pub(super) fn find_key(connection: &Connection, key: &str) -> Answer<Option<ExecutionId>> {
    let id = connection
        .prepare_cached("SELECT id FROM executions INDEXED BY executions_key WHERE key = ?1")?
        .query_row([key], execution_id)
        .optional()?;
    Ok(id)
}

pub(super) fn list(connection: &Connection, filter: &Filter) -> Answer<Vec<Summary>> {
    let Some(bounds) = Bounds::of(filter) else { return Ok(Vec::new()) };
    let (intent, mut found) = (filter.intent.as_deref(), Vec::new());
    if let (Some(_), None) = (intent, filter.status) {
        // The index knows an intent's executions by state; each part is newest first.
        let snapshot = connection.unchecked_transaction()?;
        for status in Status::ALL {
            page(&snapshot, Some(status), intent, &bounds, &mut found)?;
        }
        found.sort_unstable_by_key(|summary| std::cmp::Reverse(summary.execution_id));
        found.truncate(bounds.limit as usize);
    } else {
        page(connection, filter.status, intent, &bounds, &mut found)?;
    }
    Ok(found)
}

/// The SQL of one page. A named index is used or the query fails: no plan changes behind our back.
pub(super) fn page_sql(status: bool, intent: bool) -> String {
    let (index, and) = match (status, intent) {
        (false, _) => ("", ""),
        (true, false) => ("INDEXED BY executions_status", "status = ?5 AND"),
        (true, true) => ("INDEXED BY executions_intent", "status = ?5 AND intent = ?6 AND"),
    };
    format!(
        "SELECT {COLUMNS} FROM executions {index}
         WHERE {and} id BETWEEN ?1 AND ?2 AND created_at >= ?3
         ORDER BY id DESC LIMIT ?4"
    )
}

/// Adds the newest executions of a state (or of all, then of all intents).
fn page(
    connection: &Connection,
    status: Option<Status>,
    intent: Option<&str>,
    bounds: &Bounds,
    found: &mut Vec<Summary>,
) -> Answer<()> {
    let sql = page_sql(status.is_some(), intent.is_some());
    let mut statement = connection.prepare_cached(&sql)?;
    let (low, high) = (bounds.low.to_be_bytes(), bounds.high.to_be_bytes());
    let code = status.map(status_code);
    let values: [&dyn ToSql; 6] = [&low, &high, &bounds.since, &bounds.limit, &code, &intent];
    let used = if code.is_none() { 4 } else { 5 + usize::from(intent.is_some()) };
    let mut rows = statement.query(&values[..used])?;
    while let Some(row) = rows.next()? {
        found.push(summary(row)?);
    }
    Ok(())
}

fn execution_id(row: &Row<'_>) -> rusqlite::Result<ExecutionId> {
    row.get(0).map(|bytes: [u8; 16]| ExecutionId(uuid::Uuid::from_bytes(bytes)))
}

/// A row of [`COLUMNS`].
fn summary(row: &Row<'_>) -> Answer<Summary> {
    let execution_id = execution_id(row)?;
    let code = row.get(2)?;
    let status = status_of(code).ok_or_else(|| {
        Bad::Damaged(format!("execution `{execution_id}` has the unknown state {code}"))
    })?;
    Ok(Summary {
        execution_id,
        intent: row.get(1)?,
        status,
        created_at: Timestamp(row.get(3)?),
        started_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        completed_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
    })
}

pub(super) fn get(
    connection: &Connection,
    space: &str,
    key: &str,
    now: Timestamp,
) -> Answer<Option<Value>> {
    let value: Option<String> = connection
        .prepare_cached(
            "SELECT value FROM kv
             WHERE space = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
        )?
        .query_row(params![space, key, now.0], |row| row.get(0))
        .optional()?;
    value.map(|text| json(&text, || format!("value `{key}` of `{space}`"))).transpose()
}

pub(super) fn peek(connection: &Connection, queue: &str, limit: u32) -> Answer<Vec<Message>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, body, headers, at FROM messages INDEXED BY messages_order
         WHERE queue = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![queue, limit])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        let place = || format!("message `{id}` of queue `{queue}`");
        let (body, headers): (String, String) = (row.get(1)?, row.get(2)?);
        let (body, headers) = (json(&body, place)?, json(&headers, place)?);
        messages.push(Message { id, body, headers, at: Timestamp(row.get(3)?) });
    }
    Ok(messages)
}

pub(super) fn queues(connection: &Connection) -> Answer<Vec<(String, u64)>> {
    let mut statement = connection
        .prepare_cached("SELECT queue, count(*) FROM messages GROUP BY queue ORDER BY queue")?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn json(text: &str, place: impl Fn() -> String) -> Answer<Value> {
    serde_json::from_str(text)
        .map_err(|error| Bad::Damaged(format!("the {} is not JSON: {error}", place())))
}
