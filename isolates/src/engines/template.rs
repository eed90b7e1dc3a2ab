//! MiniJinja templates.

use super::Bounds;
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
    bounds: &Bounds,
) -> Result<Value, ScriptError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.remove_global("debug");
    environment.set_auto_escape_callback(move |_| {
        if autoescape { AutoEscape::Html } else { AutoEscape::None }
    });
    let mut sources = includes.clone();
    sources.insert(MAIN.to_owned(), source.to_owned());
    for (name, text) in includes {
        environment.add_template_owned(name, text).map_err(|error| explain(&error, &sources))?;
    }
    let result = environment
        .add_template_owned(MAIN, source.to_owned())
        .and_then(|()| environment.get_template(MAIN)?.render(Serde(data)));
    let text = result.map_err(|error| explain(&error, &sources))?;
    if text.len() as u64 > bounds.output {
        return Err(ScriptError::too_much(bounds.output));
    }
    Ok(Value::String(text))
}

/// An error in a template that another one uses comes wrapped; its author wants the innermost.
fn innermost(mut error: &minijinja::Error) -> &minijinja::Error {
    while let Some(inner) = std::error::Error::source(error).and_then(|inner| inner.downcast_ref())
    {
        error = inner;
    }
    error
}

fn explain(error: &minijinja::Error, sources: &BTreeMap<String, String>) -> ScriptError {
    let error = innermost(error);
    let kind = error.kind();
    let code = if kind == ErrorKind::SyntaxError { "script_syntax" } else { "script_error" };
    let source = error.name().and_then(|name| sources.get(name));
    let place = source.zip(error.range());
    let part = place.as_ref().and_then(|(source, range)| source.get(range.clone()));
    let mut message = error.detail().map_or_else(|| kind.to_string(), str::to_owned);
    if kind == ErrorKind::UndefinedError
        && let Some(part) = part.filter(|part| !part.is_empty())
    {
        message = format!("`{part}` is not defined");
    }
    if let Some(name) = error.name().filter(|name| *name != MAIN) {
        message = format!("in `{name}`: {message}");
    }
    let hints = [
        (
            ErrorKind::UndefinedError,
            "pass the name in `data`, or write a fallback: `{{ name | default(\"\") }}`",
        ),
        (ErrorKind::TemplateNotFound, "list the template in `includes`"),
        (ErrorKind::OutOfFuel, "the template does too much; loop less, or compute in a script"),
    ];
    let hint = hints.iter().find(|(of, _)| *of == kind).map_or(
        "templates are MiniJinja's: `{{ value }}`, `{% for x in list %}`, `{% if x %}`",
        |(_, hint)| *hint,
    );
    let column = place.and_then(|(source, range)| {
        let line = source.get(..range.start)?.rsplit('\n').next()?;
        u32::try_from(line.chars().count() + 1).ok()
    });
    ScriptError {
        line: error.line().and_then(|line| u32::try_from(line).ok()),
        column,
        ..ScriptError::new(code, message).hint(hint)
    }
}
