//! One statement: binding its parameters, running it, reading its rows.

use super::session::Session;
use super::values::{from_sql, to_sql};
use crate::blocking::Abort;
use jalm_kernel::failure::Failure;
use rusqlite::Statement;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A result may not be larger, about as it will stand in the journal.
const LARGEST_RESULT: usize = 16 * 1024 * 1024;
/// Rows between two looks at the abort flag.
const LOOK_EVERY: u64 = 256;

/// Values of a statement's parameters: a list for `$1`, `?1`, `?`, a map for `:name`, `@name`, `$name`.
#[derive(Clone, Debug)]
pub(crate) enum Params {
    List(Vec<Value>),
    Map(Map<String, Value>),
}

impl Default for Params {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            Value::Array(list) => Ok(Self::List(list)),
            Value::Object(map) => Ok(Self::Map(map)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(D::Error::custom("expected a list for `$1`, `$2`…, or a map for `:name`"))
            }
        }
    }
}

impl JsonSchema for Params {
    fn schema_name() -> Cow<'static, str> {
        "Params".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["array", "object", "null"] })
    }
}

impl Params {
    fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }

    /// Takes the value of one parameter. `name` is as SQLite gives it, none for a plain `?`.
    fn take(&mut self, index: usize, name: Option<&str>) -> Result<Value, String> {
        let number = match name {
            None => Some(index),
            Some(name) => name[1..].parse::<usize>().ok().filter(|_| name.starts_with(['?', '$'])),
        };
        match (self, number, name) {
            (Self::List(list), Some(number), _) => {
                list.get(number.wrapping_sub(1)).cloned().ok_or_else(|| {
                    format!(
                        "the statement uses parameter {number}, and `params` has {}",
                        list.len()
                    )
                })
            }
            (Self::List(_), None, name) => Err(format!(
                "the statement names `{}`, so `params` must be a map",
                name.unwrap_or_default()
            )),
            (Self::Map(map), _, Some(name)) => {
                let bare = name.trim_start_matches([':', '@', '$', '?']);
                map.get(bare).or_else(|| map.get(name)).cloned().ok_or_else(|| {
                    format!("the statement uses `{name}`, and `params` has no `{bare}`")
                })
            }
            (Self::Map(_), _, None) => {
                Err("the statement uses `?`, so `params` must be a list".to_owned())
            }
        }
    }
}

/// The rows of a statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultSet {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Value>,
    pub(crate) truncated: bool,
}

/// How rows are read.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// At most this many; further ones are left out.
    pub(crate) most: usize,
    /// Columns whose text is JSON and is parsed.
    pub(crate) json: Vec<String>,
}

/// Runs a statement that only reads.
pub(super) fn read(
    session: &Session,
    sql: &str,
    params: Params,
    rows: &Rows,
    abort: &Abort,
) -> Result<ResultSet, Failure> {
    let mut statement =
        session.connection.prepare_cached(sql).map_err(|error| session.explain(error))?;
    if !statement.readonly() {
        return Err(not_a_query());
    }
    bind(&mut statement, params)?;
    collect(session, &mut statement, rows, abort)
}

/// Runs any statement; its rows are those of `returning`.
pub(super) fn run(
    session: &Session,
    sql: &str,
    params: Params,
    rows: &Rows,
    abort: &Abort,
) -> Result<(ResultSet, u64), Failure> {
    let connection = &session.connection;
    let mut statement = connection.prepare_cached(sql).map_err(|error| session.explain(error))?;
    bind(&mut statement, params)?;
    let before = connection.total_changes();
    let result = if statement.column_count() == 0 {
        statement.raw_execute().map_err(|error| session.explain(error))?;
        ResultSet::default()
    } else {
        collect(session, &mut statement, rows, abort)?
    };
    // Statements that change no rows leave the count of the statement before them.
    let affected = if connection.total_changes() == before { 0 } else { connection.changes() };
    Ok((result, affected))
}

/// The refusal of a query that writes.
fn not_a_query() -> Failure {
    Failure::permanent("db_not_a_query", "the statement writes, and `db_query` only reads")
        .hint("use `db_insert`, `db_update` or `db_delete`, which run exactly once")
}

/// Refuses at planning what plainly writes.
pub(crate) fn check_query(sql: &str) -> Result<(), Failure> {
    if is_write(sql) { Err(not_a_query()) } else { Ok(()) }
}

/// Whether a statement's first word says that it writes. `with … insert` is found at the run.
fn is_write(sql: &str) -> bool {
    const WRITING: [&str; 9] =
        ["insert", "update", "delete", "replace", "create", "drop", "alter", "reindex", "vacuum"];
    WRITING.contains(&first_word(sql).as_str())
}

