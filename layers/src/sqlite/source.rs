//! The ways to say what is written: a table with values, or SQL.

use super::write::Statement;
use super::{Params, Unit, ident};
use crate::input::bad;
use jalm_kernel::failure::Failure;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// `query` has two names.
pub(crate) fn one(
    atom: &str,
    query: Option<String>,
    sql: Option<String>,
) -> Result<Option<String>, Failure> {
    match (query, sql) {
        (Some(_), Some(_)) => Err(bad(atom, "sql", "`query` is given too".to_owned())
            .hint("they mean the same; leave one out")),
        (query, sql) => Ok(query.or(sql)),
    }
}

/// The SQL of `query` and `statements`; none when there is none.
pub(crate) fn raw(
    atom: &str,
    query: Option<String>,
    sql: Option<String>,
    params: Params,
    statements: Vec<Statement>,
) -> Result<Option<Vec<Statement>>, Failure> {
    let first = one(atom, query, sql)?.map(|query| Statement { query, params });
    let all: Vec<Statement> = first.into_iter().chain(statements).collect();
    Ok((!all.is_empty()).then_some(all))
}

/// Neither SQL nor a table, or both.
pub(crate) fn either(atom: &str, keys: &str) -> Failure {
    bad(atom, "", format!("give either `table` with {keys}, or SQL in `query` or `statements`"))
        .hint(format!("write `table` and {keys}; SQL is for what they cannot say"))
}

/// Columns to give back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Returning {
    #[default]
    Nothing,
    All,
    Columns(Vec<String>),
}

impl<'de> Deserialize<'de> for Returning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom("expected a list of columns, or `*` for all");
        match Value::deserialize(deserializer)? {
            Value::Null | Value::Bool(false) => Ok(Self::Nothing),
            Value::Bool(true) => Ok(Self::All),
            Value::String(text) if text == "*" => Ok(Self::All),
            Value::String(column) => Ok(Self::Columns(vec![column])),
            Value::Array(items) => items
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect::<Result<_, _>>()
                .map(Self::Columns),
            Value::Number(_) | Value::Object(_) => Err(wrong()),
        }
    }
}

impl JsonSchema for Returning {
    fn schema_name() -> Cow<'static, str> {
        "Returning".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array", "boolean"], "items": { "type": "string" } })
    }
}

impl Returning {
    /// ` returning …`, or nothing.
    pub(crate) fn sql(&self) -> Result<String, Failure> {
        match self {
            Self::Nothing => Ok(String::new()),
            Self::All => Ok(" returning *".to_owned()),
            Self::Columns(columns) if columns.is_empty() => Ok(String::new()),
            Self::Columns(columns) => Ok(format!(" returning {}", idents(columns.iter())?)),
        }
    }
}

/// Quoted names with commas between.
pub(crate) fn idents<'a>(names: impl Iterator<Item = &'a String>) -> Result<String, Failure> {
    Ok(names.map(|name| ident(name)).collect::<Result<Vec<_>, _>>()?.join(", "))
}

/// A condition on columns, and the values of its parameters.
///
/// A value must be equal, `null` matches only NULL, and a list matches any of its values.
pub(crate) fn condition(
    columns: Map<String, Value>,
    values: &mut Vec<Value>,
) -> Result<String, Failure> {
    let mut sql = String::new();
    for (column, value) in columns {
        let separator = if sql.is_empty() { " where " } else { " and " };
        let column = ident(&column)?;
        if let Value::Array(items) = value {
            let marks = vec!["?"; items.len()].join(", ");
            let _ = write!(sql, "{separator}{column} in ({marks})");
            values.extend(items);
        } else {
            let _ = write!(sql, "{separator}{column} is ?");
            values.push(value);
        }
    }
    Ok(sql)
}

/// Runs a statement with positional values.
pub(crate) fn run(unit: &mut Unit<'_>, sql: &str, values: Vec<Value>) -> Result<(), Failure> {
    unit.run(sql, Params::List(values))
}
