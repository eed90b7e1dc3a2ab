//! What is wrong with a config: where, what, and the way out.

use super::Span;
use super::lines::Lines;
use serde::Serialize;
use std::borrow::Cow;

/// One fault of a config. All faults of a text are collected and reported together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code: `unknown_key`, `wrong_type`, `unknown_step`, `not_supported_yet`.
    pub code: &'static str,
    /// Path inside the document: `steps[2].retry.attempts`; empty for the document itself.
    pub path: String,
    /// Where it stands.
    pub span: Span,
    /// What is wrong, in the author's words: lower case, values in backticks, no full stop.
    pub message: String,
    /// What to write instead. Not optional: an error without a remedy does not compile.
    pub hint: Cow<'static, str>,
    /// Warnings do not stop a run: an older spelling, for instance.
    pub warning: bool,
}

/// A problem together with its place in a named text, ready to be shown or sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Problem`; line and column count from 1")]
pub struct Report {
    pub path: String,
    pub line: u32,
    /// In characters, not bytes.
    pub column: u32,
    pub code: &'static str,
    pub message: String,
    pub hint: Cow<'static, str>,
    /// The line as it stands in the source; of a very long line the part around `column`,
    /// with `…` where something was cut off.
    pub excerpt: String,
    /// How many characters of `excerpt` stand before the part that is meant.
    #[serde(skip)]
    pub indent: u32,
    /// How many characters from `column` on are meant; at least 1.
    #[serde(skip)]
    pub width: u32,
    pub warning: bool,
}

impl Problem {
    /// A fault of the text as such, for which no path can be given.
    pub(super) fn syntax(
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            path: String::new(),
            span,
            message: message.into(),
            hint: hint.into(),
            warning: false,
        }
    }

    /// The problem with its place in `source`, the text it was found in. For many problems of
    /// one text use [`reports`], which looks for the line ends only once.
    pub fn report(&self, source: &str) -> Report {
        Lines::of(source).report(self)
    }
}

/// All `problems` with their places in `source`, in the order in which they stand there.
pub fn reports(source: &str, problems: &[Problem]) -> Vec<Report> {
    let lines = Lines::of(source);
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| (problem.span.start, problem.span.end));
    sorted.into_iter().map(|problem| lines.report(problem)).collect()
}

/// An author's text for use inside a message: on one line, and cut when it is long.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
