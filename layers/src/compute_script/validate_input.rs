//! `validate_input`: whether data is what a JSON Schema says, with every mistake and its place.
//!
//! A reference leads into the schema itself, into `schemas`, or into the dialects of JSON Schema,
//! which are built in. Nothing is ever fetched.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::context::Cx;
use crate::input::bad;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jsonschema::{PatternOptions, Registry, ValidationError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Validates data.
pub(crate) struct ValidateInput;

/// The data, and what it should be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What is validated: any value.
    data: Value,
    /// The JSON Schema: a map, `true` or `false`. 2020-12, unless its `$schema` names another.
    schema: Value,
    /// Further schemas that `$ref` may name, by address. Nothing is fetched.
    #[serde(default)]
    schemas: Map<String, Value>,
    /// Whether `format` must hold: `date`, `date-time`, `email`, `uri`, `uuid`, `ipv4`… Otherwise it
    /// is a remark, as the standard says.
    #[serde(default)]
    formats: bool,
    /// What invalid data does.
    #[serde(default)]
    on_invalid: OnInvalid,
    /// The most mistakes that are told. 100 unless told otherwise.
    #[serde(default = "hundred")]
    max_errors: usize,
}

fn hundred() -> usize {
    100
}

/// What invalid data does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnInvalid {
    /// The step fails with `invalid_data`; the mistakes are in the failure's `detail.errors`.
    #[default]
    Fail,
    /// The step completes with `valid: false`.
    Report,
}

/// Whether the data is what it should be.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether it is.
    valid: bool,
    /// All mistakes.
    errors: Vec<Mistake>,
    /// Whether `max_errors` left some out.
    truncated: bool,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Mistake {
    /// Where in the data, as a JSON Pointer; empty for the whole.
    path: String,
    /// Which keyword of the schema does not hold.
    keyword: String,
    /// Where the keyword is, as a JSON Pointer into the schema.
    schema_path: String,
    /// What is wrong.
    message: String,
}

impl Atom for ValidateInput {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "validate_input",
        layer: Layer::ComputeScript,
        summary: "Checks data against a JSON Schema.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        // References into `schemas` are not known here.
        match key {
            "schema" if !(value.is_object() || value.is_boolean()) => {
                Err(not_a_schema("schema", "a schema is a map, `true` or `false`"))
            }
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        let schema = json!({
            "type": "object",
            "properties": { "email": { "type": "string", "format": "email" }, "age": { "type": "integer", "minimum": 18 } },
            "required": ["email"],
        });
        vec![
            Example {
                title: "Data that is as it should be",
                setup: vec![],
                input: json!({ "schema": schema, "data": { "email": "ann@example.com", "age": 30 }, "formats": true }),
                expect: json!({ "valid": true, "errors": [] }),
            },
            Example {
                title: "Every mistake at once",
                setup: vec![],
                input: json!({ "schema": schema, "data": { "age": "old" }, "on_invalid": "report" }),
                expect: json!({ "valid": false, "truncated": false }),
            },
        ]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        // The size of the text is what the work grows with, and finding it out is cheap beside it.
        let size = serde_json::to_vec(&input.data).map_or(0, |text| text.len());
        blocking::compute(size, move || {
            let Input { data, schema, schemas, formats, on_invalid, max_errors } = input;
            let (errors, truncated) = check(&schema, &schemas, &data, formats, max_errors)?;
            if errors.is_empty() || on_invalid == OnInvalid::Report {
                return Ok(Output { valid: errors.is_empty(), errors, truncated });
            }
            let first = &errors[0];
            let place = if first.path.is_empty() {
                "the data".to_owned()
            } else {
                format!("`{}`", first.path)
            };
            let more = match errors.len() {
                1 => String::new(),
                count => format!(", and {}{} more", count - 1, if truncated { "+" } else { "" }),
            };
            Err(Failure::permanent("invalid_data", format!("{place}: {}{more}", first.message))
                .hint(
                    "mend the data; `on_invalid: report` lets the intent go on with `output.valid`",
                )
                .detail(json!({ "errors": errors, "truncated": truncated })))
        })
        .await
    }
}

fn not_a_schema(path: &str, what: &str) -> Failure {
    bad(ValidateInput::CARD.name, path, format!("it is not a JSON Schema that can be used: {what}"))
        .hint("`$ref` leads into the schema itself or into `schemas`; nothing is fetched")
}

/// The mistakes, and whether there are more.
fn check(
    schema: &Value,
    schemas: &Map<String, Value>,
    data: &Value,
    formats: bool,
    most: usize,
) -> Result<(Vec<Mistake>, bool), Failure> {
    loops::refuse(schema, schemas)?;
    let mut registry = Registry::new();
    for (address, schema) in schemas {
        let path = format!("schemas.{address}");
        registry = registry
            .add(address, schema)
            .map_err(|error| not_a_schema(&path, &error.to_string()))?;
    }
    let registry =
        registry.prepare().map_err(|error| not_a_schema("schemas", &error.to_string()))?;
    let validator = jsonschema::options()
        .with_registry(&registry)
        .offline()
        .should_validate_formats(formats)
        .with_pattern_options(
            PatternOptions::fancy_regex()
                .backtrack_limit(100_000)
                .size_limit(4 << 20)
                .dfa_size_limit(4 << 20),
        )
        .build(schema)
        .map_err(|error| not_a_schema("schema", &error.masked().to_string()))?;
    let mut errors = validator.iter_errors(data);
    let told: Vec<Mistake> = errors.by_ref().take(most).map(|error| mistake(&error)).collect();
    let truncated = errors.next().is_some();
    if told.is_empty() && truncated {
        return Err(bad(ValidateInput::CARD.name, "max_errors", "it is 0".to_owned())
            .hint("write 1 or more"));
    }
    Ok((told, truncated))
}

fn mistake(error: &ValidationError<'_>) -> Mistake {
    /// Longer values are not repeated.
    const LONG: usize = 300;
    let message = error.to_string();
    let message =
        if message.len() > LONG { error.masked_with("the value").to_string() } else { message };
    Mistake {
        path: error.instance_path().as_str().to_owned(),
        keyword: error.kind().keyword().to_owned(),
        schema_path: error.schema_path().as_str().to_owned(),
        message,
    }
}

mod loops;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;
