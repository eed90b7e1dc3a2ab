//! `db_update`: changed rows, and any other statement that writes, exactly once.
//!
//! Tables are made here too: `query: create table if not exists …`.

use super::db_insert::yes;
use super::db_query::{main, ten_thousand};
use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::bad;
use crate::sqlite::source::{self, Returning, condition};
use crate::sqlite::{self, Params, Rows, Statement, WriteOutput, ident};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Changes rows.
pub(crate) struct DbUpdate;

/// What to change, and where: `table` with `set` and `where`, or SQL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The connection's name.
    #[serde(default = "main")]
    connection: String,
    /// The table.
    table: Option<String>,
    /// Columns with their new values.
    set: Option<Map<String, Value>>,
    /// Which rows: columns with the values they must have. `null` matches NULL, a list any of its
    /// values.
    #[serde(default)]
    r#where: Map<String, Value>,
    /// Must be true to change all rows when `where` is empty.
    #[serde(default)]
    all: bool,
    /// Columns of the changed rows to give back, or `*` for all.
    #[serde(default)]
    returning: Returning,
    /// SQL instead of `table`: one statement, `create table if not exists …` for instance.
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

impl Atom for DbUpdate {
    type Input = Input;
    type Output = WriteOutput;
    const CARD: Card = Card {
        name: "db_update",
        layer: Layer::IoDb,
        summary: "Changes rows or tables of a database, exactly once.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &["query", "sql"],
        io: IoType::Disk,
        frequency: Frequency::High,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Mark an order as paid",
                setup: vec![Setup::Sql {
                    connection: "main",
                    statements: &[
                        "create table orders (id integer primary key, status text)",
                        "insert into orders (status) values ('open'), ('open')",
                    ],
                }],
                input: json!({
                    "table": "orders",
                    "set": { "status": "paid" },
                    "where": { "id": 2, "status": ["open", "late"] },
                    "returning": ["id"],
                }),
                expect: json!({ "rows_affected": 1, "rows": [{ "id": 2 }] }),
            },
            Example {
                title: "Make a table and count a visit, in one transaction",
                setup: vec![],
                input: json!({
                    "statements": [
                        { "query": "create table if not exists visit (page text primary key, n integer)" },
                        {
                            "query": "insert into visit values (:page, 1) on conflict do update set n = n + 1",
                            "params": { "page": "/" },
                        },
                    ],
                }),
                expect: json!({ "rows_affected": 1 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<WriteOutput, Failure> {
        let rows = Rows { most: input.max_rows as usize, json: Vec::new() };
        let (connection, once) = (input.connection, input.exactly_once);
        let raw =
            source::raw(Self::CARD.name, input.query, input.sql, input.params, input.statements)?;
        match (raw, input.table, input.set) {
            (Some(statements), None, None) => {
                sqlite::write_statements(&cx, &connection, once, rows, statements).await
            }
            (None, Some(table), Some(set)) if set.is_empty() => {
                Err(bad("db_update", "set", format!("it sets no column of `{table}`"))
                    .hint("name the columns with their new values"))
            }
            (None, Some(table), Some(set)) => {
                all_or_where("db_update", input.all, &input.r#where)?;
                let mut values = Vec::with_capacity(set.len());
                let mut changes = Vec::with_capacity(set.len());
                for (column, value) in set {
                    changes.push(format!("{} = ?", ident(&column)?));
                    values.push(value);
                }
                let condition = condition(input.r#where, &mut values)?;
                let returning = input.returning.sql()?;
                let sql = format!(
                    "update {} set {}{condition}{returning}",
                    ident(&table)?,
                    changes.join(", ")
                );
                sqlite::write(&cx, &connection, once, rows, move |unit| {
                    source::run(unit, &sql, values)
                })
                .await
            }
            _ => Err(source::either("db_update", "`set` and `where`")),
        }
    }
}

/// A forgotten condition must not reach every row.
pub(super) fn all_or_where(
    atom: &str,
    all: bool,
    condition: &Map<String, Value>,
) -> Result<(), Failure> {
    if condition.is_empty() && !all {
        return Err(bad(atom, "where", "it is empty, which would mean every row".to_owned())
            .hint("name the rows with `where`, or write `all: true` if every row is meant"));
    }
    Ok(())
}
