//! From records to rows.

use super::{Header, Input, OnError, Output, Ragged, RecordError, character};
use crate::input::{bad, nearest};
use crate::parse::Fault;
use crate::parse::csv::{self, Dialect, Kind, Reader, Record, Typing};
use jalm_kernel::failure::Failure;
use serde_json::{Map, Value};

const ATOM: &str = "parse_csv";
const MOST_ERRORS: usize = 100;

/// A table that is ready to be read.
pub(super) struct Table {
    input: Input,
    /// None: it is found out.
    delimiter: Option<char>,
    dialect: Dialect,
    typing: Typing,
}

impl Table {
    pub(super) fn new(input: Input) -> Result<Self, Failure> {
        let optional = |key: &str, text: &Option<String>| {
            text.as_deref()
                .filter(|text| !text.is_empty())
                .map(|text| character(key, text))
                .transpose()
        };
        let delimiter = match input.delimiter.as_str() {
            "auto" => None,
            text => Some(character("delimiter", text)?),
        };
        let dialect = Dialect {
            delimiter: delimiter.unwrap_or(','),
            quote: optional("quote", &input.quote)?,
            escape: optional("escape", &input.escape)?,
            comment: optional("comment", &input.comment)?,
            trim: input.trim,
        };
        if delimiter.is_some() && dialect.quote == delimiter {
            return Err(bad(ATOM, "quote", "it is the delimiter too".to_owned())
                .hint("choose another character for one of them"));
        }
        let decimal = character("decimal", &input.decimal)?;
        if !matches!(decimal, '.' | ',') {
            return Err(bad(ATOM, "decimal", format!("`{decimal}` parts no numbers"))
                .hint("write `.` or `,`"));
        }
        let typing = Typing { nulls: input.nulls.clone(), decimal };
        Ok(Self { input, delimiter, dialect, typing })
    }

    pub(super) fn encoding(&self) -> Option<&str> {
        self.input.encoding.as_deref()
    }

    pub(super) fn read(self, text: &str) -> Result<Output, Failure> {
        let delimiter =
            self.delimiter.unwrap_or_else(|| csv::delimiter(text, self.input.skip, self.dialect));
        let mut reader = Reader::new(text, Dialect { delimiter, ..self.dialect });
        reader.skip_lines(self.input.skip);
        let columns = self.columns(&mut reader)?;
        let kinds = self.kinds(&columns)?;
        let mut output = Output {
            rows: Vec::new(),
            columns,
            count: 0,
            truncated: false,
            delimiter: delimiter.to_string(),
            errors: Vec::new(),
        };
        let mut number = u64::from(self.input.header == Header::First(true));
        loop {
            let record = match reader.next_record() {
                Ok(None) => break,
                Ok(Some(record)) => Ok(record),
                Err(fault) => Err(fault),
            };
            if output.rows.len() == self.input.max_rows {
                output.truncated = true;
                break;
            }
            number += 1;
            match record.and_then(|record| self.row(record, number, &output.columns, &kinds)) {
                Ok(row) => output.rows.push(row),
                Err(fault) if self.input.on_error == OnError::Fail => return Err(fault.into()),
                Err(fault) => {
                    if output.errors.len() < MOST_ERRORS {
                        let (record, line) =
                            (fault.record.unwrap_or(number), fault.line.unwrap_or(0));
                        output.errors.push(RecordError { record, line, message: fault.message });
                    }
                }
            }
        }
        output.count = output.rows.len();
        Ok(output)
    }

    fn columns(&self, reader: &mut Reader<'_>) -> Result<Vec<String>, Failure> {
        let names = match &self.input.header {
            Header::First(false) => return Ok(Vec::new()),
            Header::Names(names) => names.clone(),
            Header::First(true) => match reader.next_record()? {
                None => return Ok(Vec::new()),
                Some(record) => {
                    record.fields.into_iter().map(|field| field.text.trim().to_owned()).collect()
                }
            },
        };
        let mut seen = std::collections::BTreeSet::new();
        for (place, name) in names.iter().enumerate() {
            if !seen.insert(name) {
                let mut fault = Fault::permanent(
                    "not_csv",
                    format!(
                        "two columns are named `{}` (the second is number {})",
                        crate::parse::json::shorten(name),
                        place + 1
                    ),
                    "give names with `header: [a, b, c]` and leave out the first line with `skip: 1`",
                );
                (fault.line, fault.record) = (Some(1), Some(1));
                return Err(fault.into());
            }
        }
        Ok(names)
    }

    /// What each column holds; beyond them what no type is given for.
    fn kinds(&self, columns: &[String]) -> Result<Vec<Kind>, Failure> {
        let mut kinds = vec![self.otherwise(); columns.len()];
        for (key, kind) in &self.input.types {
            let place = columns.iter().position(|name| name == key).or_else(|| {
                key.parse().ok().filter(|place| columns.is_empty() || *place < columns.len())
            });
            let Some(place) = place.filter(|place| *place < 16_384) else {
                if columns.is_empty() && self.input.header == Header::First(true) {
                    continue;
                }
                return Err(bad(
                    ATOM,
                    &format!("types.{key}"),
                    "there is no such column".to_owned(),
                )
                .hint(nearest(key, columns.iter().map(String::as_str))));
            };
            if kinds.len() <= place {
                kinds.resize(place + 1, self.otherwise());
            }
            kinds[place] = kind.kind();
        }
        Ok(kinds)
    }

    fn otherwise(&self) -> Kind {
        if self.input.infer { Kind::Guess } else { Kind::Text }
    }

    fn row(
        &self,
        record: Record,
        number: u64,
        columns: &[String],
        kinds: &[Kind],
    ) -> Result<Value, Fault> {
        let line = record.line;
        let wrong = |what: String, hint: &str| {
            let mut fault =
                Fault::permanent("not_csv", format!("record {number}, line {line}: {what}"), hint);
            (fault.line, fault.record) = (Some(line), Some(number));
            fault
        };
        let (found, width) = (record.fields.len(), columns.len());
        if width > 0 && found != width && self.input.ragged == Ragged::Error {
            return Err(wrong(
                format!("there are {found} fields where the header has {width}"),
                "check `delimiter` and `quote`, or write `ragged: pad`",
            ));
        }
        let mut values = Vec::with_capacity(found);
        for (place, field) in record.fields.into_iter().enumerate() {
            let shown = crate::parse::json::shorten(&field.text);
            let kind = kinds.get(place).copied().unwrap_or_else(|| self.otherwise());
            values.push(self.typing.value(field, kind).map_err(|expected| {
                let column = columns.get(place).cloned().unwrap_or_else(|| place.to_string());
                wrong(
                    format!("column `{column}` holds `{shown}` where {expected} is expected"),
                    "mend the field, change `types`, or name what means nothing in `nulls`",
                )
            })?);
        }
        if width == 0 {
            return Ok(Value::Array(values));
        }
        let mut values = values.into_iter();
        Ok(Value::Object(
            columns
                .iter()
                .map(|name| (name.clone(), values.next().unwrap_or_default()))
                .collect::<Map<_, _>>(),
        ))
    }
}
