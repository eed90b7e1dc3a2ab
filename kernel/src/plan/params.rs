//! `params` against the intent's `input`.

use crate::machine::{MAX_DEPTH, is_deeper, json_size};
use crate::source::{Node, Problem};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// What is wrong with `params`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParamsProblem {
    /// `/day`: JSON Pointer into params; empty for params as a whole.
    pub path: String,
    /// What is wrong, in the author's words.
    pub message: String,
    /// What to send instead.
    pub hint: String,
}

/// Params in an encoded request are at most this long, in bytes.
const MAX_PARAMS: usize = 4 * 1024 * 1024;

/// The compiled `input` of an intent.
pub(super) struct ParamsCheck {
    schema: Option<(Value, jsonschema::Validator)>,
}

impl fmt::Debug for ParamsCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParamsCheck").field("schema", &self.schema.as_ref().map(|s| &s.0)).finish()
    }
}

impl ParamsCheck {
    /// Compiles the schema at `input`.
    pub(super) fn new(input: Option<&Node>, problems: &mut Vec<Problem>) -> Self {
        let Some(node) = input else { return Self { schema: None } };
        let schema = node.to_value();
        match jsonschema::draft202012::new(&schema) {
            Ok(validator) => Self { schema: Some((schema, validator)) },
            Err(error) => {
                problems.push(Problem {
                    code: "bad_schema",
                    path: format!("input{}", error.instance_path()).replace('/', "."),
                    span: node.span,
                    message: format!("`input` is not a JSON Schema: {error}"),
                    hint: "write JSON Schema 2020-12: `type: object`, `properties`, `required`"
                        .into(),
                    warning: false,
                });
                Self { schema: None }
            }
        }
    }

    pub(super) fn check(&self, params: Option<Value>) -> Result<Arc<Value>, Vec<ParamsProblem>> {
        let mut params = params.unwrap_or_else(|| Value::Object(Map::new()));
        if !params.is_object() {
            return Err(vec![ParamsProblem {
                path: String::new(),
                message: "`params` is not a map".to_owned(),
                hint: "send an object: {\"name\": value}".to_owned(),
            }]);
        }
        if json_size(&params) > MAX_PARAMS {
            return Err(vec![ParamsProblem {
                path: String::new(),
                message: format!("`params` is larger than {MAX_PARAMS} bytes"),
                hint: "put large data into a file and pass its path".to_owned(),
            }]);
        }
        if is_deeper(&params, MAX_DEPTH) {
            return Err(vec![ParamsProblem {
                path: String::new(),
                message: format!("`params` is nested deeper than {MAX_DEPTH} levels"),
                hint: "send the inner part as text".to_owned(),
            }]);
        }
        let Some((schema, validator)) = &self.schema else { return Ok(Arc::new(params)) };
        fill_defaults(schema, &mut params);
        let problems: Vec<ParamsProblem> = validator
            .iter_errors(&params)
            .take(100)
            .map(|error| ParamsProblem {
                path: error.instance_path().to_string(),
                message: error.to_string(),
                hint: format!("the intent's `input` asks for it at {}", error.schema_path()),
            })
            .collect();
        if problems.is_empty() { Ok(Arc::new(params)) } else { Err(problems) }
    }
}

/// Puts `default`s where a property is absent, down through nested objects.
fn fill_defaults(schema: &Value, value: &mut Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let Some(entries) = value.as_object_mut() else { return };
    for (name, property) in properties {
        if !entries.contains_key(name)
            && let Some(default) = property.get("default")
        {
            entries.insert(name.clone(), default.clone());
        }
        if let Some(inner) = entries.get_mut(name) {
            fill_defaults(property, inner);
        }
    }
}
