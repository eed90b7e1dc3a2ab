//! jq filters, by jaq.

use crate::api::ScriptError;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use serde_json::{Map, Value};

/// All outputs of the filter, as a list.
pub(super) fn run(
    filter: &str,
    input: &Value,
    variables: Map<String, Value>,
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
        .map_err(|errors| syntax(filter, &format!("{errors:?}")))?;
    let compiled = Compiler::default()
        .with_funs(functions)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| unknown(&format!("{errors:?}")))?;
    let context = Ctx::<data::JustLut<Val>>::new(&compiled.lut, Vars::new(values));
    let outputs = compiled.id.run((context, to_jq(input)?)).map(unwrap_valr);
    let mut results = Vec::new();
    for output in outputs {
        let value = output.map_err(|error| {
            ScriptError::new("script_error", format!("the filter failed: {error}"))
                .hint("check the filter against the data it gets")
        })?;
        results.push(from_jq(&value)?);
    }
    Ok(Value::Array(results))
}

fn to_jq(value: &Value) -> Result<Val, ScriptError> {
    let text = value.to_string();
    read::parse_single(text.as_bytes()).map_err(|error| {
        ScriptError::new("script_error", format!("the data cannot be read: {error}"))
    })
}

fn from_jq(value: &Val) -> Result<Value, ScriptError> {
    let text = value.to_string();
    serde_json::from_str(&text).map_err(|error| {
        ScriptError::new("script_error", format!("an output is no JSON: {error}"))
            .hint("NaN, infinities, bytes and keys that are not text have no place in JSON")
    })
}

/// jaq names the place by the rest of the filter; people want line and column.
fn syntax(filter: &str, errors: &str) -> ScriptError {
    let rest = errors.split('"').nth(1).map(|rest| rest.replace("\\n", "\n"));
    let at = rest.as_deref().filter(|rest| !rest.is_empty()).and_then(|rest| filter.rfind(rest));
    let at = at.unwrap_or(filter.len());
    let before = &filter[..at];
    let line = u32::try_from(before.matches('\n').count() + 1).ok();
    let column = before
        .rsplit('\n')
        .next()
        .map(|text| text.chars().count() + 1)
        .and_then(|n| u32::try_from(n).ok());
    let near: String = filter[at..].chars().take(20).collect();
    let near = if near.is_empty() { "its end".to_owned() } else { format!("`{near}`") };
    ScriptError {
        line,
        column,
        ..ScriptError::new("script_syntax", format!("the jq filter cannot be read near {near}"))
            .hint("see the jq manual for the syntax; strings stand in double quotes")
    }
}

fn unknown(errors: &str) -> ScriptError {
    let name = errors.split('"').nth(1).unwrap_or("something");
    ScriptError::new("script_syntax", format!("the jq filter uses `{name}`, which does not exist"))
        .hint("variables are `$name` from the step's `variables`; functions that look outside (now, env, input) are not there")
}
