//! `file_list`: which files there are.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::files::{RelPath, Wanted, glob};
use crate::input::bad;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Lists files.
pub(crate) struct FileList;

/// Which files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The folder to look in, from the file root. Left out: the file root itself.
    path: Option<RelPath>,
    /// Only those whose path below `path` matches: `*.csv`, `2026/**/*.json`. `*` and `?` stay
    /// within a folder, `**` crosses folders. A glob with `/` or `**` looks into folders too.
    glob: Option<String>,
    /// Looks into folders too.
    #[serde(default)]
    recursive: bool,
    /// Shows folders besides files.
    #[serde(default)]
    folders: bool,
    /// At most this many, and `truncated` says whether there are more.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 100_000))]
    max_entries: u32,
}

fn thousand() -> u32 {
    1000
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The files, sorted by path. Those that may not be read are left out.
    files: Vec<Item>,
    /// How many are in `files`.
    count: usize,
    /// Whether there are more.
    truncated: bool,
}

/// One file or folder.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    /// The path from the file root, as `file_read` takes it.
    path: String,
    /// The last part of the path.
    name: String,
    /// `file` or `folder`.
    kind: &'static str,
    /// The length; 0 for folders.
    bytes: u64,
    /// When it was changed last, in RFC 3339.
    modified: String,
}

impl Atom for FileList {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "file_list",
        layer: Layer::IoFile,
        summary: "Lists files and folders.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Disk,
        frequency: Frequency::Medium,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "List the tables of a year",
            setup: vec![
                Setup::File { path: "2026/11/a.csv", content: "x" },
                Setup::File { path: "2026/b.csv", content: "yy" },
                Setup::File { path: "2026/notes.txt", content: "" },
            ],
            input: json!({ "path": "2026", "glob": "**/*.csv" }),
            expect: json!({ "count": 2, "truncated": false }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { path, glob: pattern, recursive, folders, max_entries } = input;
        let crosses = pattern
            .as_ref()
            .is_some_and(|pattern| pattern.contains(['/', '{']) || pattern.contains("**"));
        let glob = pattern.as_deref().map(glob).transpose().map_err(|reason| {
            bad("file_list", "glob", format!("it is not a glob: {reason}"))
                .hint("write it like `*.csv` or `2026/**/*.json`")
        })?;
        let wanted = Wanted {
            folder: path,
            glob,
            recursive: recursive || crosses,
            folders,
            most: max_entries as usize,
        };
        let listing = cx.shared.files.list(cx.access()?, wanted).await?;
        let files: Vec<Item> = listing
            .entries
            .into_iter()
            .map(|found| Item {
                name: found.path.rsplit('/').next().unwrap_or_default().to_owned(),
                path: found.path,
                kind: if found.is_folder { "folder" } else { "file" },
                bytes: found.bytes,
                modified: found.modified.to_string(),
            })
            .collect();
        Ok(Output { count: files.len(), files, truncated: listing.truncated })
    }
}
