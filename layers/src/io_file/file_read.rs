//! `file_read`: a file below the file root.
//!
//! The path is opened below a directory handle, so neither `..` nor a link can leave the root:
//! the system refuses, we do not filter text.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::files::RelPath;
use crate::input::ByteSize;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Reads a file.
pub(crate) struct FileRead;

/// Which file, and as what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The file's path from the file root.
    path: RelPath,
    /// What the content is given as.
    #[serde(default)]
    encoding: Encoding,
    /// Larger files are refused. 10 MiB unless told otherwise.
    #[serde(default = "ten_mib")]
    max_bytes: ByteSize,
}

fn ten_mib() -> ByteSize {
    ByteSize::mib(10)
}

/// What the content of a file is given as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// UTF-8 text.
    #[default]
    Text,
    /// Any bytes, as base64.
    Base64,
    /// JSON, parsed.
    Json,
}

/// The file's content.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The path.
    path: String,
    /// Text, base64 text, or the JSON value, as `encoding` says.
    content: Value,
    /// The file's length.
    bytes: usize,
}

impl Atom for FileRead {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "file_read",
        layer: Layer::IoFile,
        summary: "Reads a file.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Disk,
        frequency: Frequency::High,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Read a text",
                setup: vec![Setup::File { path: "notes/today.txt", content: "buy apples\n" }],
                input: json!({ "path": "notes/today.txt" }),
                expect: json!({ "content": "buy apples\n", "bytes": 11 }),
            },
            Example {
                title: "Read a JSON document",
                setup: vec![Setup::File { path: "settings.json", content: r#"{"limit": 3}"# }],
                input: json!({ "path": "settings.json", "encoding": "json" }),
                expect: json!({ "content": { "limit": 3 } }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { path, encoding, max_bytes } = input;
        let read = cx.shared.files.read(cx.access()?, path.clone(), max_bytes).await?;
        let bytes = read.len();
        let content = match encoding {
            Encoding::Text => Value::String(text(&path, read)?),
            Encoding::Base64 => Value::String(STANDARD.encode(&read)),
            Encoding::Json => serde_json::from_slice(&read).map_err(|error| {
                Failure::permanent("not_json", format!("`{path}` is not JSON: {error}"))
                    .hint("read it as `encoding: text`")
            })?,
        };
        Ok(Output { path: path.to_string(), content, bytes })
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { path, content, bytes } = output;
        Ok(crate::atom::object([
            ("path", path.into()),
            ("content", content),
            ("bytes", bytes.into()),
        ]))
    }
}

fn text(path: &RelPath, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        Failure::permanent("not_text", format!("`{path}` is not UTF-8 text (byte {good})"))
            .hint("read it as `encoding: base64`")
    })
}
