//! From source to machine code, in a child that does nothing else.

use super::engine::{self, Guests};
use super::source;
use crate::api::ScriptError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmtime::wasmparser::{KnownCustom, Name, Parser, Payload};

/// No function has more parameters.
const MOST_PARAMETERS: u32 = 1000;

/// What a runner needs to know of a module besides its machine code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// It is a component.
    pub(super) component: bool,
    /// Names of parameters of `main`, by their number.
    pub(super) names: Vec<(u32, String)>,
}

/// What a child answers.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) shape: Shape,
    /// Machine code, as base64.
    pub(super) code: String,
}

/// Compiles a script. Only in a child: this reads what strangers wrote.
pub(crate) fn compile(script: &str) -> Result<Value, ScriptError> {
    let bytes = source::bytes(script)?;
    let component = source::is_component(&bytes);
    let compiled = engine::compiler(Guests::Modules).and_then(|engine| {
        if component {
            engine.precompile_component(&bytes)
        } else {
            engine.precompile_module(&bytes)
        }
    });
    let code = compiled.map_err(|error| {
        ScriptError::new("script_syntax", format!("the module cannot be compiled: {error:#}"))
            .hint("threads, exceptions and garbage-collected types are not supported")
    })?;
    let names = if component { Vec::new() } else { names_of_main(&bytes) };
    let answer = Answer { shape: Shape { component, names }, code: STANDARD.encode(code) };
    serde_json::to_value(answer)
        .map_err(|error| ScriptError::new("script_error", error.to_string()))
}

/// Compiles the interpreter of Python, as base64. No stranger wrote it, but it is large.
pub(crate) fn compile_python(component: &str) -> Result<Value, ScriptError> {
    let wrong = |error: &dyn std::fmt::Display| {
        ScriptError::new("script_error", format!("it cannot be compiled: {error:#}"))
    };
    let bytes = STANDARD.decode(component).map_err(|error| wrong(&error))?;
    let engine = engine::compiler(Guests::Python).map_err(|error| wrong(&error))?;
    let code = engine.precompile_component(&bytes).map_err(|error| wrong(&error))?;
    Ok(Value::String(STANDARD.encode(code)))
}

/// The names of the first variables of `main`, its parameters among them, by number: only the
/// custom section `name` knows them, and it need not know all.
fn names_of_main(module: &[u8]) -> Vec<(u32, String)> {
    let payloads = || Parser::new(0).parse_all(module).flatten();
    let main = payloads().find_map(|payload| {
        let Payload::ExportSection(exports) = payload else { return None };
        exports.into_iter().flatten().find(|export| export.name == "main")
    });
    let Some(main) = main else { return Vec::new() };
    for payload in payloads() {
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Name(parts) = section.as_known() else { continue };
        for part in parts.into_iter().flatten() {
            let Name::Local(functions) = part else { continue };
            let found = functions.into_iter().flatten().find(|found| found.index == main.index);
            let locals = found.into_iter().flat_map(|found| found.names).flatten();
            let named = locals.map(|local| (local.index, local.name.to_owned()));
            return named.filter(|(number, _)| *number < MOST_PARAMETERS).collect();
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(script: &str) -> Answer {
        serde_json::from_value(compile(script).unwrap()).unwrap()
    }

    #[test]
    fn the_parameters_of_main_have_the_names_of_the_text() {
        let names = |parameters: &str| {
            let text = format!(
                r#"(module (import "m" "f" (func (param i32)))
                     (func (param $no i64)) (func (export "main") {parameters} (local $l i32)))"#
            );
            answer(&text).shape.names
        };
        let name = |number, name: &str| (number, name.to_owned());
        let wanted = vec![name(0, "a"), name(1, "b"), name(2, "l")];
        assert_eq!(names("(param $a i32) (param $b f64)"), wanted);
        assert_eq!(names("(param $a i32) (param f64)"), [name(0, "a"), name(2, "l")]);
        assert_eq!(answer("(module)").shape.names, []);
    }

    #[test]
    fn components_are_told_from_modules() {
        assert!(answer("(component)").shape.component);
        assert!(!answer("(module)").shape.component);
    }

    #[test]
    fn invalid_modules_and_machine_code_are_refused() {
        let error = compile("(module (func (result i32)))").unwrap_err();
        assert_eq!(error.code, "script_syntax");
        assert!(error.message.contains("type mismatch"), "{}", error.message);
        // What the compiler itself has made is not taken back from outside.
        let made = answer("(module)").code;
        assert_eq!(compile(&made).unwrap_err().code, "script_syntax");
    }
}
