//! Writes: one transaction, one mark, one answer.

use super::mark;
use super::session::Session;
use super::statement::{self, Params, Rows};
use crate::blocking::Abort;
use crate::context::Cx;
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One statement of a transaction.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    /// The SQL of one statement.
    pub(crate) query: String,
    /// Its parameters: a list for `$1`, `$2`…, or a map for `:name`.
    #[serde(default)]
    pub(crate) params: Params,
}

/// What a write answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WriteOutput {
    /// Rows inserted, changed or deleted, over all statements. Rows that triggers and foreign
    /// keys change besides are not counted.
    pub(crate) rows_affected: u64,
    /// The rowid of the last inserted row; `null` when nothing was inserted. Tables `without
    /// rowid` have none to tell.
    pub(crate) last_insert_id: Option<i64>,
    /// The rows of `returning`, over all statements.
    pub(crate) rows: Vec<Value>,
    /// Whether rows of `returning` were left out because there were more than `max_rows`.
    pub(crate) truncated: bool,
}

/// An open transaction.
pub(crate) struct Unit<'a> {
    session: &'a Session,
    abort: &'a Abort,
    rows: Rows,
    output: WriteOutput,
}

impl Unit<'_> {
    /// Runs one statement and adds what it did to the answer.
    pub(crate) fn run(&mut self, sql: &str, params: Params) -> Result<(), Failure> {
        self.abort.check()?;
        let left = Rows {
            most: self.rows.most - self.output.rows.len(),
            json: std::mem::take(&mut self.rows.json),
        };
        let before = self.session.connection.last_insert_rowid();
        let ran = statement::run(self.session, sql, params, &left, self.abort);
        self.rows.json = left.json;
        let (result, affected) = ran?;
        self.output.rows_affected += affected;
        self.output.truncated |= result.truncated;
        self.output.rows.extend(result.rows);
        let rowid = self.session.connection.last_insert_rowid();
        let inserts = matches!(statement::first_word(sql).as_str(), "insert" | "replace");
        if affected > 0 && (inserts || rowid != before) {
            self.output.last_insert_id = Some(rowid);
        }
        Ok(())
    }
}

/// Runs `work` in one transaction on a connection, exactly once for each idempotency key when
/// `exactly_once` is set.
pub(crate) async fn write(
    cx: &Cx,
    connection: &str,
    exactly_once: bool,
    rows: Rows,
    work: impl FnOnce(&mut Unit<'_>) -> Result<(), Failure> + Send + 'static,
) -> Result<WriteOutput, Failure> {
    cx.access()?.db(connection)?;
    let database = cx.shared.databases.get(connection)?;
    let key = exactly_once.then(|| std::sync::Arc::clone(&cx.key));
    database
        .write(move |session, abort| transaction(session, abort, key.as_deref(), rows, work))
        .await
}

/// As [`write`], for statements as the author wrote them.
pub(crate) async fn write_statements(
    cx: &Cx,
    connection: &str,
    exactly_once: bool,
    rows: Rows,
    statements: Vec<Statement>,
) -> Result<WriteOutput, Failure> {
    write(cx, connection, exactly_once, rows, move |unit| {
        let several = statements.len() > 1;
        for (index, statement) in statements.into_iter().enumerate() {
            unit.run(&statement.query, statement.params).map_err(|mut failure| {
                if several {
                    failure.message = format!("statement {}: {}", index + 1, failure.message);
                }
                failure
            })?;
        }
        Ok(())
    })
    .await
}

fn transaction(
    session: &mut Session,
    abort: &Abort,
    key: Option<&str>,
    rows: Rows,
    work: impl FnOnce(&mut Unit<'_>) -> Result<(), Failure>,
) -> Result<WriteOutput, Failure> {
    session.trusted(|connection| connection.execute_batch("BEGIN IMMEDIATE"))?;
    if let Some(key) = key
        && let Some(result) = mark::find(session, key)?
    {
        session.trusted(|connection| connection.execute_batch("COMMIT"))?;
        session.has_marks = true;
        return serde_json::from_str(&result).map_err(|error| {
            Failure::permanent("db_mark", format!("the mark of `{key}` cannot be read: {error}"))
                .hint("somebody else writes to table `jalm_step_marks`")
        });
    }
    let mut unit = Unit { session, abort, rows, output: WriteOutput::default() };
    work(&mut unit)?;
    let output = unit.output;
    if let Some(key) = key {
        let result = serde_json::to_string(&output).map_err(Failure::bug)?;
        mark::set(session, key, &result)?;
    }
    abort.check()?;
    session.trusted(|connection| connection.execute_batch("COMMIT"))?;
    session.has_marks |= key.is_some();
    Ok(output)
}
