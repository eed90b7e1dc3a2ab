//! From source to machine code, in a child that does nothing else.

use super::{engine, source};
use crate::api::ScriptError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmtime::wasmparser::{KnownCustom, Name, Parser, Payload};

/// What a runner needs to know of a module besides its machine code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// It is a component.
    pub(super) component: bool,
    /// The names of the parameters of `main`, if every one has a name.
    pub(super) parameters: Option<Vec<String>>,
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
    let compiled = engine::compiler().and_then(|engine| {
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
    let parameters = if component { None } else { names_of_main(&bytes) };
    let answer = Answer { shape: Shape { component, parameters }, code: STANDARD.encode(code) };
    serde_json::to_value(answer)
        .map_err(|error| ScriptError::new("script_error", error.to_string()))
}

/// The names of the parameters of `main`, which only the custom section `name` knows. None if it
/// does not know them all. The module is valid.
fn names_of_main(module: &[u8]) -> Option<Vec<String>> {
    let mut main = None;
    let mut imported = 0;
    let mut types = Vec::new();
    let mut type_of_function = Vec::new();
    let mut named: Vec<(u32, String)> = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    types.push(ty.ok()?.params().len());
                }
            }
            Payload::ImportSection(section) => {
                let functions = section.into_imports().filter(|import| {
                    import.as_ref().is_ok_and(|import| {
                        matches!(
                            import.ty,
                            wasmtime::wasmparser::TypeRef::Func(_)
                                | wasmtime::wasmparser::TypeRef::FuncExact(_)
                        )
                    })
                });
                imported = u32::try_from(functions.count()).ok()?;
            }
            Payload::FunctionSection(section) => {
                type_of_function = section.into_iter().collect::<Result<Vec<u32>, _>>().ok()?;
            }
            Payload::ExportSection(section) => {
                let export = section.into_iter().flatten().find(|export| export.name == "main");
                main = export.map(|export| export.index);
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for part in names {
                    let Name::Local(functions) = part.ok()? else { continue };
                    for function in functions {
                        let function = function.ok()?;
                        if Some(function.index) != main {
                            continue;
                        }
                        for local in function.names {
                            let local = local.ok()?;
                            named.push((local.index, local.name.to_owned()));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let own = usize::try_from(main?.checked_sub(imported)?).ok()?;
    let count = *types.get(usize::try_from(*type_of_function.get(own)?).ok()?)?;
    let name = |index: usize| {
        let found = named.iter().find(|(at, _)| usize::try_from(*at) == Ok(index));
        found.map(|(_, name)| name.clone())
    };
    (0..count).map(name).collect()
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
            answer(&text).shape.parameters
        };
        let wanted = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(names("(param $a i32) (param $b f64)"), Some(wanted));
        assert_eq!(names("(param $a i32) (param f64)"), None);
        assert_eq!(names(""), Some(vec![]));
        assert_eq!(answer("(module)").shape.parameters, None);
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
