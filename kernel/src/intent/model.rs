//! A decoded intent. Its shape is right; whether its names mean anything is the planner's matter.

use crate::ids::Millis;
use crate::source::{Node, Span};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A value and where the author wrote it.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the type's line says it all")]
pub struct Located<T> {
    pub span: Span,
    pub value: T,
}

/// A whole config.
#[derive(Clone, Debug)]
pub struct Intent {
    /// `[A-Za-z0-9_.-]{1,128}`.
    pub name: Located<String>,
    /// SemVer text, if given.
    pub version: Option<String>,
    /// Free text, if given.
    pub description: Option<String>,
    /// JSON Schema of `params`, with its place.
    pub input: Option<Node>,
    /// Constants, readable as `context.NAME`.
    pub context: Map<String, Value>,
    /// What the execution may touch; none means what the operator's policy gives by default.
    pub grants: Option<Grants>,
    /// What steps get that say nothing themselves.
    pub defaults: Defaults,
    /// Bounds of the whole execution.
    pub limits: Limits,
    /// At least one.
    pub steps: Vec<Step>,
    /// The execution's output; a tree with expressions.
    pub output: Option<Node>,
}

/// Permissions (DESIGN §7). A kind that is left out grants nothing of that kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// URL patterns: `https://api.example.com/*`.
    pub http: Vec<String>,
    /// Connection names.
    pub db: Vec<String>,
    /// Globs below the file root.
    pub file: FileGrants,
    /// Channel names: `queue`, `webhook`.
    pub notify: Vec<String>,
    /// What scripts may do besides computing, which needs no grant.
    #[serde(skip_serializing_if = "ScriptGrants::is_usual")]
    pub script: ScriptGrants,
}

/// What scripts may do besides computing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScriptGrants {
    /// The languages in which scripts may be written; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
    /// Whether scripts reach the addresses of `http`, through the runner's proxy.
    pub network: bool,
}

impl ScriptGrants {
    /// Whether it says what holds without it.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Globs of files that may be read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the type's line says it all")]
pub struct FileGrants {
    pub read: Vec<String>,
    pub write: Vec<String>,
}

/// What steps get that say nothing themselves.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are the author's keys")]
pub struct Defaults {
    pub timeout: Option<Millis>,
    pub retry: Option<Retry>,
}

/// Bounds of the whole execution.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are the author's keys")]
pub struct Limits {
    pub timeout: Option<Millis>,
}

/// How often and when a failed attempt is repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included; 1..=1000.
    pub attempts: u32,
    /// How the pause grows.
    pub backoff: Backoff,
    /// The pause after the first failure.
    pub delay: Millis,
    /// No pause is longer.
    pub max_delay: Millis,
    /// Spread the pauses over 50–100 % of their length, so that many retries do not meet.
    pub jitter: bool,
    /// Only these failure codes are repeated; empty means all that may pass by themselves.
    pub on: Vec<String>,
    /// These failure codes are never repeated.
    pub unless: Vec<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Backoff::Exponential,
            delay: Millis(1000),
            max_delay: Millis(60_000),
            jitter: true,
            on: Vec::new(),
            unless: Vec::new(),
        }
    }
}

/// How the pause between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// The same pause each time.
    Constant,
    /// `delay`, 2 × `delay`, 3 × `delay`…
    Linear,
    /// `delay`, 2 × `delay`, 4 × `delay`…
    Exponential,
}

/// One step: a body and the keys that every step may have.
#[derive(Clone, Debug)]
pub struct Step {
    /// `[A-Za-z_][A-Za-z0-9_-]{0,127}`; a step without `id` is called `step1`, `step2`… by its place.
    pub id: Located<String>,
    /// For people.
    pub name: Option<String>,
    /// The steps it follows; none means the step before it.
    pub needs: Option<Vec<Located<String>>>,
    /// Runs only if this text (one expression, with or without braces) is true. Or a literal bool.
    pub when: Option<Node>,
    /// The longest time one attempt (or one container) may take.
    pub timeout: Option<Located<Millis>>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// What a final failure does.
    pub on_error: OnError,
    /// Reshapes the output: `response` is the step's own.
    pub output: Option<Node>,
    /// Turns the body into a loop.
    pub foreach: Option<Foreach>,
    /// What it does.
    pub body: Body,
    /// The whole step, for problems that concern all of it.
    pub span: Span,
}

/// What a step's final failure does to what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The block around the step fails.
    Fail,
    /// The step is marked as failed and the next ones run.
    Continue,
}

/// A loop over a list.
#[derive(Clone, Debug)]
pub struct Foreach {
    /// One expression that gives a list, or a literal list (which may hold expressions).
    pub list: Node,
    /// The item's name in expressions besides `item`.
    pub as_name: Option<Located<String>>,
    /// How many items run at once; 1 by default.
    pub concurrency: u32,
    /// What a failing item does.
    pub on_item_error: OnItemError,
}

/// What a failing item does to its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnItemError {
    /// The loop fails and its other items stop.
    Fail,
    /// The item's place in the output holds `{error: …}`.
    Collect,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Body {
    /// Calls an atom. At least one of the two names is given.
    Atom {
        /// The layer's name, if given.
        layer: Option<Located<String>>,
        /// The atom's name, if given.
        atom: Option<Located<String>>,
        /// A map; an empty one if the author gave none.
        input: Node,
    },
    /// Binds names for later expressions.
    Set(Vec<(Located<String>, Node)>),
    /// Steps in sequence.
    Group(Vec<Step>),
    /// Steps side by side.
    Parallel(Vec<Step>),
}
