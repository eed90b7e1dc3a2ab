//! JSON Schemas as tables for people.

use super::table;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The tables of a schema: its own keys, then those of every part that they refer to.
pub(super) fn tables(schema: &Value) -> String {
    let mut out = keys(schema);
    for (name, part) in definitions(schema) {
        let about = text(part, "description");
        let _ = write!(out, "\n**{name}**");
        if !about.is_empty() {
            let _ = write!(out, ": {}", about.replace('\n', " "));
        }
        out.push_str("\n\n");
        let choices = choices(part);
        if choices.is_empty() {
            out.push_str(&keys(part));
        } else {
            out.push_str(&table(&["one of", "what it means"], &choices));
        }
    }
    out
}

fn definitions(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("$defs").and_then(Value::as_object).into_iter().flatten()
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// One row for each key of a map.
fn keys(schema: &Value) -> String {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    if properties.is_empty() {
        return format!("{}.\n", kind(schema));
    }
    let required = |name: &String| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name))
    };
    let rows: Vec<Vec<String>> = properties
        .iter()
        .map(|(name, property)| {
            let default = match property.get("default") {
                _ if required(name) => "required".to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(default) => format!("`{default}`"),
            };
            vec![
                format!("`{name}`"),
                kind(property),
                default,
                text(property, "description").to_owned(),
            ]
        })
        .collect();
    table(&["key", "takes", "default", "what it is"], &rows)
}

/// The words or forms of a choice: rows of what to write and what it means.
fn choices(schema: &Value) -> Vec<Vec<String>> {
    let all = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut rows = Vec::new();
    for option in all("oneOf").chain(all("anyOf")) {
        let about = text(option, "description").to_owned();
        if let Some(word) = option.get("const") {
            rows.push(vec![shown(word), about]);
        } else if let Some(words) = option.get("enum").and_then(Value::as_array) {
            rows.extend(words.iter().map(|word| vec![shown(word), about.clone()]));
        } else {
            rows.push(vec![form(option), about]);
        }
    }
    rows.extend(all("enum").map(|word| vec![shown(word), String::new()]));
    rows
}

/// A map with its keys, on one line: `{basic: {username, password}}`.
fn form(schema: &Value) -> String {
    match schema.get("properties").and_then(Value::as_object) {
        None => kind(schema),
        Some(properties) => format!("`{}`", keys_of(properties)),
    }
}

fn keys_of(properties: &Map<String, Value>) -> String {
    let keys: Vec<String> = properties
        .iter()
        .map(|(name, property)| match property.get("properties").and_then(Value::as_object) {
            None => name.clone(),
            Some(inner) => format!("{name}: {}", keys_of(inner)),
        })
        .collect();
    format!("{{{}}}", keys.join(", "))
}

fn shown(word: &Value) -> String {
    format!("`{}`", word.as_str().map_or_else(|| word.to_string(), str::to_owned))
}

/// What a value may be, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return target.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(word) = schema.get("const") {
        return shown(word);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(key).and_then(Value::as_array) {
            return either(options.iter().map(|option| {
                if option.get("properties").is_some() { form(option) } else { kind(option) }
            }));
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) => of_type(name, schema),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            either(names.map(|name| of_type(name, schema)))
        }
        _ => "anything".to_owned(),
    }
}

/// Joined by `or`, each once, `null` left out: a key that may be null may be left out.
fn either(options: impl Iterator<Item = String>) -> String {
    const PLAIN: [&str; 3] = ["text", "number", "`true` or `false`"];
    let mut kinds: Vec<String> = Vec::new();
    for option in options.filter(|option| option != "null") {
        // A span or a size is also taken as a plain number; its own words say so.
        let is_number = option == "number" || option == "whole number";
        let said = |kind: &String| {
            *kind == option
                || is_number && (kind.starts_with("duration") || kind.starts_with("size"))
        };
        if !kinds.iter().any(said) {
            kinds.push(option);
        }
    }
    if PLAIN.iter().all(|plain| kinds.iter().any(|kind| kind == plain)) {
        kinds.retain(|kind| !PLAIN.contains(&kind.as_str()));
        kinds.insert(0, "plain value".to_owned());
    }
    kinds.join(" or ")
}

fn of_type(name: &str, schema: &Value) -> String {
    match name {
        "string" => match text(schema, "pattern") {
            pattern if pattern.contains("(ms|s|m|h|d)") => {
                "duration (`30s`, `500ms`, or seconds)".to_owned()
            }
            pattern if pattern.contains("[kKmMgG]") => {
                "size (`64KiB`, `16MiB`, or bytes)".to_owned()
            }
            pattern if pattern.contains("[1-5][xX]{2}") => {
                "text such as `2xx`, `200-204`".to_owned()
            }
            _ => "text".to_owned(),
        },
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => match schema.get("items").map(kind) {
            Some(items) if items != "anything" => format!("list of {items}"),
            Some(_) | None => "list".to_owned(),
        },
        "object" => {
            match schema.get("additionalProperties").filter(|it| it.is_object()).map(kind) {
                Some(values) if values != "anything" => format!("map of {values}"),
                Some(_) | None => "map".to_owned(),
            }
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_named_in_the_words_of_authors() {
        let cases = [
            (json!({"type": ["string", "null"]}), "text"),
            (json!({"$ref": "#/$defs/Part"}), "Part"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of text"),
            (json!({"type": "array", "items": true}), "list"),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}}),
                "map of whole number",
            ),
            (json!({"anyOf": [{"$ref": "#/$defs/Auth"}, {"type": "null"}]}), "Auth"),
            (json!({"description": "x"}), "anything"),
            (json!({"enum": ["a", "b"]}), "`a`, `b`"),
            (json!({"type": ["string", "number", "boolean", "null"]}), "plain value"),
            (
                json!({"anyOf": [{"anyOf": [{"type": "string", "pattern": "(ms|s|m|h|d)?"}, {"type": "number"}]}, {"type": "null"}]}),
                "duration (`30s`, `500ms`, or seconds)",
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(kind(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn keys_and_the_parts_they_refer_to_become_tables() {
        let schema = json!({
            "properties": {"a": {"type": "string", "description": "An a"}, "b": {"$ref": "#/$defs/B", "default": "x"}},
            "required": ["a"],
            "$defs": {"B": {"description": "A choice.", "oneOf": [
                {"const": "x", "description": "The one"},
                {"type": "object", "properties": {"y": {"properties": {"z": {}}}}},
            ]}},
        });
        let expected = "| key | takes | default | what it is |\n|---|---|---|---|\n\
                        | `a` | text | required | An a |\n| `b` | B | `\"x\"` |  |\n\
                        \n**B**: A choice.\n\n| one of | what it means |\n|---|---|\n\
                        | `x` | The one |\n| `{y: {z}}` |  |\n";
        assert_eq!(tables(&schema), expected);
    }
}
