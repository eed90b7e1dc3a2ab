//! From a program to the isolate that runs it.

use crate::api::{Program, Refused, Script};
use crate::engines::Task;
use crate::languages::{Language, Runtime};
use crate::node::Flavour;

/// Where a program runs.
pub(super) enum Route {
    /// In a child of the worker.
    Isolate(Task),
    /// In a process of Node, Deno or Bun.
    Node(Flavour, Script),
    /// In a child of the Python zygote.
    Python(Script),
    /// In the interpreter of Python in WebAssembly.
    PythonWasi(Script),
    /// Compiled, in a process of its own.
    Compiled(Script),
    /// In a runner of WebAssembly.
    Wasm(Script),
    /// The same, for the conformance suite.
    #[cfg(feature = "testkit")]
    ProbeWasm(Vec<String>),
}

/// Finds the isolate of a program.
pub(super) fn route(program: Program) -> Result<Route, Refused> {
    match program {
        Program::Script(script) => of_script(script),
        Program::Jq { filter, input, variables } => {
            Ok(Route::Isolate(Task::Jq { filter, input, variables }))
        }
        Program::Template { source, includes, data, autoescape } => {
            Ok(Route::Isolate(Task::Template { source, includes, data, autoescape }))
        }
        #[cfg(feature = "testkit")]
        Program::Probe { attempts } => Ok(Route::Isolate(Task::Probe { attempts })),
        #[cfg(feature = "testkit")]
        Program::ProbeWasm { attempts } => Ok(Route::ProbeWasm(attempts)),
    }
}

fn of_script(script: Script) -> Result<Route, Refused> {
    let language = script.language;
    let usual = language.engines().next().map_or(Runtime::Native, |engine| engine.runtime);
    let runtime = script.runtime.unwrap_or(usual);
    match (language, runtime) {
        (Language::JavaScript, Runtime::QuickJs) => {
            let Script { source, variables, .. } = script;
            Ok(Route::Isolate(Task::JavaScript { source, variables }))
        }
        (Language::TypeScript, Runtime::QuickJs) => {
            let Script { source, variables, .. } = script;
            Ok(Route::Isolate(Task::TypeScript { source, variables }))
        }
        (Language::JavaScript | Language::TypeScript, runtime) => match Flavour::of(runtime) {
            Some(flavour) => Ok(Route::Node(flavour, script)),
            None => Err(Refused::NoSuchRuntime { language, runtime }),
        },
        (Language::Python, Runtime::Native) => Ok(Route::Python(script)),
        (Language::Python, Runtime::Wasi) => Ok(Route::PythonWasi(script)),
        (Language::Rust | Language::Go, Runtime::Native) => Ok(Route::Compiled(script)),
        (Language::Wasm, Runtime::Wasmtime) => Ok(Route::Wasm(script)),
        _ => Err(Refused::NoSuchRuntime { language, runtime }),
    }
}
