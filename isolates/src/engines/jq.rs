//! jq filters, by jaq.

use super::{Bounds, result_of};
use crate::api::ScriptError;
use jaq_core::compile;
use jaq_core::load::{self, Arena, Error, Errors, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use serde_json::{Map, Value};

/// All outputs of the filter, as a list.
pub(super) fn run(
    filter: &str,
    input: &Value,
    variables: Map<String, Value>,
    bounds: &Bounds,
) -> Result<Value, ScriptError> {
    let names: Vec<String> = variables.keys().map(|name| format!("${name}")).collect();
    let values: Result<Vec<Val>, ScriptError> = variables.values().map(to_jq).collect();
    let values = values?;

    // Without those that look outside: `now`, `input`, `debug`, `env` and their like would give
    // nothing of the host here, but results must depend on the input alone. Definitions that stand
    // on a function left out go with it: a filter compiles only if all of them do.
    let outside = [
        "now",
        "localtime",
        "strflocaltime",
        "input",
        "inputs",
        "debug",
        "debug_empty",
        "stderr",
        "stderr_empty",
        "env",
        "halt",
        "halt_error",
    ];
    let definitions = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .filter(|definition| !outside.contains(&definition.name));
    let functions = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|function| !outside.contains(&function.0));

    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code: filter, path: () })
        .map_err(|errors| unreadable(filter, &errors))?;
    // Data modules are looked for apart from the others.
    load::import(&modules, |_| Err(String::new())).map_err(|errors| unreadable(filter, &errors))?;
    let compiled = Compiler::default()
        .with_funs(functions)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| unknown(filter, &errors))?;
    let context = Ctx::<data::JustLut<Val>>::new(&compiled.lut, Vars::new(values));
    let outputs = compiled.id.run((context, to_jq(input)?)).map(unwrap_valr);
    let mut results = Vec::new();
    // `repeat` and `range` may never end; what is too much already need not go on.
    let mut room = bounds.output;
    for output in outputs {
        let value = output.map_err(|error| {
            ScriptError::new("script_error", format!("the filter failed: {error}"))
                .hint("check the filter against the data it gets")
        })?;
        let text = value.to_string();
        let length = text.len() as u64 + 1;
        room = room.checked_sub(length).ok_or_else(|| ScriptError::too_much(bounds.output))?;
        results.push(result_of(&text, bounds)?);
    }
    Ok(Value::Array(results))
}

fn to_jq(value: &Value) -> Result<Val, ScriptError> {
    let text = value.to_string();
    read::parse_single(text.as_bytes()).map_err(|error| {
        ScriptError::new("script_error", format!("the data cannot be read: {error}"))
    })
}

/// Why a filter cannot be read: the first error, at its place.
fn unreadable(filter: &str, errors: &Errors<&str, ()>) -> ScriptError {
    let (what, at) = match errors.first().map(|(_, error)| error) {
        Some(Error::Lex(errors)) => match errors.first() {
            Some((expected, at)) => (format!("expected {}", expected.as_str()), *at),
            None => ("it makes no sense".to_owned(), ""),
        },
        Some(Error::Parse(errors)) => match errors.first() {
            Some((expected, at)) => (format!("expected {}", expected.as_str()), *at),
            None => ("it makes no sense".to_owned(), ""),
        },
        Some(Error::Io(errors)) => match errors.first() {
            Some((path, _)) => (format!("there is no module `{path}` to load"), *path),
            None => ("there are no modules to load".to_owned(), ""),
        },
        None => ("it makes no sense".to_owned(), ""),
    };
    let near: String = at.chars().take(20).collect();
    let near =
        if near.trim().is_empty() { "at its end".to_owned() } else { format!("at `{near}`") };
    let message = format!("the jq filter cannot be read {near}: {what}");
    place(filter, at, message)
        .hint("see the jq manual for the syntax; strings stand in double quotes")
}

/// What a filter uses and does not exist.
fn unknown(filter: &str, errors: &compile::Errors<&str, ()>) -> ScriptError {
    let Some((name, kind)) = errors.first().and_then(|(_, errors)| errors.first()) else {
        return ScriptError::new("script_syntax", "the jq filter uses what does not exist");
    };
    let (what, hint) = match kind {
        compile::Undefined::Filter(arity) => (
            format!("function `{name}` with {arity} arguments"),
            "functions that look outside (now, env, input) are not there",
        ),
        compile::Undefined::Var => {
            (format!("variable `{name}`"), "variables are `$name` from the step's `variables`")
        }
        compile::Undefined::Mod | compile::Undefined::Label | _ => {
            (format!("{} `{name}`", kind.as_str()), "see the jq manual")
        }
    };
    place(filter, name, format!("the jq filter uses the {what}, which does not exist")).hint(hint)
}

/// jaq names a place by the part of the filter itself; people want line and column.
fn place(filter: &str, part: &str, message: String) -> ScriptError {
    let start = (part.as_ptr() as usize).wrapping_sub(filter.as_ptr() as usize);
    let error = ScriptError::new("script_syntax", message);
    // Parts that do not come from the filter have no place in it.
    let Some(before) = filter.get(..start) else { return error };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ScriptError { line: u32::try_from(line).ok(), column: u32::try_from(column).ok(), ..error }
}
