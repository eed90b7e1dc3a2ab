//! The interpreters. They run in a child only, never in the server.
//!
//! | program | engine |
//! |---|---|
//! | `JavaScript` | QuickJS-ng |
//! | `TypeScript` | oxc, then QuickJS-ng |
//! | `Jq` | jaq |
//! | `Template` | MiniJinja |
//! | `CompileWasm`, `CompilePython` | wasmtime's compiler; the module runs elsewhere (`wasm`) |

mod javascript;
mod jq;
#[cfg(feature = "testkit")]
pub(crate) mod probe;
mod template;
mod typescript;

use crate::api::ScriptError;
use crate::wire::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Instant;

/// What an engine should keep to by itself; the watchdog outside makes sure.
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    pub(crate) memory: u64,
    pub(crate) output: u64,
}

/// Results may be nested so deep; JSON readers give up soon after.
const DEEPEST: usize = 100;

/// What a child is given: the programs whose interpreters are here.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    JavaScript {
        source: String,
        variables: Map<String, Value>,
    },
    TypeScript {
        source: String,
        variables: Map<String, Value>,
    },
    StripTypeScript {
        source: String,
    },
    Jq {
        filter: String,
        input: Value,
        variables: Map<String, Value>,
    },
    Template {
        source: String,
        includes: BTreeMap<String, String>,
        data: Map<String, Value>,
        autoescape: bool,
    },
    CompileWasm {
        source: String,
    },
    CompilePython {
        component: String,
    },
    #[cfg(feature = "testkit")]
    Probe {
        attempts: Vec<String>,
    },
}

/// What the worker prepares once, for all its children.
pub(crate) struct Ready(javascript::Ready);

impl Ready {
    pub(crate) fn new() -> Result<Self, String> {
        typescript::warm_up();
        javascript::Ready::new().map(Self).map_err(|error| error.to_string())
    }
}

/// Touches what nearly every job touches, so that a child that waits for its job has these pages for
/// itself when the job comes. Nothing of it can be seen by the job.
pub(crate) fn warm_up(ready: &Ready) {
    javascript::warm_up(&ready.0);
}

/// A new engine is one file and one line here.
pub(crate) fn run(ready: &Ready, task: Task, bounds: &Bounds) -> Outcome {
    match task {
        Task::JavaScript { source, variables } => {
            javascript::run(&ready.0, &source.as_str().into(), &variables, bounds)
        }
        Task::TypeScript { source, variables } => match typescript::strip(&source) {
            Ok(code) => javascript::run(&ready.0, &code, &variables, bounds),
            Err(error) => quiet(Err(error)),
        },
        Task::StripTypeScript { source } => {
            quiet(typescript::strip(&source).map(|code| code.to_value()))
        }
        Task::Jq { filter, input, variables } => quiet(jq::run(&filter, &input, variables, bounds)),
        Task::Template { source, includes, data, autoescape } => {
            quiet(template::run(&source, includes, &data, autoescape, bounds))
        }
        Task::CompileWasm { source } => quiet(crate::wasm::compile(&source)),
        Task::CompilePython { component } => quiet(crate::wasm::compile_python(&component)),
        #[cfg(feature = "testkit")]
        Task::Probe { attempts } => quiet(Ok(probe::run(&attempts))),
    }
}

/// The outcome of an engine that prints nothing.
pub(crate) fn quiet(result: Result<Value, ScriptError>) -> Outcome {
    Outcome { result, stdout: String::new(), stderr: String::new(), memory: 0 }
}

/// A script that returns nothing gives what it printed: JSON if it is JSON, else the text.
pub(crate) fn from_print(text: &str, bounds: &Bounds) -> Value {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Value::Null;
    }
    result_of(text, bounds).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A result as JSON text, which must be within the bounds.
fn result_of(text: &str, bounds: &Bounds) -> Result<Value, ScriptError> {
    if text.len() as u64 > bounds.output {
        return Err(ScriptError::too_much(bounds.output));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| {
        ScriptError::new("script_error", format!("the result cannot be read as JSON: {error}"))
            .hint("NaN, infinities, half characters and keys that are not text have no place in JSON; nor has what is nested deeper than 100 levels")
    })?;
    if deeper(&value, DEEPEST) {
        let what = format!("the result is nested deeper than {DEEPEST} levels");
        return Err(ScriptError::new("script_error", what).hint("return flatter data"));
    }
    Ok(value)
}

fn deeper(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| levels == 0 || deeper(value, levels - 1);
    match value {
        Value::Array(items) => items.iter().any(below),
        Value::Object(fields) => fields.values().any(below),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
