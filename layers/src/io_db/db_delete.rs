//! `db_delete`: rows gone, exactly once.

use super::db_insert::yes;
use super::db_query::{main, ten_thousand};
use super::db_update::all_or_where;
use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::sqlite::source::{self, Returning, condition};
use crate::sqlite::{self, Params, Rows, Statement, WriteOutput, ident};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Deletes rows.
pub(crate) struct DbDelete;

/// What to delete, and where: `table` with `where`, or SQL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The connection's name.
    #[serde(default = "main")]
    connection: String,
    /// The table.
    table: Option<String>,
    /// Which rows: columns with the values they must have. `null` matches NULL, a list any of its
    /// values.
    #[serde(default)]
    r#where: Map<String, Value>,
    /// Must be true to delete all rows when `where` is empty.
    #[serde(default)]
    all: bool,
    /// Columns of the deleted rows to give back, or `*` for all.
    #[serde(default)]
    returning: Returning,
    /// SQL instead of `table`: one statement.
    query: Option<String>,
    /// Another name for `query`.
    sql: Option<String>,
    /// Values of the parameters of `query`: a list for `$1`, `$2`…, or a map for `:name`.
    #[serde(default)]
    params: Params,
    /// SQL instead of `table`: several statements, run in one transaction after `query`.
    #[serde(default)]
    statements: Vec<Statement>,
    /// Rows of `returning` to give back at most.
    #[serde(default = "ten_thousand")]
    max_rows: u32,
    /// Whether a call that is repeated after a crash is recognised. It costs one row in the table
    /// `jalm_step_marks` of the same database.
    #[serde(default = "yes")]
    exactly_once: bool,
}

impl Atom for DbDelete {
    type Input = Input;
    type Output = WriteOutput;
    const CARD: Card = Card {
        name: "db_delete",
        layer: Layer::IoDb,
        summary: "Deletes rows of a database, exactly once.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &["query", "sql"],
        io: IoType::Disk,
        frequency: Frequency::Medium,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Delete expired sessions of one user",
            setup: vec![Setup::Sql {
                connection: "main",
                statements: &[
                    "create table session (id integer primary key, user text, ended integer)",
                    "insert into session (user, ended) values ('ann', 1), ('ann', null), ('bob', 1)",
                ],
            }],
            input: json!({ "table": "session", "where": { "user": "ann", "ended": 1 } }),
            expect: json!({ "rows_affected": 1 }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<WriteOutput, Failure> {
        let rows = Rows { most: input.max_rows as usize, json: Vec::new() };
        let (connection, once) = (input.connection, input.exactly_once);
        let raw =
            source::raw(Self::CARD.name, input.query, input.sql, input.params, input.statements)?;
        match (raw, input.table) {
            (Some(statements), None) if input.r#where.is_empty() => {
                sqlite::write_statements(&cx, &connection, once, rows, statements).await
            }
            (None, Some(table)) => {
                all_or_where("db_delete", input.all, &input.r#where)?;
                let mut values = Vec::new();
                let condition = condition(input.r#where, &mut values)?;
                let returning = input.returning.sql()?;
                let sql = format!("delete from {}{condition}{returning}", ident(&table)?);
                sqlite::write(&cx, &connection, once, rows, move |unit| {
                    source::run(unit, &sql, values)
                })
                .await
            }
            _ => Err(source::either("db_delete", "`where`")),
        }
    }
}
