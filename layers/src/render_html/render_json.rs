//! `render_json`: data as JSON text.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::Cx;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Writes JSON.
pub(crate) struct RenderJson;

/// What to write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Any value.
    data: Value,
    /// Whether it is indented for people.
    #[serde(default)]
    pretty: bool,
}

/// The document.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The text.
    content: String,
    /// `application/json`.
    content_type: &'static str,
}

impl Atom for RenderJson {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "render_json",
        layer: Layer::RenderHtml,
        summary: "Writes data as JSON text.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::Medium,
        blocker: Blocker::None,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Write data for people",
            setup: vec![],
            input: json!({ "data": { "b": 1, "a": [true] }, "pretty": true }),
            expect: json!({
                "content": "{\n  \"b\": 1,\n  \"a\": [\n    true\n  ]\n}",
                "content_type": "application/json",
            }),
        }]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let content = if input.pretty {
            serde_json::to_string_pretty(&input.data)
        } else {
            serde_json::to_string(&input.data)
        };
        let content = content.map_err(Failure::bug)?;
        Ok(Output { content, content_type: "application/json" })
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { content, content_type } = output;
        Ok(crate::atom::object([
            ("content", content.into()),
            ("content_type", content_type.into()),
        ]))
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
                "render_json",
                &[
                    (json!({}), "`data`", "add `data`"),
                    (json!({ "data": 1, "pretty": "yes" }), "`pretty`", "`pretty`: "),
                    (json!({ "data": 1, "prety": true }), "`prety`", "did you mean `pretty`?"),
                ],
            )
            .await;
    }
}
