//! `parse_csv`: a table of text as rows.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::content::Given;
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use crate::parse::csv;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use rows::Table;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod rows;

/// Reads CSV.
pub(crate) struct ParseCsv;

/// The table, and how it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The table. Either it or `base64`.
    text: Option<String>,
    /// The table's bytes, as base64: for encodings other than UTF-8.
    base64: Option<String>,
    /// What the bytes of `base64` are: `windows-1252`, `windows-1251`, `utf-16le`… A byte order mark
    /// counts first. UTF-8 unless told otherwise.
    encoding: Option<String>,
    /// What parts fields: one character, `tab`, or `auto` to find out. `,` unless told otherwise.
    #[serde(default = "comma")]
    delimiter: String,
    /// What fields may stand in: one character, or null when quotes mean nothing. `"` unless told
    /// otherwise.
    #[serde(default = "quote")]
    quote: Option<String>,
    /// What stands before a quote or delimiter that is meant as such: `\`. Left out: a quote is doubled.
    escape: Option<String>,
    /// Lines that start with this character are left out.
    comment: Option<String>,
    /// Names of the columns: `true` when the first record has them, `false` when there are none, or
    /// a list.
    #[serde(default)]
    header: Header,
    /// So many lines at the start are left out, before the header.
    #[serde(default)]
    skip: usize,
    /// Whether white space around fields is left out.
    #[serde(default)]
    trim: bool,
    /// What columns hold, by name or by place from 0. A field that is something else is an error.
    #[serde(default)]
    types: BTreeMap<String, Type>,
    /// Whether columns without a type are numbers, booleans or text as each field looks; `007` stays
    /// text. Otherwise they are text.
    #[serde(default)]
    infer: bool,
    /// Unquoted fields that mean nothing: `[NULL, NA]`.
    #[serde(default)]
    nulls: Vec<String>,
    /// What parts whole and fraction in numbers: `.` or `,`.
    #[serde(default = "point")]
    decimal: String,
    /// What a record with more or fewer fields than the header does.
    #[serde(default)]
    ragged: Ragged,
    /// What a bad record does.
    #[serde(default)]
    on_error: OnError,
    /// The most rows; the rest is left out, and `truncated` says so. 100,000 unless told otherwise.
    #[serde(default = "hundred_thousand")]
    max_rows: usize,
    /// Longer tables are refused. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn comma() -> String {
    ",".to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "null is another value than none given")]
fn quote() -> Option<String> {
    Some("\"".to_owned())
}

fn point() -> String {
    ".".to_owned()
}

fn hundred_thousand() -> usize {
    100_000
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// Where the columns' names are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Header {
    /// Whether the first record has them.
    First(bool),
    /// Here.
    Names(Vec<String>),
}

impl Default for Header {
    fn default() -> Self {
        Self::First(true)
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Type {
    /// Text as it stands.
    Text,
    /// A whole number; empty means null.
    Integer,
    /// A number; empty means null.
    Number,
    /// `true`, `yes`, `1`, `false`, `no`, `0`; empty means null.
    Boolean,
    /// A JSON value; empty means null.
    Json,
    /// As it looks.
    Auto,
}

impl Type {
    fn kind(self) -> csv::Kind {
        match self {
            Self::Text => csv::Kind::Text,
            Self::Integer => csv::Kind::Integer,
            Self::Number => csv::Kind::Number,
            Self::Boolean => csv::Kind::Boolean,
            Self::Json => csv::Kind::Json,
            Self::Auto => csv::Kind::Guess,
        }
    }
}

/// What a record of another width does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Ragged {
    /// It is a bad record.
    #[default]
    Error,
    /// Missing fields are null, fields beyond the header are left out.
    Pad,
}

/// What a bad record does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnError {
    /// The step fails.
    #[default]
    Fail,
    /// It is left out and told in `errors`.
    Collect,
}

/// The table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// A map for each record by the columns' names; a list when there are no names.
    rows: Vec<Value>,
    /// The columns' names.
    columns: Vec<String>,
    /// How many rows there are.
    count: usize,
    /// Whether `max_rows` left some out.
    truncated: bool,
    /// What parts the fields, as given or as found.
    delimiter: String,
    /// Bad records, with `on_error: collect`; the first hundred.
    errors: Vec<RecordError>,
}

/// A bad record.
#[derive(Debug, Serialize, JsonSchema)]
struct RecordError {
    /// Which record, counted from 1, the header with them.
    record: u64,
    /// The line where it starts, counted from 1.
    line: u64,
    /// Why.
    message: String,
}

impl Atom for ParseCsv {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "parse_csv",
        layer: Layer::ComputeScript,
        summary: "Reads a table in CSV or one of its dialects.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("delimiter", Some("auto")) => Ok(()),
            ("delimiter" | "quote" | "escape" | "comment", Some(text)) if !text.is_empty() => {
                character(key, text).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Rows with typed columns",
                setup: vec![],
                input: json!({ "text": "sku,qty,price\napple,3,0.5\n\"pear, ripe\",1,\n", "types": { "qty": "integer", "price": "number" } }),
                expect: json!({
                    "rows": [{ "sku": "apple", "qty": 3, "price": 0.5 }, { "sku": "pear, ripe", "qty": 1, "price": null }],
                    "count": 2,
                }),
            },
            Example {
                title: "A spreadsheet's export, whatever its delimiter",
                setup: vec![],
                input: json!({ "text": "Name;Betrag\nMüller;1,5\n", "delimiter": "auto", "decimal": ",", "infer": true }),
                expect: json!({ "rows": [{ "Name": "Müller", "Betrag": 1.5 }], "delimiter": ";" }),
            },
        ]
    }

    async fn run(_: Cx, mut input: Input) -> Result<Output, Failure> {
        let given =
            Given::one(Self::CARD.name, input.text.take(), input.base64.take(), input.max_bytes)?;
        let table = Table::new(input)?;
        blocking::compute(given.len(), move || {
            let text = given.into_text(table.encoding(), false)?;
            table.read(&text)
        })
        .await
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { rows, columns, count, truncated, delimiter, errors } = output;
        let mut map = serde_json::Map::new();
        map.insert("rows".to_owned(), Value::Array(rows));
        map.insert("columns".to_owned(), columns.into());
        map.insert("count".to_owned(), count.into());
        map.insert("truncated".to_owned(), truncated.into());
        map.insert("delimiter".to_owned(), delimiter.into());
        map.insert("errors".to_owned(), serde_json::to_value(errors)?);
        Ok(Value::Object(map))
    }
}

/// One character, which may have a name.
fn character(key: &str, text: &str) -> Result<char, Failure> {
    let mut characters = text.chars();
    match (text, characters.next(), characters.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(c), None) if !matches!(c, '\r' | '\n') => Ok(c),
        _ => Err(bad(ParseCsv::CARD.name, key, format!("`{text}` is not one character"))
            .hint("write one character, such as `;`, or `tab`")),
    }
}

#[cfg(test)]
mod tests;
