//! `db_insert`: new rows, exactly once.

use super::db_query::{main, ten_thousand};
use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{BAD_INPUT, bad};
use crate::sqlite::source::{self, Returning, idents};
use crate::sqlite::{self, Params, Rows, Statement, Unit, WriteOutput, ident};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Inserts rows.
pub(crate) struct DbInsert;

/// What to insert, and where: `table` with `row` or `rows`, or SQL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The connection's name.
    #[serde(default = "main")]
    connection: String,
    /// The table.
    table: Option<String>,
    /// One row: columns with values.
    row: Option<Map<String, Value>>,
    /// Many rows, inserted in one transaction. Columns that a row leaves out get their defaults.
    rows: Option<Vec<Map<String, Value>>>,
    /// What to do with a row that is there already.
    #[serde(default)]
    on_conflict: OnConflict,
    /// The columns that make a row the same one. Required for `on_conflict: update`.
    #[serde(default)]
    conflict_keys: Vec<String>,
    /// Columns of the new rows to give back, or `*` for all.
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

pub(super) fn yes() -> bool {
    true
}

/// What to do with a row that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnConflict {
    /// The step fails and inserts nothing.
    #[default]
    Error,
    /// The row that is there stays.
    Ignore,
    /// The row that is there is deleted, and the new one takes its place.
    Replace,
    /// The columns of the row that is there are set to those of the new one.
    Update,
}

impl Atom for DbInsert {
    type Input = Input;
    type Output = WriteOutput;
    const CARD: Card = Card {
        name: "db_insert",
        layer: Layer::IoDb,
        summary: "Inserts rows into a database, exactly once.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &["query", "sql"],
        io: IoType::Disk,
        frequency: Frequency::High,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        let table = Setup::Sql {
            connection: "main",
            statements: &[
                "create table item (sku text primary key, qty integer not null default 1)",
            ],
        };
        vec![
            Example {
                title: "Insert two rows and get their keys",
                setup: vec![table.clone()],
                input: json!({
                    "table": "item",
                    "rows": [{ "sku": "apple", "qty": 3 }, { "sku": "pear" }],
                    "returning": ["sku", "qty"],
                }),
                expect: json!({
                    "rows_affected": 2,
                    "rows": [{ "sku": "apple", "qty": 3 }, { "sku": "pear", "qty": 1 }],
                }),
            },
            Example {
                title: "Insert or update",
                setup: vec![
                    table,
                    Setup::Sql {
                        connection: "main",
                        statements: &["insert into item values ('apple', 1)"],
                    },
                ],
                input: json!({
                    "table": "item",
                    "row": { "sku": "apple", "qty": 9 },
                    "on_conflict": "update",
                    "conflict_keys": ["sku"],
                    "returning": "*",
                }),
                expect: json!({ "rows_affected": 1, "rows": [{ "sku": "apple", "qty": 9 }] }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<WriteOutput, Failure> {
        let rows = Rows { most: input.max_rows as usize, json: Vec::new() };
        let (connection, once) = (input.connection, input.exactly_once);
        let raw =
            source::raw(Self::CARD.name, input.query, input.sql, input.params, input.statements)?;
        let new_rows = match (input.row, input.rows) {
            (row, None) => row.map(|row| vec![row]),
            (None, rows) => rows,
            (Some(_), Some(_)) => {
                return Err(bad("db_insert", "row", "`rows` is given too".to_owned())
                    .hint("put all rows into `rows`"));
            }
        };
        match (raw, input.table, new_rows) {
            (Some(statements), None, None) => {
                sqlite::write_statements(&cx, &connection, once, rows, statements).await
            }
            (None, Some(table), Some(new_rows)) => {
                let plan = Plan {
                    table: ident(&table)?,
                    on_conflict: input.on_conflict,
                    keys: input.conflict_keys,
                    returning: input.returning.sql()?,
                };
                plan.check()?;
                sqlite::write(&cx, &connection, once, rows, move |unit| plan.run(unit, new_rows))
                    .await
            }
            _ => Err(source::either("db_insert", "`row` or `rows`")),
        }
    }
}

struct Plan {
    table: String,
    on_conflict: OnConflict,
    keys: Vec<String>,
    returning: String,
}

impl Plan {
    fn check(&self) -> Result<(), Failure> {
        if self.on_conflict == OnConflict::Update && self.keys.is_empty() {
            return Err(bad(
                "db_insert",
                "conflict_keys",
                "`on_conflict: update` needs it".to_owned(),
            )
            .hint("list the columns that make a row the same one, as in its primary key"));
        }
        Ok(())
    }

    fn run(&self, unit: &mut Unit<'_>, rows: Vec<Map<String, Value>>) -> Result<(), Failure> {
        let several = rows.len() > 1;
        for (index, row) in rows.into_iter().enumerate() {
            let sql = self.sql(&row)?;
            let values = row.into_iter().map(|(_, value)| value).collect();
            source::run(unit, &sql, values).map_err(|mut failure| {
                if several && failure.code != BAD_INPUT {
                    failure.message = format!("row {}: {}", index + 1, failure.message);
                }
                failure
            })?;
        }
        Ok(())
    }

    fn sql(&self, row: &Map<String, Value>) -> Result<String, Failure> {
        let verb =
            if self.on_conflict == OnConflict::Replace { "insert or replace" } else { "insert" };
        let values = if row.is_empty() {
            "default values".to_owned()
        } else {
            let marks = vec!["?"; row.len()].join(", ");
            format!("({}) values ({marks})", idents(row.keys())?)
        };
        let target = if self.keys.is_empty() {
            String::new()
        } else {
            format!(" ({})", idents(self.keys.iter())?)
        };
        let changed: Vec<String> = row
            .keys()
            .filter(|column| !self.keys.contains(column))
            .map(|column| ident(column).map(|column| format!("{column} = excluded.{column}")))
            .collect::<Result<_, _>>()?;
        let conflict = match self.on_conflict {
            OnConflict::Error | OnConflict::Replace => String::new(),
            OnConflict::Update if !changed.is_empty() => {
                format!(" on conflict{target} do update set {}", changed.join(", "))
            }
            OnConflict::Ignore | OnConflict::Update => format!(" on conflict{target} do nothing"),
        };
        Ok(format!("{verb} into {} {values}{conflict}{}", self.table, self.returning))
    }
}
