//! `db_query`: rows of a database.
//!
//! Runs on a connection that cannot write; whether a statement writes is SQLite's own judgement.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::bad;
use crate::sqlite::source;
use crate::sqlite::{self, Params, ResultSet, Rows};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Reads rows.
pub(crate) struct DbQuery;

/// What to read, and where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The connection's name.
    #[serde(default = "main")]
    connection: String,
    /// One SQL statement that reads.
    query: Option<String>,
    /// Another name for `query`.
    sql: Option<String>,
    /// Values of the statement's parameters: a list for `$1`, `$2`…, or a map for `:name`.
    /// `{"$base64": "…"}` is a blob; lists and other maps are stored as JSON text.
    #[serde(default)]
    params: Params,
    /// Further rows are left out, and `truncated` says so.
    #[serde(default = "ten_thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_rows: u32,
    /// Columns whose text is JSON and shall be parsed.
    #[serde(default)]
    json: Vec<String>,
}

pub(super) fn main() -> String {
    "main".to_owned()
}

pub(super) fn ten_thousand() -> u32 {
    10_000
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// One map of columns for each row. Integers keep all 64 bits; a blob is `{"$base64": "…"}`.
    /// A second column `id` is called `id_2`.
    rows: Vec<Value>,
    /// How many rows are in `rows`.
    count: usize,
    /// Names of the columns in order.
    columns: Vec<String>,
    /// Whether rows were left out because there were more than `max_rows`.
    truncated: bool,
}

impl Atom for DbQuery {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "db_query",
        layer: Layer::IoDb,
        summary: "Reads rows from a database.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &["query", "sql"],
        io: IoType::Disk,
        frequency: Frequency::High,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("query" | "sql", Some(sql)) => sqlite::check_query(sql),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Sum up the sales of a day",
            setup: vec![Setup::Sql {
                connection: "main",
                statements: &[
                    "create table sale (sku text, qty integer, day text)",
                    "insert into sale values ('apple', 3, '2026-11-24'), ('apple', 4, '2026-11-24'), ('pear', 1, '2026-11-23')",
                ],
            }],
            input: json!({
                "query": "select sku, sum(qty) as qty from sale where day = $1 group by sku",
                "params": ["2026-11-24"],
            }),
            expect: json!({ "rows": [{ "sku": "apple", "qty": 7 }], "count": 1, "truncated": false }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { connection, query, sql, params, max_rows, json } = input;
        let query = source::one(Self::CARD.name, query, sql)?.ok_or_else(|| {
            bad(Self::CARD.name, "query", "it is required and is missing".to_owned())
                .hint("add `query`: one SQL statement that reads")
        })?;
        let rows = Rows { most: max_rows as usize, json };
        let ResultSet { columns, rows, truncated } =
            sqlite::read(&cx, &connection, query, params, rows).await?;
        Ok(Output { count: rows.len(), rows, columns, truncated })
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { rows, count, columns, truncated } = output;
        Ok(crate::atom::object([
            ("rows", Value::Array(rows)),
            ("count", count.into()),
            ("columns", columns.into()),
            ("truncated", truncated.into()),
        ]))
    }
}
