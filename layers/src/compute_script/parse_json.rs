//! `parse_json`: text to values: one document, JSON Lines, or values one after the other.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::content::Given;
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use crate::parse::Fault;
use crate::parse::json::{Large, Options, Reader, Repeated};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Reads JSON.
pub(crate) struct ParseJson;

/// The text, and how it is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The text. Either it or `base64`.
    text: Option<String>,
    /// The text's bytes, as base64.
    base64: Option<String>,
    /// What the bytes of `base64` are: `utf-8`, `utf-16le`, `windows-1252`… A byte order mark counts
    /// first. UTF-8 unless told otherwise.
    encoding: Option<String>,
    /// How many values there are, and how they are parted.
    #[serde(default)]
    format: Format,
    /// What to do with a key that stands twice in one object.
    #[serde(default)]
    duplicate_keys: DuplicateKeys,
    /// What to do with a number that a 64-bit integer or a double would not keep to the last digit.
    #[serde(default)]
    big_numbers: BigNumbers,
    /// How deep values may be nested; at most 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 100))]
    max_depth: usize,
    /// The most values of `lines` and `stream`; the rest is left out, and `truncated` says so.
    #[serde(default = "hundred_thousand")]
    max_values: usize,
    /// What a line of `lines` that is not JSON does.
    #[serde(default)]
    on_error: OnError,
    /// Longer texts are refused. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn hundred() -> usize {
    100
}

fn hundred_thousand() -> usize {
    100_000
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// How many values a text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// One.
    #[default]
    Document,
    /// One on each line (JSON Lines); empty lines are left out.
    Lines,
    /// One after the other, parted by white space or by nothing.
    Stream,
}

/// What a key that stands twice does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DuplicateKeys {
    /// Is a failure.
    #[default]
    Error,
    /// Its first value counts.
    First,
    /// Its last value counts.
    Last,
    /// All its values, as a list.
    Collect,
}

/// What a number beyond 64 bits or 17 digits becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum BigNumbers {
    /// Its digits, as text.
    #[default]
    Text,
    /// The nearest floating-point number.
    Float,
    /// A failure.
    Error,
}

/// What a line that is not JSON does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnError {
    /// The step fails.
    #[default]
    Fail,
    /// The line is left out and told in `errors`.
    Collect,
}

/// The values.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The value; of `lines` and `stream` the first, or `null`.
    value: Value,
    /// All values of `lines` and `stream`, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Value>>,
    /// How many values there are.
    count: usize,
    /// Whether `max_values` left some out.
    truncated: bool,
    /// Lines that are not JSON, with `on_error: collect`; the first hundred.
    errors: Vec<LineError>,
}

/// A line that is not JSON.
#[derive(Debug, Serialize, JsonSchema)]
struct LineError {
    /// Which one, counted from 1.
    line: u64,
    /// Where in it, counted from 1.
    column: u64,
    /// Why.
    message: String,
}

const MOST_ERRORS: usize = 100;

impl Atom for ParseJson {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "parse_json",
        layer: Layer::ComputeScript,
        summary: "Reads JSON: a document, JSON Lines, or a stream of values.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A document",
                setup: vec![],
                input: json!({ "text": "{\"id\": 12345678901234567890123, \"tags\": [\"a\"]}" }),
                expect: json!({ "value": { "id": "12345678901234567890123", "tags": ["a"] } }),
            },
            Example {
                title: "JSON Lines, the bad ones told apart",
                setup: vec![],
                input: json!({ "text": "{\"n\":1}\noops\n{\"n\":2}\n", "format": "lines", "on_error": "collect" }),
                expect: json!({ "values": [{ "n": 1 }, { "n": 2 }], "count": 2 }),
            },
        ]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        if !(1..=100).contains(&input.max_depth) {
            return Err(bad(
                Self::CARD.name,
                "max_depth",
                "it is not between 1 and 100".to_owned(),
            )
            .hint("values deeper than 100 levels cannot be passed on"));
        }
        let given =
            Given::one(Self::CARD.name, input.text.clone(), input.base64.clone(), input.max_bytes)?;
        blocking::compute(given.len(), move || {
            let text = given.into_text(input.encoding.as_deref(), false)?;
            read(&text, &input)
        })
        .await
    }
}

