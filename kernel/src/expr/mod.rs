//! Expressions: `{{ … }}` in an intent, compiled once and evaluated against an execution.
//!
//! An expression is MiniJinja's, without statements, without anything that reads a clock or
//! chance: the same recorded facts always give the same value, which is what makes a replay
//! exact. Undefined values are errors, never empty text. Work and memory of one evaluation are
//! bounded ([`environment`]).
//!
//! A plain path such as `steps.rows.output.rows` is by far the most frequent expression and is
//! walked directly in the JSON; everything else goes through MiniJinja.

mod compile;
mod datum;
mod environment;
mod eval;
mod json;
mod path;
mod split;
mod template;

pub use compile::{CompileError, Expr, NameError, Names, Root};
pub use datum::Datum;
pub use eval::{Scope, StepFacts};
pub(crate) use json::too_deep;
pub use template::Template;

/// No single expression is longer, in bytes.
pub const MAX_EXPRESSION: usize = 16 * 1024;
