//! `render_html`: a page from a template and data.
//!
//! Templates are MiniJinja and run in an isolate like every other foreign code. Values are escaped
//! for HTML, so that data cannot become markup.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::files::RelPath;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::script::{self, Bounds};
use jalm_isolates::Program;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Renders a page.
pub(crate) struct RenderHtml;

/// The template, and what it shows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The template's text. Its `{{ … }}` belong to the template, not to the intent.
    template: Option<String>,
    /// A file with the template, from the file root, instead of `template`. Needs a grant to read
    /// it.
    template_file: Option<RelPath>,
    /// What the template finds as variables: a map.
    #[serde(default)]
    data: Value,
    /// Further templates by name, for `include`, `import` and `extends`.
    #[serde(default)]
    includes: BTreeMap<String, String>,
    /// Files with further templates; each is known by its path. Needs grants to read them.
    #[serde(default)]
    include_files: Vec<RelPath>,
    /// Whether values are escaped for HTML. Turn it off only for text that is no HTML.
    #[serde(default = "yes")]
    autoescape: bool,
    /// What the document is, for those who send it on.
    #[serde(default = "html")]
    content_type: String,
    /// The longest it may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
    /// The most memory it may take. 128 MiB unless told otherwise.
    memory: Option<ByteSize>,
}

fn yes() -> bool {
    true
}

fn html() -> String {
    "text/html; charset=utf-8".to_owned()
}

/// The page.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The text.
    content: String,
    /// What the document is.
    content_type: String,
    #[serde(skip)]
    isolation: Arc<str>,
}

/// No template file is larger.
const LARGEST: ByteSize = ByteSize::mib(4);

impl Atom for RenderHtml {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "render_html",
        layer: Layer::RenderHtml,
        summary: "Renders a page from a template and data.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &["template", "includes"],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::Isolate,
        languages: &["jinja"],
    };

    fn effect_of(input: &Value) -> Effect {
        let files = [&input["template_file"], &input["include_files"]];
        if files.iter().all(|file| file.is_null()) { Effect::None } else { Effect::Read }
    }

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match key {
            "data" if !(value.is_object() || value.is_null()) => Err(no_map()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A list of orders",
                setup: vec![],
                input: json!({
                    "template": "<ul>{% for o in orders %}<li>{{ o.sku }}: {{ o.qty }}</li>{% endfor %}</ul>",
                    "data": { "orders": [{ "sku": "<apple>", "qty": 3 }] },
                }),
                expect: json!({
                    "content": "<ul><li>&lt;apple&gt;: 3</li></ul>",
                    "content_type": "text/html; charset=utf-8",
                }),
            },
            Example {
                title: "A page from files",
                setup: vec![
                    Setup::File {
                        path: "pages/base.html",
                        content: "<h1>{% block title %}{% endblock %}</h1>",
                    },
                    Setup::File {
                        path: "pages/day.html",
                        content: "{% extends 'pages/base.html' %}{% block title %}{{ day }}{% endblock %}",
                    },
                ],
                input: json!({
                    "template_file": "pages/day.html",
                    "include_files": ["pages/base.html"],
                    "data": { "day": "Tuesday" },
                }),
                expect: json!({ "content": "<h1>Tuesday</h1>" }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let bounds = Bounds { timeout: input.timeout, memory: input.memory, ..Bounds::default() };
        let source = match (input.template, input.template_file) {
            (Some(text), None) => text,
            (None, Some(path)) => read(&cx, path).await?,
            (Some(_), Some(_)) => {
                return Err(bad(
                    Self::CARD.name,
                    "template_file",
                    "`template` is given too".to_owned(),
                )
                .hint("leave one of them out"));
            }
            (None, None) => {
                return Err(bad(
                    Self::CARD.name,
                    "template",
                    "it is required and is missing".to_owned(),
                )
                .hint("give `template` with the text, or `template_file` with a path"));
            }
        };
        let data = match input.data {
            Value::Object(data) => data,
            Value::Null => Map::new(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(no_map());
            }
        };
        let mut includes = input.includes;
        for path in input.include_files {
            includes.insert(path.to_string(), read(&cx, path).await?);
        }
        let program = Program::Template { source, includes, data, autoescape: input.autoescape };
        let ran = script::run(&cx, Self::CARD.name, program, bounds).await?;
        let Value::String(content) = ran.result else {
            return Err(Failure::bug("a template gave something that is not text"));
        };
        Ok(Output { content, content_type: input.content_type, isolation: ran.isolation })
    }

    fn isolation(output: &Output) -> Option<Arc<str>> {
        Some(Arc::clone(&output.isolation))
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { content, content_type, isolation: _ } = output;
        Ok(crate::atom::object([
            ("content", content.into()),
            ("content_type", content_type.into()),
        ]))
    }
}

fn no_map() -> Failure {
    bad("render_html", "data", "it is not a map".to_owned())
        .hint("give each value a name: `data: { rows: … }`")
}

async fn read(cx: &Cx, path: RelPath) -> Result<String, Failure> {
    let shown = path.to_string();
    let bytes = cx.shared.files.read(cx.access()?, path, LARGEST).await?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::permanent("not_text", format!("template `{shown}` is not UTF-8 text"))
            .hint("save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "render_html",
                &[
                    (json!({}), "`template`", "template_file"),
                    (
                        json!({ "template": "x", "template_file": "y" }),
                        "`template_file`",
                        "leave one",
                    ),
                    (json!({ "template": "x", "data": [1] }), "`data`", "give each value a name"),
                    (json!({ "template_file": "../x" }), "`template_file`", "`template_file`: "),
                    (json!({ "tempalte": "x" }), "`tempalte`", "did you mean `template`?"),
                ],
            )
            .await;
    }

    #[test]
    fn only_files_make_it_read() {
        assert_eq!(RenderHtml::effect_of(&json!({ "template": "x" })), Effect::None);
        assert_eq!(RenderHtml::effect_of(&json!({ "template_file": "x" })), Effect::Read);
    }
}
