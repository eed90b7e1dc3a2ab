//! The JSON Schema of an intent, for editors: made from the tables of keys.

use super::duration;
use super::keys::{Definition, INTENT, RETRY, STEP, Shape, Table};
use crate::atom::Layer;
use serde_json::{Map, Value, json};

/// JSON Schema (2020-12) of an intent: with it an editor completes keys, shows what they are for,
/// and marks what [`decode`](super::decode) would refuse, save for what a schema cannot say
/// (unique ids, for instance). Keys that are not supported yet are not in it.
pub fn json_schema() -> Value {
    let mut schema = table(&INTENT);
    let definitions = json!({
        "step": table(&STEP),
        "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
        "retry": table(&RETRY),
        "duration": {
            "description": "A span of time: `500ms`, `30s`, `1.5m`, `2h`, `1d`; a number counts seconds",
            "anyOf": [
                {"type": "string", "pattern": duration::PATTERN},
                {"type": "number", "minimum": 0, "maximum": duration::LONGEST.0 / 1000},
            ],
            "examples": ["30s", "500ms", "1h30m"],
        },
        "expression": {"type": "string", "examples": ["{{ params.items }}"]},
    });
    schema.insert("$defs".to_owned(), definitions);
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    whole.insert("title".to_owned(), "JALM intent".into());
    whole.extend(schema);
    Value::Object(whole)
}

/// A map with the keys of a table.
fn table(table: &Table) -> Map<String, Value> {
    let mut schema = Map::new();
    let supported = || table.keys.iter().filter(|key| key.later.is_none());
    schema.insert("description".to_owned(), table.about.into());
    schema.insert("type".to_owned(), "object".into());
    let properties: Map<String, Value> =
        supported().map(|key| (key.name.to_owned(), property(key))).collect();
    schema.insert("properties".to_owned(), properties.into());
    if !table.open {
        schema.insert("additionalProperties".to_owned(), false.into());
    } else if table.names().count() < table.keys.len() {
        let later: Vec<&str> =
            table.keys.iter().filter(|key| key.later.is_some()).map(|key| key.name).collect();
        schema.insert("propertyNames".to_owned(), json!({"not": {"enum": later}}));
    }
    if !table.required.is_empty() {
        schema.insert("required".to_owned(), table.required.into());
    }
    if !table.one_of.is_empty() {
        schema.insert("oneOf".to_owned(), table.one_of.iter().map(|group| any_of(group)).collect());
    }
    let beside: Map<String, Value> = supported()
        .filter(|key| !key.beside.is_empty())
        .map(|key| (key.name.to_owned(), any_of(key.beside)))
        .collect();
    if !beside.is_empty() {
        schema.insert("dependentSchemas".to_owned(), beside.into());
    }
    schema
}

/// At least one of the keys is there.
fn any_of(keys: &[&str]) -> Value {
    match keys {
        [one] => json!({"required": [one]}),
        many => {
            json!({"anyOf": many.iter().map(|key| json!({"required": [key]})).collect::<Vec<_>>()})
        }
    }
}

fn property(key: &Definition) -> Value {
    let mut schema = Map::new();
    schema.insert("description".to_owned(), key.about.into());
    if let Value::Object(more) = shape(&key.shape) {
        // The description of the key says more about its place than that of the shape.
        schema.extend(more.into_iter().filter(|(name, _)| name != "description"));
    }
    schema.into()
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text { .. } => json!({"type": "string"}),
        Shape::Name(rule) => json!({"type": "string", "pattern": rule.pattern()}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Duration { zero: true } => json!({"$ref": "#/$defs/duration"}),
        Shape::Duration { zero: false } => {
            json!({"$ref": "#/$defs/duration", "not": {"enum": [0, "0s", "0ms", "0m", "0h", "0d"]}})
        }
        Shape::OneOf(words) => {
            let choices =
                words.iter().map(|(word, about)| json!({"const": word, "description": about}));
            json!({"oneOf": choices.collect::<Vec<_>>()})
        }
        Shape::Layer => json!({"enum": Layer::ALL.map(Layer::name)}),
        Shape::Texts { .. } => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Table(keys) => table(keys).into(),
        Shape::Retry(_) => {
            let attempts = RETRY.key("attempts").map_or(Value::Bool(true), property);
            json!({"anyOf": [attempts, {"$ref": "#/$defs/retry"}]})
        }
        Shape::Condition => json!({"type": ["string", "boolean"]}),
        Shape::Items => json!({"anyOf": [{"type": "array"}, {"$ref": "#/$defs/expression"}]}),
        Shape::Steps => json!({"$ref": "#/$defs/steps"}),
        Shape::Variables => {
            let names = json!({"pattern": super::keys::Rule::Variable.pattern()});
            json!({"type": "object", "minProperties": 1, "propertyNames": names})
        }
        Shape::Map => json!({"type": "object"}),
        Shape::Anything => json!({}),
    }
}
