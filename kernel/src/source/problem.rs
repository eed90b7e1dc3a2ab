//! What is wrong with a config: where, what, and the way out.

use super::Span;
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
    pub column: u32,
    pub code: &'static str,
    pub message: String,
    pub hint: Cow<'static, str>,
    /// The line as it stands in the source.
    pub excerpt: String,
    /// How many characters from `column` on are meant; at least 1.
    #[serde(skip)]
    pub width: u32,
    pub warning: bool,
}