/// The first word of a statement in lower case, notes skipped.
pub(super) fn first_word(sql: &str) -> String {
    let mut rest = sql.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        }
        .trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    word.to_ascii_lowercase()
}

/// A name between quotes, so that it can only be a name.
pub(crate) fn ident(name: &str) -> Result<String, Failure> {
    if name.is_empty() || name.contains('\0') {
        return Err(Failure::permanent(
            "bad_input",
            format!("`{name}` is not a name of a table or column"),
        )
        .hint("write the name as it stands in the database"));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

fn bind(statement: &mut Statement<'_>, mut params: Params) -> Result<(), Failure> {
    let wrong = |what: String| {
        Failure::permanent("bad_input", format!("bad input `params`: {what}"))
            .hint("give one value for each parameter of the statement")
    };
    let count = statement.parameter_count();
    if count == 0 && !params.is_empty() {
        return Err(wrong("the statement has no parameters".to_owned()));
    }
    if let Params::List(list) = &params
        && list.len() > count
        && (1..=count).all(|index| statement.parameter_name(index).is_none())
    {
        return Err(wrong(format!(
            "the statement has {count} parameters, and {} are given",
            list.len()
        )));
    }
    for index in 1..=count {
        let value = params.take(index, statement.parameter_name(index)).map_err(wrong)?;
        let value = to_sql(value).map_err(wrong)?;
        statement
            .raw_bind_parameter(index, value)
            .map_err(|error| super::failure::sql_failure(error, None))?;
    }
    Ok(())
}

fn collect(
    session: &Session,
    statement: &mut Statement<'_>,
    wanted: &Rows,
    abort: &Abort,
) -> Result<ResultSet, Failure> {
    // Known for sure only after the first step: another connection may change the table.
    let (mut columns, mut json): (Vec<String>, Vec<bool>) = (Vec::new(), Vec::new());
    let (mut result, mut size, mut seen) = (Vec::new(), 0_usize, 0_u64);
    let (mut truncated, readonly) = (false, statement.readonly());
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| session.explain(error))? {
        if columns.is_empty() {
            columns = unique(row.as_ref().column_names());
            json = columns.iter().map(|name| wanted.json.contains(name)).collect();
        }
        seen += 1;
        if seen % LOOK_EVERY == 0 {
            abort.check()?;
        }
        if result.len() == wanted.most {
            // The rest of a writing statement still has to happen.
            truncated = true;
            if readonly {
                break;
            }
            continue;
        }
        let mut object = Map::with_capacity(columns.len());
        for (index, name) in columns.iter().enumerate() {
            let value = row.get_ref(index).map_err(|error| session.explain(error))?;
            let (value, bytes) = from_sql(value);
            size += bytes + name.len();
            object.insert(name.clone(), if json[index] { parsed(name, value)? } else { value });
        }
        result.push(Value::Object(object));
        if size > LARGEST_RESULT {
            return Err(Failure::permanent("result_too_large", "the rows take more than 16 MiB")
                .hint("select fewer columns, or page with `limit` and `offset`"));
        }
    }
    drop(rows);
    if columns.is_empty() {
        columns = unique(statement.column_names());
    }
    Ok(ResultSet { columns, rows: result, truncated })
}

/// A second `id` becomes `id_2`: no value hides another.
fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        let mut candidate = name.to_owned();
        let mut count = 1;
        while unique.contains(&candidate) {
            count += 1;
            candidate = format!("{name}_{count}");
        }
        unique.push(candidate);
    }
    unique
}

fn parsed(name: &str, value: Value) -> Result<Value, Failure> {
    let Value::String(text) = &value else { return Ok(value) };
    serde_json::from_str(text).map_err(|error| {
        Failure::permanent("db_json", format!("column `{name}` does not hold JSON: {error}"))
            .hint("leave the column out of `json`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells_what_plainly_writes() {
        for sql in
            ["INSERT into t values (1)", " -- note\n /* x */ update t set a = 1", "Drop table t"]
        {
            assert!(is_write(sql), "{sql}");
        }
        for sql in [
            "select 1",
            "with x as (select 1) select * from x",
            "",
            "-- only a note",
            "explain delete from t",
        ] {
            assert!(!is_write(sql), "{sql}");
        }
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(ident("a\" ; drop table t; --").unwrap(), "\"a\"\" ; drop table t; --\"");
        assert!(ident("").is_err() && ident("a\0b").is_err());
    }

    #[test]
    fn no_column_hides_another() {
        assert_eq!(unique(["id", "n", "id", "id"].into_iter()), ["id", "n", "id_2", "id_3"]);
    }
}
