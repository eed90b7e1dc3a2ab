//! `file_delete`: a file gone.
//!
//! A call that is repeated after a crash finds nothing to delete. That it was going to delete is
//! noted before, so that it can tell its own deletion from a file that never was there.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::{Cx, now};
use crate::files::RelPath;
use crate::marks::Marks;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Deletes a file.
pub(crate) struct FileDelete;

/// Which file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The file's path from the file root.
    path: RelPath,
    /// Whether it is fine when there is no such file.
    #[serde(default)]
    missing_ok: bool,
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The path.
    path: String,
    /// Whether there was a file.
    deleted: bool,
}

impl Atom for FileDelete {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "file_delete",
        layer: Layer::IoFile,
        summary: "Deletes a file.",
        effect: Effect::Write,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Disk,
        frequency: Frequency::Low,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Delete a file",
                setup: vec![Setup::File { path: "old.txt", content: "x" }],
                input: json!({ "path": "old.txt" }),
                expect: json!({ "path": "old.txt", "deleted": true }),
            },
            Example {
                title: "Delete a file that may be gone already",
                setup: vec![],
                input: json!({ "path": "old.txt", "missing_ok": true }),
                expect: json!({ "deleted": false }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { path, missing_ok } = input;
        let (access, files, shown) = (cx.access()?, &cx.shared.files, path.to_string());
        if missing_ok {
            let deleted = files.delete(access, path).await?;
            return Ok(Output { path: shown, deleted });
        }
        let marks =
            Marks { kv: cx.shared.kv.as_ref(), space: "jalm.delete", key: &cx.key, now: now() };
        let begun = marks.get().await?.is_some();
        if !begun && files.exists(access.clone(), path.clone()).await? {
            marks.set(json!({ "path": shown })).await?;
        }
        if files.delete(access, path).await? || begun {
            return Ok(Output { path: shown, deleted: true });
        }
        Err(Failure::permanent("file_not_found", format!("there is no file `{shown}` to delete"))
            .hint("write `missing_ok: true` if that is fine"))
    }
}
