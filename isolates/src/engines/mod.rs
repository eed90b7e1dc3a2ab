//! The interpreters. They run in a child only, never in the server.
//!
//! | program | engine |
//! |---|---|
//! | `JavaScript` | QuickJS-ng |
//! | `Jq` | jaq |
//! | `Template` | MiniJinja |

mod javascript;
mod jq;
#[cfg(feature = "testkit")]
mod probe;
mod template;

use crate::api::{Program, ScriptError};
use crate::wire::Outcome;
use serde_json::Value;
use std::time::Instant;

/// What an engine should keep to by itself; the watchdog outside makes sure.
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    pub(crate) memory: u64,
}

/// Printed text is cut here, in bytes; more would only be thrown away by the server.
const MAX_PRINTED: usize = 1024 * 1024;

/// A new engine is one file and one line here.
pub(crate) fn run(program: Program, bounds: &Bounds) -> Outcome {
    match program {
        Program::JavaScript { source, variables } => javascript::run(&source, &variables, bounds),
        Program::Jq { filter, input, variables } => quiet(jq::run(&filter, &input, variables)),
        Program::Template { source, includes, data, autoescape } => {
            quiet(template::run(&source, includes, &data, autoescape))
        }
        #[cfg(feature = "testkit")]
        Program::Probe { attempts } => quiet(Ok(probe::run(&attempts))),
    }
}

/// The outcome of an engine that prints nothing.
fn quiet(result: Result<Value, ScriptError>) -> Outcome {
    Outcome { result, stdout: String::new(), stderr: String::new(), memory: 0 }
}
