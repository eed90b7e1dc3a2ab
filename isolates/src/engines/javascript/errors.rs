//! What went wrong in a script, in its author's lines.

use super::{Bounds, Code, FILE};
use crate::api::ScriptError;
use rquickjs::Ctx;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::time::Instant;

/// How far a run had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Preparing,
    Reading,
    Running,
}

impl Code<'_> {
    fn lines(&self) -> u32 {
        u32::try_from(self.text.lines().count()).unwrap_or(u32::MAX).max(1)
    }

    /// The author's line and column for those of the text, all from 1.
    fn author(&self, line: u32, column: u32) -> (u32, u32) {
        self.places.as_ref().map_or((line, column), |places| places.author(line, column))
    }
}

/// How many calls of a traceback are shown.
const CALLS: usize = 10;

pub(super) fn check_names(variables: &Map<String, Value>) -> Result<(), ScriptError> {
    let good = |name: &str| {
        let mut bytes = name.bytes();
        bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first == b'$')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
            && !name.starts_with("__jalm_")
    };
    match variables.keys().find(|name| !good(name)) {
        None => Ok(()),
        Some(name) => Err(bad_name(name)),
    }
}

fn bad_name(name: &str) -> ScriptError {
    ScriptError::new("script_error", format!("`{name}` cannot be the name of a variable")).hint(
        "use letters, digits, `_` and `$`, not starting with a digit, and no word of the language",
    )
}

pub(super) fn explain(
    js: &Ctx<'_>,
    error: &rquickjs::Error,
    phase: Phase,
    code: &Code<'_>,
    variables: &Map<String, Value>,
    bounds: &Bounds,
) -> ScriptError {
    let explained = of(js, error, phase, code, variables, bounds);
    // Looking at what was thrown may run code of the script, which may take too long as well.
    if Instant::now() >= bounds.deadline { ScriptError::too_late() } else { explained }
}

fn of(
    js: &Ctx<'_>,
    error: &rquickjs::Error,
    phase: Phase,
    code: &Code<'_>,
    variables: &Map<String, Value>,
    bounds: &Bounds,
) -> ScriptError {
    if matches!(error, rquickjs::Error::WouldBlock) {
        return ScriptError::new(
            "script_error",
            "the script waits for something that never happens",
        )
        .hint("a promise is never settled; there are no timers and no network here");
    }
    if matches!(error, rquickjs::Error::Allocation) {
        return ScriptError::out_of_memory();
    }
    if !error.is_exception() {
        return ScriptError::new("script_error", format!("the script failed: {error}"));
    }
    let thrown = js.catch();
    // Without memory for an error, `null` is thrown.
    if thrown.is_null() && crate::worker::memory_used() >= bounds.memory / 4 * 3 {
        return ScriptError::out_of_memory();
    }
    let Some(exception) = thrown.as_exception() else {
        let text = js.json_stringify(thrown).ok().flatten().and_then(|text| text.to_string().ok());
        return ScriptError::new(
            "script_error",
            format!("the script threw {}", text.unwrap_or_else(|| "a value".to_owned())),
        )
        .hint("throw an Error to say more");
    };
    let name = exception.get::<_, String>("name").unwrap_or_else(|_| "Error".to_owned());
    let message = exception.message().unwrap_or_default();
    let stack = exception.stack().unwrap_or_default();
    if name == "InternalError" && message.contains("out of memory") {
        return ScriptError::out_of_memory();
    }
    if phase == Phase::Reading && name == "SyntaxError" {
        return unreadable(js, &message, &stack, code, variables);
    }
    let calls = calls(&stack, code);
    let mut traceback = String::new();
    for call in calls.iter().take(CALLS) {
        let _ = writeln!(
            traceback,
            "at {}{FILE}:{}:{}{}",
            call.name,
            call.line,
            call.column,
            if call.name.is_empty() { "" } else { ")" }
        );
    }
    ScriptError {
        line: calls.first().map(|call| call.line),
        column: calls.first().map(|call| call.column),
        traceback: (!calls.is_empty()).then(|| traceback.trim_end().to_owned()),
        hint: hint(&name, &message).map(str::to_owned),
        ..ScriptError::new("script_error", format!("{name}: {message}"))
    }
}

/// The script, or the name of a variable, is no JavaScript.
fn unreadable(
    js: &Ctx<'_>,
    message: &str,
    stack: &str,
    code: &Code<'_>,
    variables: &Map<String, Value>,
) -> ScriptError {
    let is_word = |name: &&String| {
        super::eval::<rquickjs::Value<'_>>(
            js,
            &format!("(async function ({name}) {{{}}})", code.directive()),
            "name",
        )
        .is_err()
    };
    if let Some(name) = variables.keys().find(is_word) {
        return bad_name(name);
    }
    let lines = code.lines();
    let place = stack.lines().find_map(numbers);
    // What is missing at the end is noticed behind it.
    let (line, column) = place.map_or((None, None), |(line, column)| {
        let line = line.saturating_sub(1);
        let past_the_end = line > lines;
        let (line, column) = code.author(line.clamp(1, lines), column);
        (Some(line), (!past_the_end).then_some(column))
    });
    let error = ScriptError {
        line,
        column,
        ..ScriptError::new("script_syntax", format!("SyntaxError: {message}"))
    };
    if code.text.contains("import ") || code.text.contains("export ") {
        return error.hint("scripts are no modules: there is nothing to import or export");
    }
    error
}

fn hint(name: &str, message: &str) -> Option<&'static str> {
    let known = [
        ("BigInt", "turn it into text or a number: `String(value)`, `Number(value)`"),
        ("circular", "return a copy without the parts that point back"),
        ("stack size", "recurse less deeply, or use a loop"),
        ("setTimeout", "there are no timers here; use a `wait` step"),
        ("fetch", "there is no network here; use an `exec_http` step before this one"),
        ("require", "there are no modules here"),
    ];
    let found = known.iter().find(|(word, _)| message.contains(word)).map(|(_, hint)| *hint);
    found.or_else(|| {
        (name == "ReferenceError").then_some("only the step's `variables` are defined here")
    })
}

/// A call in a stack trace.
struct Call<'a> {
    /// `f (`, or nothing.
    name: &'a str,
    line: u32,
    column: u32,
}

/// The calls that stand in the script, innermost first.
fn calls<'a>(stack: &'a str, code: &Code<'_>) -> Vec<Call<'a>> {
    let last = code.lines();
    let call = |text: &'a str| {
        let (line, column) = numbers(text)?;
        // The line before the script and the one behind it are not the author's.
        let line = line.checked_sub(1).filter(|line| (1..=last).contains(line))?;
        let (line, column) = code.author(line, column);
        let name = text.trim().strip_prefix("at ").and_then(|text| text.split_once(FILE));
        Some(Call { name: name.map_or("", |(name, _)| name), line, column })
    };
    stack.lines().filter_map(call).collect()
}

/// The place in `at f (script:3:5)`.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let at = text.rfind("script:")? + FILE.len() + 1;
    let mut numbers = text.get(at..)?.split(|c: char| !c.is_ascii_digit());
    let line = numbers.next()?.parse().ok()?;
    Some((line, numbers.next().and_then(|text| text.parse().ok()).unwrap_or(1)))
}
