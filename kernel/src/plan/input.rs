//! What can be said about a step's input before the run: unknown keys, missing keys, wrong types.

use crate::atom::AtomSpec;
use crate::expr::Template;
use crate::source::{Data, Node, Problem, closest};
use serde_json::{Map, Value, json};

/// Checks the author's `input` of a step that calls `spec`. `compiled` is the same tree compiled;
/// only its parts without expressions can be checked now, the rest is checked at the call.
pub(super) fn check(
    spec: &AtomSpec,
    input: &Node,
    compiled: &[(String, Template)],
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let Data::Map(entries) = &input.data else { return };
    let empty = Map::new();
    let properties =
        spec.input_schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let closed = spec.input_schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (key, value) in entries {
        let known = properties.get(&key.text);
        if known.is_none() && closed {
            problems.push(unknown_key(
                spec,
                &key.text,
                properties,
                Problem {
                    code: "unknown_key",
                    path: format!("{path}.input.{}", key.text),
                    span: key.span,
                    message: String::new(),
                    hint: "".into(),
                    warning: false,
                },
            ));
            continue;
        }
        let literal = compiled.iter().find(|(name, _)| *name == key.text).map(|(_, value)| value);
        let Some(Template::Literal(literal)) = literal else { continue };
        let wrong = known
            .and_then(|property| mismatch(spec, property, literal))
            .map(|message| (message, format!("see `jalm atoms {}`", spec.name), "wrong_type"));
        let wrong = wrong.or_else(|| {
            (spec.check_literal)(&key.text, literal).err().map(|failure| {
                let code = if failure.code == "not_supported_yet" {
                    "not_supported_yet"
                } else {
                    "bad_input"
                };
                let hint =
                    failure.hint.unwrap_or_else(|| format!("see `jalm atoms {}`", spec.name));
                (failure.message, hint, code)
            })
        });
        if let Some((message, hint, code)) = wrong {
            problems.push(Problem {
                code,
                path: format!("{path}.input.{}", key.text),
                span: value.span,
                message: format!("`{}` of {}: {message}", key.text, spec.name),
                hint: hint.into(),
                warning: false,
            });
        }
    }
    let required = spec.input_schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if input.get(name).is_none() {
            problems.push(Problem {
                code: "missing_key",
                path: format!("{path}.input"),
                span: input.span,
                message: format!("{} needs `{name}` in its `input`", spec.name),
                hint: describe(properties.get(name), name).into(),
                warning: false,
            });
        }
    }
}

fn unknown_key(
    spec: &AtomSpec,
    key: &str,
    properties: &Map<String, Value>,
    at: Problem,
) -> Problem {
    let hint = match closest(key, properties.keys().map(String::as_str)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => {
            let names: Vec<&str> = properties.keys().map(String::as_str).collect();
            format!("it takes {}", names.join(", "))
        }
    };
    Problem { message: format!("{} has no input `{key}`", spec.name), hint: hint.into(), ..at }
}

fn describe(property: Option<&Value>, name: &str) -> String {
    let about = property.and_then(|property| property.get("description")).and_then(Value::as_str);
    match about {
        Some(about) => format!("add `{name}:` – {}", about.lines().next().unwrap_or_default()),
        None => format!("add `{name}:`"),
    }
}

/// What does not fit, in JSON Schema's words.
fn mismatch(spec: &AtomSpec, property: &Value, literal: &Value) -> Option<String> {
    let mut schema = json!({ "allOf": [property] });
    if let Some(definitions) = spec.input_schema.get("$defs") {
        schema["$defs"] = definitions.clone();
    }
    let validator = jsonschema::draft202012::new(&schema).ok()?;
    validator.validate(literal).err().map(|error| {
        let mut message = error.to_string();
        if message.len() > 300 {
            let cut = (0..=300).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(cut);
            message.push('…');
        }
        message
    })
}
