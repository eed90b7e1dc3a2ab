//! `file_write`: a file that appears whole or not at all.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::{Cx, now};
use crate::files::{Mode, RelPath};
use crate::input::bad;
use crate::marks::Marks;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Writes a file.
pub(crate) struct FileWrite;

/// Which file, and what goes into it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The file's path from the file root. Missing folders are made.
    path: RelPath,
    /// What goes into it: text, or any JSON value, which is written as JSON.
    content: Value,
    /// How `content` is meant. Left out: text as text, everything else as JSON.
    encoding: Option<Encoding>,
    /// What happens to a file that is there already.
    #[serde(default)]
    mode: Mode,
}

/// How content is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// Text, written as UTF-8.
    Text,
    /// Base64 of the bytes to write.
    Base64,
    /// A value, written as indented JSON.
    Json,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The path.
    path: String,
    /// How many bytes this step wrote.
    bytes: u64,
    /// SHA-256 of what this step wrote, in hex.
    sha256: String,
}

impl Atom for FileWrite {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "file_write",
        layer: Layer::IoFile,
        summary: "Writes a file, whole or not at all.",
        effect: Effect::Write,
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
                title: "Write a text",
                setup: vec![],
                input: json!({ "path": "reports/today.txt", "content": "all is well\n" }),
                expect: json!({
                    "path": "reports/today.txt",
                    "bytes": 12,
                    "sha256": "d40b628baf7f757149f5b6d6d6aca317d478ef3a29433064d21cfdd06fb33b8d",
                }),
            },
            Example {
                title: "Add a line of JSON to a log",
                setup: vec![],
                input: json!({ "path": "log.jsonl", "content": "{\"n\":1}\n", "mode": "append" }),
                expect: json!({ "bytes": 8 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { path, content, encoding, mode } = input;
        let content = bytes(content, encoding)?;
        let (access, files) = (cx.access()?, &cx.shared.files);
        let (shown, key) = (path.to_string(), Arc::clone(&cx.key));
        let written = match mode {
            Mode::Overwrite => files.write(access, path, content, false, key, cx.attempt).await?,
            Mode::Create => files.write(access, path, content, true, key, cx.attempt).await?,
            Mode::Append => {
                let marks = Marks {
                    kv: cx.shared.kv.as_ref(),
                    space: "jalm.append",
                    key: &cx.key,
                    now: now(),
                };
                files.append(access, path, content, marks).await?
            }
        };
        Ok(Output { path: shown, bytes: written.bytes, sha256: written.sha256 })
    }
}

fn bytes(content: Value, encoding: Option<Encoding>) -> Result<Vec<u8>, Failure> {
    let wrong = |what: &str| {
        bad("file_write", "content", what.to_owned())
            .hint("leave `encoding` out: text is written as text, everything else as JSON")
    };
    match (encoding, content) {
        (Some(Encoding::Text) | None, Value::String(text)) => Ok(text.into_bytes()),
        (Some(Encoding::Text), _) => Err(wrong("`encoding: text` takes only text")),
        (Some(Encoding::Base64), Value::String(text)) => STANDARD
            .decode(text.trim())
            .map_err(|error| wrong(&format!("it is not base64: {error}"))),
        (Some(Encoding::Base64), _) => Err(wrong("`encoding: base64` takes only text")),
        (Some(Encoding::Json) | None, value) => {
            let mut text = serde_json::to_vec_pretty(&value).map_err(Failure::bug)?;
            text.push(b'\n');
            Ok(text)
        }
    }
}
