//! What compilers say, for the author: the first error, and where it is in the script.

use super::builder::{Built, End};
use crate::api::ScriptError;
use crate::languages::Language;
use serde::Deserialize;

/// Of all messages, so much is given.
const MOST: usize = 8 * 1024;

/// What went wrong; none if there is a program.
pub(super) fn error(language: Language, source: &str, built: &Built) -> Option<ScriptError> {
    let tool = if language == Language::Go { "Go" } else { "Rust" };
    match built.end {
        End::Done => None,
        End::Late => Some(
            ScriptError::new("script_timeout", format!("{tool}'s compiler was not done in time"))
                .hint("let the script be less, or generate less code in it"),
        ),
        End::Signal(signal) => Some(
            ScriptError::new(
                "script_syntax",
                format!("{tool}'s compiler ended by signal {signal}, without a program"),
            )
            .hint("the script may need more memory or time to be compiled than it may have"),
        ),
        End::Code(_) => {
            let mut first =
                if language == Language::Go { go(&built.said) } else { rust(&built.said) };
            let lines = u32::try_from(source.lines().count().max(1)).unwrap_or(u32::MAX);
            // What is below the script was added.
            if first.line.is_some_and(|line| line > lines) {
                (first.line, first.column) = (None, None);
            }
            if first.line == Some(built.shift.0) {
                first.column = first.column.map(|column| {
                    column.checked_sub(built.shift.1).filter(|column| *column > 0).unwrap_or(1)
                });
            }
            Some(first)
        }
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "message")]
    text: String,
    level: String,
    spans: Vec<Span>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: u32,
    column_start: u32,
    is_primary: bool,
}

/// What Cargo makes of a message of the compiler.
#[derive(Deserialize)]
struct Passed {
    message: Message,
}

fn message(line: &str) -> Option<Message> {
    let passed = || serde_json::from_str(line).ok().map(|Passed { message }| message);
    serde_json::from_str(line).ok().or_else(passed)
}

/// One message a line, as JSON.
fn rust(said: &str) -> ScriptError {
    let messages: Vec<Message> = said
        .lines()
        .filter_map(message)
        .filter(|message: &Message| message.level.starts_with("error"))
        .collect();
    let place = |message: &Message| {
        let span =
            message.spans.iter().find(|span| span.is_primary && span.file_name == "script.rs")?;
        Some((span.line_start, span.column_start))
    };
    let found = messages.iter().find(|message| place(message).is_some()).or(messages.first());
    let Some(found) = found else { return nothing("Rust", said) };
    let place = place(found);
    let rendered: Vec<&str> =
        messages.iter().filter_map(|message| message.rendered.as_deref()).collect();
    ScriptError {
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        traceback: Some(head(&rendered.concat())),
        ..ScriptError::new("script_syntax", found.text.clone())
    }
}

/// `script.go:3:5: undefined: x`, perhaps behind a path.
fn go(said: &str) -> ScriptError {
    let place = |line: &str| {
        let (_, rest) = line.split_once("script.go:")?;
        let (number, rest) = rest.split_once(':')?;
        let number = number.parse::<u32>().ok()?;
        let column = rest
            .split_once(':')
            .and_then(|(column, rest)| Some((column.parse::<u32>().ok()?, rest)));
        let (column, message) = column.map_or((None, rest), |(column, rest)| (Some(column), rest));
        Some((number, column, message.trim().to_owned()))
    };
    let Some((line, column, message)) = said.lines().find_map(place) else {
        return nothing("Go", said);
    };
    ScriptError {
        line: Some(line),
        column,
        traceback: Some(head(said)),
        ..ScriptError::new("script_syntax", message)
    }
}

fn nothing(tool: &str, said: &str) -> ScriptError {
    // Cargo tells of what it has done as JSON.
    let lines = || said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('{'));
    let error = lines().find(|line| line.starts_with("error"));
    let first = error.or_else(|| lines().next()).unwrap_or("it does not say why");
    ScriptError {
        traceback: Some(head(&lines().collect::<Vec<_>>().join("\n"))),
        ..ScriptError::new("script_syntax", format!("{tool}'s compiler made no program: {first}"))
    }
}

fn head(text: &str) -> String {
    text.get(..text.floor_char_boundary(MOST)).unwrap_or_default().trim_end().to_owned()
}
