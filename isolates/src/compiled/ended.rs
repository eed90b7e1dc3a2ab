//! From the end of a program to a result.

use crate::api::{Limits, Refused, Script, ScriptError, Verdict};
use crate::host::verdict::{self, head};
use crate::languages::Language;
use crate::wire::{Ended, Outcome};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// What a program has said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) result: Vec<u8>,
    /// More than it may say.
    pub(super) too_much: bool,
}

impl Heard {
    pub(super) fn is_empty(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty() && self.result.is_empty()
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Puts together what is known of a run.
pub(super) fn verdict(
    script: &Script,
    heard: Heard,
    ended: Ended,
    limits: &Limits,
    duration: Duration,
    isolation: Arc<str>,
) -> Result<Verdict, Refused> {
    let Heard { stdout, stderr, result, too_much } = heard;
    let (stdout, stderr) = (text(stdout), text(stderr));
    let known = if too_much {
        Some(Err(ScriptError::too_much(limits.output)))
    } else if ended.overstayed {
        Some(Err(ScriptError::too_late()))
    } else if ended.code == Some(0) {
        Some(given(&result, &stdout))
    } else {
        explained(script, &ended, &stderr).map(Err)
    };
    let (stdout, stderr) = if too_much { (head(stdout), head(stderr)) } else { (stdout, stderr) };
    match known {
        Some(result) => {
            let outcome = Outcome { result, stdout, stderr, memory: ended.memory };
            verdict::of(Some(outcome), Some(ended), false, limits, duration, isolation)
        }
        None => {
            let verdict = verdict::of(None, Some(ended), false, limits, duration, isolation)?;
            Ok(Verdict { stdout, stderr, ..verdict })
        }
    }
}

/// The result of a program that ended well: what it gave back, else what it printed.
fn given(result: &[u8], stdout: &str) -> Result<Value, ScriptError> {
    match result.split_first() {
        Some((b'e', why)) => {
            Err(ScriptError::new("script_error", String::from_utf8_lossy(why).into_owned()))
        }
        Some((b'r', value)) => serde_json::from_slice(value).map_err(|error| {
            ScriptError::new("script_error", format!("the result cannot be read as JSON: {error}"))
                .hint("return less deeply nested data")
        }),
        Some(_) | None => Ok(printed(stdout)),
    }
}

/// What was printed as JSON, else as text.
fn printed(stdout: &str) -> Value {
    let text = stdout.trim_end_matches('\n');
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// What the runtimes of both languages say as they end a program.
fn explained(script: &Script, ended: &Ended, stderr: &str) -> Option<ScriptError> {
    let says = |what: &str| stderr.contains(what);
    if script.language == Language::Go {
        if says("SIGXCPU") {
            return Some(ScriptError::too_late());
        }
        if says("runtime: out of memory") || says("cannot allocate memory") {
            return Some(ScriptError::out_of_memory());
        }
        if says("fatal error: stack overflow") {
            return Some(too_deep());
        }
    } else if says("memory allocation of ") && ended.signal == Some(libc::SIGABRT) {
        return Some(ScriptError::out_of_memory());
    } else if says("has overflowed its stack") {
        return Some(too_deep());
    }
    let raised = if script.language == Language::Go { go(stderr) } else { rust(stderr) };
    if let Some(mut error) = raised {
        let lines = u32::try_from(script.source.lines().count().max(1)).unwrap_or(u32::MAX);
        // What is below the script was added.
        error.line = error.line.filter(|line| *line <= lines);
        return Some(error);
    }
    if let Some(code) = ended.code {
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
        let said = last.map(|line| format!(": {}", line.trim())).unwrap_or_default();
        return Some(
            ScriptError::new("script_error", format!("the script exited with code {code}{said}"))
                .hint("return a value, or print an error that says what is wrong"),
        );
    }
    (ended.signal == Some(libc::SIGABRT))
        .then(|| ScriptError::new("script_crashed", "the script gave no answer: it aborted"))
}

fn too_deep() -> ScriptError {
    ScriptError::new("script_crashed", "the script gave no answer: it recursed too deeply")
        .hint("nest less deeply")
}

/// `thread 'main' (2) panicked at script.rs:1:13:`, the message, and a note.
fn rust(stderr: &str) -> Option<ScriptError> {
    let (_, panic) = stderr.split_once(" panicked at ")?;
    let (place, message) = panic.split_once(":\n").unwrap_or((panic, ""));
    let message = message.split("\nnote: run with ").next().unwrap_or(message).trim();
    let line =
        place.strip_prefix("script.rs:").and_then(|rest| rest.split(':').next()?.parse().ok());
    Some(ScriptError {
        line,
        traceback: Some(format!("at {}", place.lines().next().unwrap_or(place))),
        ..ScriptError::new("script_error", message)
    })
}

/// `panic: ` and the message, then the calls: `…/script.go:5 +0x1d`.
fn go(stderr: &str) -> Option<ScriptError> {
    let at = stderr.find("panic: ").or_else(|| stderr.find("fatal error: "))?;
    let panic = stderr.get(at..)?;
    let (_, message) = panic.split_once(": ")?;
    let (message, calls) = message.split_once("\n\n").unwrap_or((message, ""));
    let message = message.split("\n[signal ").next().unwrap_or(message).trim();
    let line = calls.lines().find_map(|line| {
        let (_, rest) = line.split_once("script.go:")?;
        rest.split([' ', '\n']).next()?.parse().ok()
    });
    Some(ScriptError {
        line,
        traceback: Some(head(calls.trim().to_owned())).filter(|calls| !calls.is_empty()),
        ..ScriptError::new("script_error", message)
    })
}
