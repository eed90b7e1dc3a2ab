//! `transform_data`: a jq filter over data.
//!
//! The filter runs in an isolate like every other foreign code: it can loop for ever, too.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::Cx;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::script::{self, Bounds};
use jalm_isolates::Program;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Runs a jq filter.
pub(crate) struct TransformData;

/// The filter, and what it is given.
#[expect(clippy::struct_field_names, reason = "the names are the author's keys")]
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The jq filter: `map({sku, total: .qty * .price})`. Required.
    filter: Option<String>,
    /// Another name for `filter`.
    query: Option<String>,
    /// What the filter is given; `null` unless told otherwise.
    #[serde(default)]
    data: Value,
    /// Another name for `data`.
    input: Option<Value>,
    /// Values that the filter finds as `$name`.
    #[serde(default)]
    variables: Map<String, Value>,
    /// The longest it may run; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
    /// The most memory it may take. 128 MiB unless told otherwise.
    memory: Option<ByteSize>,
}

/// What the filter answered. A filter may answer with any number of values.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The first value; `null` when there is none.
    result: Value,
    /// All values, in order.
    results: Vec<Value>,
    /// How many values there are.
    count: usize,
    #[serde(skip)]
    isolation: Arc<str>,
}

impl Atom for TransformData {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "transform_data",
        layer: Layer::ComputeScript,
        summary: "Transforms data with a jq filter.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &["filter", "query"],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::Isolate,
        languages: &["jq"],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Total of each row",
                setup: vec![],
                input: json!({
                    "filter": "map({sku, total: (.qty * $price)})",
                    "data": [{ "sku": "apple", "qty": 3 }, { "sku": "pear", "qty": 1 }],
                    "variables": { "price": 2 },
                }),
                expect: json!({ "result": [{ "sku": "apple", "total": 6 }, { "sku": "pear", "total": 2 }] }),
            },
            Example {
                title: "A filter with several answers",
                setup: vec![],
                input: json!({ "filter": ".[] | select(. > 1)", "data": [1, 2, 3] }),
                expect: json!({ "result": 2, "results": [2, 3], "count": 2 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { filter, query, data, input, variables, timeout, memory } = input;
        let filter = match (filter, query) {
            (Some(_), Some(_)) => {
                return Err(bad(Self::CARD.name, "query", "`filter` is given too".to_owned())
                    .hint("they mean the same; leave one out"));
            }
            (Some(filter), None) | (None, Some(filter)) => filter,
            (None, None) => {
                return Err(bad(
                    Self::CARD.name,
                    "filter",
                    "it is required and is missing".to_owned(),
                )
                .hint("add `filter`: a jq filter such as `map(.name)`"));
            }
        };
        let data = match (data, input) {
            (data, None) => data,
            (Value::Null, Some(input)) => input,
            (_, Some(_)) => {
                return Err(bad(Self::CARD.name, "input", "`data` is given too".to_owned())
                    .hint("they mean the same; leave one out"));
            }
        };
        let program = Program::Jq { filter, input: data, variables };
        let bounds = Bounds { timeout, memory, ..Bounds::default() };
        let ran = script::run(&cx, Self::CARD.name, program, bounds).await?;
        let Value::Array(results) = ran.result else {
            return Err(Failure::bug("a jq filter did not give a list of its answers"));
        };
        let result = results.first().cloned().unwrap_or_default();
        Ok(Output { result, count: results.len(), results, isolation: ran.isolation })
    }

    fn isolation(output: &Output) -> Option<Arc<str>> {
        Some(Arc::clone(&output.isolation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "transform_data",
                &[
                    (json!({}), "`filter`", "add `filter`: "),
                    (json!({ "filter": ".", "query": "." }), "`query`", "leave one out"),
                    (json!({ "filter": ".", "data": 1, "input": 2 }), "`input`", "leave one out"),
                    (json!({ "filter": 1 }), "`filter`", "`filter`: "),
                    (json!({ "fliter": "." }), "`fliter`", "did you mean `filter`?"),
                ],
            )
            .await;
    }
}
