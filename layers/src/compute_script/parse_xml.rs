//! `parse_xml`: an XML document as JSON, safe against documents that are made to hurt.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::content::Given;
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use crate::parse::xml::{self, Options, Shape};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Reads XML.
pub(crate) struct ParseXml;

/// The document, and what becomes of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The document. Either it or `base64`.
    text: Option<String>,
    /// The document's bytes, as base64: for encodings other than UTF-8.
    base64: Option<String>,
    /// What the bytes of `base64` are. Left out: what the byte order mark or the document says.
    encoding: Option<String>,
    /// What becomes of namespace prefixes.
    #[serde(default)]
    namespaces: Namespaces,
    /// What an element becomes.
    #[serde(default, rename = "as")]
    shape: As,
    /// Elements that are lists even when there is one: `orders/order` from the root, `*` for any
    /// one name on the way, or a name alone, which is meant anywhere.
    #[serde(default)]
    lists: Vec<String>,
    /// What stands before an attribute's name. `@` unless told otherwise.
    #[serde(default = "at")]
    attribute_prefix: String,
    /// The key of an element's text beside attributes or children. `#text` unless told otherwise.
    #[serde(default = "text_key")]
    text_key: String,
    /// Whether white space around texts is left out.
    #[serde(default = "yes")]
    trim: bool,
    /// How deep elements may be nested; at most 95.
    #[serde(default = "deep")]
    #[schemars(range(min = 1, max = 95))]
    max_depth: usize,
    /// The most elements and attributes.
    #[serde(default = "many")]
    max_nodes: usize,
    /// Longer documents are refused. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn at() -> String {
    "@".to_owned()
}

fn text_key() -> String {
    "#text".to_owned()
}

fn yes() -> bool {
    true
}

fn deep() -> usize {
    DEEPEST
}

fn many() -> usize {
    1_000_000
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// Values of more than 100 levels cannot be passed on; the rest is for lists and the output.
const DEEPEST: usize = 95;

/// What becomes of namespace prefixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Namespaces {
    /// `a:b` stays `a:b`.
    #[default]
    Keep,
    /// `a:b` becomes `b`.
    Strip,
    /// `a:b` becomes `{address}b`.
    Expand,
}

/// What an element becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum As {
    /// A map of its attributes and children; text when it holds nothing else; null when empty.
    #[default]
    Object,
    /// `{name, attributes, children}`, which keeps the order of texts and elements.
    Tree,
}

/// The document.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The name of the root element.
    root: String,
    /// A map with the root element's name as its only key; with `as: tree` the root element.
    value: Value,
    /// How many elements and attributes there are.
    nodes: usize,
}

impl Atom for ParseXml {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "parse_xml",
        layer: Layer::ComputeScript,
        summary: "Reads an XML document.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::Medium,
        blocker: Blocker::None,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Orders, as a list even when there is one",
                setup: vec![],
                input: json!({
                    "text": "<?xml version=\"1.0\"?>\n<orders><order id=\"7\"><sku>apple</sku></order></orders>",
                    "lists": ["orders/order"],
                }),
                expect: json!({ "root": "orders", "value": { "orders": { "order": [{ "@id": "7", "sku": "apple" }] } } }),
            },
            Example {
                title: "Text with markup, in order",
                setup: vec![],
                input: json!({ "text": "<p>buy <b>now</b></p>", "as": "tree" }),
                expect: json!({ "value": { "name": "p", "children": ["buy", { "name": "b", "attributes": {}, "children": ["now"] }] } }),
            },
        ]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        if !(1..=DEEPEST).contains(&input.max_depth) {
            return Err(bad(
                Self::CARD.name,
                "max_depth",
                format!("it is not between 1 and {DEEPEST}"),
            )
            .hint("values deeper than 100 levels cannot be passed on"));
        }
        let options = Options {
            namespaces: match input.namespaces {
                Namespaces::Keep => xml::Namespaces::Keep,
                Namespaces::Strip => xml::Namespaces::Strip,
                Namespaces::Expand => xml::Namespaces::Expand,
            },
            shape: match input.shape {
                As::Object => Shape::Object,
                // Each element is three levels there.
                As::Tree => Shape::Tree,
            },
            trim: input.trim,
            attribute_prefix: input.attribute_prefix,
            text_key: input.text_key,
            lists: input
                .lists
                .iter()
                .map(|path| {
                    path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
                })
                .collect(),
            depth: match input.shape {
                As::Object => input.max_depth,
                As::Tree => input.max_depth.min(DEEPEST / 2),
            },
            nodes: input.max_nodes,
        };
        let given = Given::one(Self::CARD.name, input.text, input.base64, input.max_bytes)?;
        let parsed = blocking::compute(given.len(), move || {
            let text = given.into_text(input.encoding.as_deref(), true)?;
            Ok(xml::parse(&text, &options)?)
        })
        .await?;
        let value = match input.shape {
            As::Object => json!({ &parsed.root: parsed.value }),
            As::Tree => parsed.value,
        };
        Ok(Output { root: parsed.root, value, nodes: parsed.nodes })
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
                "parse_xml",
                &[
                    (json!({}), "`text`", "`base64`"),
                    (json!({ "text": ["<a/>"] }), "`text`", "`text`: "),
                    (json!({ "text": "<a>" }), "never closed (line 1, column 4)", "mend"),
                    (json!({ "text": "<!DOCTYPE a []><a/>" }), "document type", "remove it"),
                    (json!({ "text": "<a>&file;</a>" }), "`&file;`", "mend"),
                    (json!({ "text": "<a/>", "namespaces": "drop" }), "`drop`", "write one of"),
                    (json!({ "text": "<a/>", "max_bytes": 3 }), "more than 3 bytes", "`max_bytes`"),
                    (
                        json!({ "text": "<a><b/></a>", "max_depth": 1 }),
                        "more than 1 levels",
                        "`max_depth`",
                    ),
                    (json!({ "text": "<a/>", "max_depth": 0 }), "`max_depth`", "100"),
                    (
                        json!({ "text": "<a><b/></a>", "max_nodes": 1 }),
                        "more than 1 elements",
                        "`max_nodes`",
                    ),
                    (json!({ "base64": "PGE+/zwvYT4=" }), "not UTF-8", "`encoding`"),
                    (json!({ "text": "<a/>", "list": [] }), "`list`", "`lists`"),
                ],
            )
            .await;
    }

    #[tokio::test]
    async fn the_document_says_what_its_bytes_are() {
        let bytes = b"<?xml version='1.0' encoding='windows-1251'?><a>\xcf\xf0\xe8\xe2\xe5\xf2</a>";
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let output = World::new().run("parse_xml", json!({ "base64": encoded })).await.unwrap();
        assert_eq!(output["value"], json!({ "a": "Привет" }));
    }
}
