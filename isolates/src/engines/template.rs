//! MiniJinja templates.

use crate::api::ScriptError;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, value::Serde};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Instructions and bytes of one rendering; an endless loop ends within a second or two.
const FUEL: u64 = 100_000_000;

/// The name of the template itself, in messages.
const MAIN: &str = "template";

/// The rendered text.
pub(super) fn run(
    source: &str,
    includes: BTreeMap<String, String>,
    data: &Map<String, Value>,
    autoescape: bool,
) -> Result<Value, ScriptError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.remove_global("debug");
    environment.set_auto_escape_callback(move |_| {
        if autoescape { AutoEscape::Html } else { AutoEscape::None }
    });
    for (name, text) in includes {
        environment.add_template_owned(name, text).map_err(|error| explain(&error))?;
    }
    environment.add_template_owned(MAIN, source.to_owned()).map_err(|error| explain(&error))?;
    let template = environment.get_template(MAIN).map_err(|error| explain(&error))?;
    template.render(Serde(data)).map(Value::String).map_err(|error| explain(&error))
}

fn explain(error: &minijinja::Error) -> ScriptError {
    let code = match error.kind() {
        ErrorKind::SyntaxError => "script_syntax",
        _ => "script_error",
    };
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    if let Some(name) = error.name().filter(|name| *name != MAIN) {
        message = format!("in `{name}`: {message}");
    }
    let hint = match error.kind() {
        ErrorKind::UndefinedError => {
            "pass the name in `data`, or write a fallback: `{{ name | default(\"\") }}`"
        }
        ErrorKind::TemplateNotFound => "list the template in `includes`",
        ErrorKind::OutOfFuel => "the template does too much; loop less, or compute in a script",
        _ => "templates are MiniJinja's: `{{ value }}`, `{% for x in list %}`, `{% if x %}`",
    };
    ScriptError {
        line: error.line().and_then(|line| u32::try_from(line).ok()),
        ..ScriptError::new(code, message).hint(hint)
    }
}
