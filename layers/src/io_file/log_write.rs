//! `log_write`: lines at the end of a log file.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::{Cx, now};
use crate::files::{RelPath, Rotation};
use crate::input::{ByteSize, bad};
use crate::marks::Marks;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Writes to a log.
pub(crate) struct LogWrite;

/// What is written, and where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The log file's path from the file root. It and missing folders are made.
    path: RelPath,
    /// One entry: text, or a map of fields. Either it or `entries`.
    entry: Option<Value>,
    /// Several entries, which will stand together.
    entries: Option<Vec<Value>>,
    /// How lines are written. Left out: text when all entries are text, else JSON.
    format: Option<Format>,
    /// How important it is: `info`, `warn`, `error`…
    level: Option<String>,
    /// Whether each line tells the time.
    #[serde(default = "yes")]
    timestamp: bool,
    /// When the file is put aside: it is then named `PATH.1`, the one before `PATH.2`, and so on.
    /// Their names need a grant to write, too.
    rotate: Option<Rotate>,
}

fn yes() -> bool {
    true
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// `TIME LEVEL TEXT`. Line breaks in a text are written as `\n`, so that nobody can forge a line.
    Text,
    /// One JSON object on each line, with `timestamp`, `level` and `message` before the fields.
    Json,
}

/// When a file is put aside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// Before it grows beyond this size.
    max_bytes: Option<ByteSize>,
    /// Before it has more lines than this.
    max_lines: Option<u64>,
    /// At the first entry of a day (UTC).
    #[serde(default)]
    daily: bool,
    /// How many files that were put aside are kept. 7 unless told otherwise.
    #[serde(default = "seven")]
    #[schemars(range(max = 1000))]
    keep: u32,
}

fn seven() -> u32 {
    7
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The path.
    path: String,
    /// How many lines this step wrote.
    lines: usize,
    /// How many bytes this step wrote.
    bytes: u64,
    /// Whether the file was put aside before.
    rotated: bool,
}

const MOST_ENTRIES: usize = 10_000;

impl Atom for LogWrite {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "log_write",
        layer: Layer::IoFile,
        summary: "Adds lines to a log file, and puts it aside when it is full.",
        effect: Effect::Write,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Disk,
        frequency: Frequency::Medium,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A line",
                setup: vec![],
                input: json!({ "path": "logs/orders.log", "entry": "order 42 paid", "level": "info" }),
                expect: json!({ "lines": 1, "bytes": 44, "rotated": false }),
            },
            Example {
                title: "Fields, in a file that is put aside at 10 MiB",
                setup: vec![Setup::File {
                    path: "logs/events.jsonl",
                    content: "{\"event\":\"start\"}\n",
                }],
                input: json!({
                    "path": "logs/events.jsonl",
                    "entries": [{ "event": "paid", "order": 42 }, { "event": "sent", "order": 42 }],
                    "timestamp": false,
                    "rotate": { "max_bytes": "10MiB", "keep": 3 },
                }),
                expect: json!({ "lines": 2 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { path, entry, entries, format, level, timestamp, rotate } = input;
        let entries = match (entry, entries) {
            (Some(entry), None) => vec![entry],
            (None, Some(entries)) => entries,
            (None, None) => {
                return Err(refused(
                    "entry",
                    "it is required and is missing",
                    "add `entry`, or `entries`",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(refused("entries", "`entry` is given too", "leave one out"));
            }
        };
        if entries.is_empty() || entries.len() > MOST_ENTRIES {
            return Err(refused(
                "entries",
                "there are none, or more than 10,000",
                "write some of them in another step",
            ));
        }
        if let Some(place) =
            entries.iter().position(|entry| !entry.is_string() && !entry.is_object())
        {
            return Err(refused(
                &format!("entries[{place}]"),
                "it is neither text nor a map of fields",
                "write text, or a map",
            ));
        }
        if level.as_deref().is_some_and(|level| {
            level.is_empty()
                || level.len() > 32
                || !level.chars().all(|c| c.is_ascii_alphanumeric())
        }) {
            return Err(refused("level", "it is not a word", "write `info`, `warn` or `error`"));
        }
        let rotation = rotation(rotate)?;
        let format = format.unwrap_or(if entries.iter().all(Value::is_string) {
            Format::Text
        } else {
            Format::Json
        });
        let marks =
            Marks { kv: cx.shared.kv.as_ref(), space: "jalm.log", key: &cx.key, now: now() };
        let (shown, lines) = (path.to_string(), entries.len());
        let render = |at: Timestamp| {
            let at = timestamp.then(|| at.to_string());
            let mut text = String::new();
            for entry in &entries {
                text.push_str(&line(entry, format, at.as_deref(), level.as_deref()));
                text.push('\n');
            }
            text.into_bytes()
        };
        let logged = cx.shared.files.log(cx.access()?, path, render, rotation, marks).await?;
        Ok(Output { path: shown, lines, bytes: logged.bytes, rotated: logged.rotated })
    }
}

fn refused(path: &str, what: &str, hint: &str) -> Failure {
    bad(LogWrite::CARD.name, path, what.to_owned()).hint(hint)
}

fn rotation(rotate: Option<Rotate>) -> Result<Rotation, Failure> {
    let Some(Rotate { max_bytes, max_lines, daily, keep }) = rotate else {
        return Ok(Rotation::default());
    };
    if max_bytes.is_none() && max_lines.is_none() && !daily {
        return Err(refused(
            "rotate",
            "it does not say when",
            "give `max_bytes`, `max_lines` or `daily: true`",
        ));
    }
    if max_bytes.is_some_and(|most| most.0 == 0) || max_lines == Some(0) {
        return Err(refused("rotate", "0 would put every line aside", "write a larger number"));
    }
    if keep > 1000 {
        return Err(refused("rotate.keep", "it is more than 1000", "write 1000 or less"));
    }
    Ok(Rotation { most_bytes: max_bytes.map(|most| most.0), most_lines: max_lines, daily, keep })
}

fn line(entry: &Value, format: Format, at: Option<&str>, level: Option<&str>) -> String {
    match format {
        Format::Text => {
            let body = entry.as_str().map_or_else(|| entry.to_string(), escaped);
            let level = level.map(str::to_ascii_uppercase);
            [at, level.as_deref(), Some(&body)].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        Format::Json => {
            let mut map = Map::new();
            map.extend(at.map(|at| ("timestamp".to_owned(), at.into())));
            map.extend(level.map(|level| ("level".to_owned(), level.into())));
            if let Some(fields) = entry.as_object() {
                map.extend(fields.clone());
            } else {
                map.insert("message".to_owned(), entry.clone());
            }
            Value::Object(map).to_string()
        }
    }
}

/// One line, whatever the text is; terminals are not commanded by it.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests;
