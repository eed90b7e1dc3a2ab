//! Collects what is wrong while an intent is decoded.

use crate::source::{Lines, MOST_PROBLEMS, Problem, Span};
use std::borrow::Cow;

/// The problems so far, and what is needed to word them.
pub(super) struct Reporter<'a> {
    problems: Vec<Problem>,
    /// The lines of the source, if it is known.
    lines: Option<Lines<'a>>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(source: Option<&'a str>) -> Self {
        Self { problems: Vec::new(), lines: source.map(Lines::of) }
    }

    /// Adds an error.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        path: &str,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) {
        if !self.full() {
            self.problems.push(Problem {
                code,
                path: path.to_owned(),
                span,
                message: message.into(),
                hint: hint.into(),
                warning: false,
            });
        }
    }

    /// Whether there are so many problems that no more are taken.
    pub(super) fn full(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }

    /// A place in words: its line, or its path if the source is not at hand.
    pub(super) fn place(&self, span: Span, path: &str) -> String {
        match &self.lines {
            Some(lines) => format!("line {}", lines.line(span.start)),
            None => format!("`{path}`"),
        }
    }

    /// All problems, in the order of the text.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        self.problems
    }
}