fn read(text: &str, input: &Input) -> Result<Output, Failure> {
    let options = Options {
        // The innermost scalar is a level of its own for whoever reads the value again.
        depth: input.max_depth,
        repeated: match input.duplicate_keys {
            DuplicateKeys::Error => Repeated::Refuse,
            DuplicateKeys::First => Repeated::First,
            DuplicateKeys::Last => Repeated::Last,
            DuplicateKeys::Collect => Repeated::Collect,
        },
        large: match input.big_numbers {
            BigNumbers::Text => Large::Text,
            BigNumbers::Float => Large::Nearest,
            BigNumbers::Error => Large::Refuse,
        },
    };
    let mut output =
        Output { value: Value::Null, values: None, count: 1, truncated: false, errors: Vec::new() };
    if input.format == Format::Document {
        output.value = Reader::new(text, options).only_value()?;
        return Ok(output);
    }
    let mut values = Vec::new();
    match input.format {
        Format::Document => {}
        Format::Lines => {
            for (number, line) in (1..).zip(text.lines()) {
                if line.trim().is_empty() {
                    continue;
                }
                if values.len() == input.max_values {
                    output.truncated = true;
                    break;
                }
                match Reader::new(line, options).only_value() {
                    Ok(value) => values.push(value),
                    Err(fault) => refuse(fault, number, input.on_error, &mut output.errors)?,
                }
            }
        }
        Format::Stream => {
            let mut reader = Reader::new(text, options);
            while let Some(value) = reader.next_value()? {
                if values.len() == input.max_values {
                    output.truncated = true;
                    break;
                }
                values.push(value);
            }
        }
    }
    output.value = values.first().cloned().unwrap_or_default();
    output.count = values.len();
    output.values = Some(values);
    Ok(output)
}

fn refuse(
    fault: Fault,
    line: u64,
    on_error: OnError,
    errors: &mut Vec<LineError>,
) -> Result<(), Failure> {
    if on_error == OnError::Fail {
        return Err(Fault { line: Some(line), ..fault }.into());
    }
    if errors.len() < MOST_ERRORS {
        errors.push(LineError { line, column: fault.column.unwrap_or(1), message: fault.message });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "parse_json",
                &[
                    (json!({}), "`text`", "`base64`"),
                    (json!({ "text": "1", "base64": "MQ==" }), "`base64`", "leave one out"),
                    (json!({ "text": 1 }), "`text`", "`text`: "),
                    (json!({ "base64": "?" }), "not base64 (character 1)", "encode the bytes"),
                    (json!({ "base64": "/w==" }), "not UTF-8 text", "`encoding`"),
                    (json!({ "text": "1", "encoding": 5 }), "`encoding`", "`encoding`: "),
                    (json!({ "base64": "MQ==", "encoding": "klingon" }), "klingon", "utf-8"),
                    (json!({ "text": "[1,", }), "line 1, column 4", "mend"),
                    (json!({ "text": "1 2" }), "something follows", "`format: lines`"),
                    (json!({ "text": "1\n{\n", "format": "lines" }), "line 2, column 2", "mend"),
                    (json!({ "text": "1", "max_bytes": 0 }), "more than 0 bytes", "`max_bytes`"),
                    (json!({ "text": "1", "max_depth": 500 }), "`max_depth`", "100"),
                    (json!({ "text": "[[1]]", "max_depth": 1 }), "more than 1 levels", "flatten"),
                    (
                        json!({ "text": "{\"a\":1,\"a\":1}" }),
                        "`a` stands twice",
                        "`duplicate_keys`",
                    ),
                    (
                        json!({ "text": "1e999", "big_numbers": "error" }),
                        "`1e999`",
                        "`big_numbers: text`",
                    ),
                    (json!({ "text": "1", "format": "yaml" }), "`yaml`", "write one of"),
                ],
            )
            .await;
    }

    #[tokio::test]
    async fn what_is_too_many_is_left_out_and_said() {
        let world = World::new();
        for (format, text) in [("lines", "1\n\n2\n3"), ("stream", "1 2 3")] {
            let input = json!({ "text": text, "format": format, "max_values": 2 });
            let output = world.run("parse_json", input).await.unwrap();
            assert_eq!(
                output,
                json!({ "value": 1, "values": [1, 2], "count": 2, "truncated": true, "errors": [] })
            );
        }
        let output = world
            .run(
                "parse_json",
                json!({ "text": "x\ny\n1", "format": "lines", "on_error": "collect" }),
            )
            .await;
        assert_eq!(output.unwrap()["errors"][1]["line"], 2);
    }
}
