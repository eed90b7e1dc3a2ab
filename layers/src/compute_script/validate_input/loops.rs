//! Schemas that lead back to themselves without going deeper into the data: validating by them
//! would never end.
//!
//! Followed are references within a document and to the documents of `schemas`, through the
//! keywords that look at the same place of the data. A circle among them is refused.

use super::ValidateInput;
use crate::atom::Atom;
use crate::input::bad;
use jalm_kernel::failure::Failure;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Keywords whose schemas judge the same place: one schema.
const ONE: [&str; 4] = ["not", "if", "then", "else"];
/// The same: a list of schemas.
const LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];

struct Walk<'a> {
    schema: &'a Value,
    schemas: &'a Map<String, Value>,
    done: BTreeSet<(String, String)>,
    /// Documents and pointers that are being followed.
    path: Vec<(String, String)>,
}

/// Refuses a circle.
pub(super) fn refuse(schema: &Value, schemas: &Map<String, Value>) -> Result<(), Failure> {
    let mut walk = Walk { schema, schemas, done: BTreeSet::new(), path: Vec::new() };
    let documents = std::iter::once(String::new()).chain(schemas.keys().cloned());
    for document in documents {
        let root = walk.document(&document);
        let mut places = Vec::new();
        if let Some(root) = root {
            references(root, String::new(), &mut places);
        }
        for place in places {
            walk.visit(&document, &place)?;
        }
    }
    Ok(())
}

/// Every place of a document where a reference stands.
fn references(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if map.get("$ref").or_else(|| map.get("$dynamicRef")).is_some_and(Value::is_string) {
                places.push(at.clone());
            }
            for (key, value) in map {
                references(
                    value,
                    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    places,
                );
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                references(value, format!("{at}/{index}"), places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl<'a> Walk<'a> {
    fn document(&self, name: &str) -> Option<&'a Value> {
        if name.is_empty() { Some(self.schema) } else { self.schemas.get(name) }
    }

    fn visit(&mut self, document: &str, pointer: &str) -> Result<(), Failure> {
        let here = (document.to_owned(), pointer.to_owned());
        if self.path.contains(&here) {
            let path = if document.is_empty() {
                "schema".to_owned()
            } else {
                format!("schemas.{document}")
            };
            let what = format!(
                "the reference at `#{pointer}` leads back to itself without going deeper into the data"
            );
            return Err(bad(ValidateInput::CARD.name, &path, what).hint(
                "break the circle: a schema may mention itself below `properties` or `items` only",
            ));
        }
        if !self.done.insert(here.clone()) {
            return Ok(());
        }
        let Some(Value::Object(map)) =
            self.document(document).and_then(|root| root.pointer(pointer))
        else {
            return Ok(());
        };
        self.path.push(here);
        for key in ["$ref", "$dynamicRef"] {
            if let Some(Value::String(reference)) = map.get(key)
                && let Some((document, pointer)) = self.target(document, reference)
            {
                self.visit(&document, &pointer)?;
            }
        }
        for key in ONE {
            if map.contains_key(key) {
                self.visit(document, &format!("{pointer}/{key}"))?;
            }
        }
        for key in LIST {
            for index in 0..map.get(key).and_then(Value::as_array).map_or(0, Vec::len) {
                self.visit(document, &format!("{pointer}/{key}/{index}"))?;
            }
        }
        if let Some(Value::Object(schemas)) = map.get("dependentSchemas") {
            for key in schemas.keys() {
                let key = key.replace('~', "~0").replace('/', "~1");
                self.visit(document, &format!("{pointer}/dependentSchemas/{key}"))?;
            }
        }
        self.path.pop();
        Ok(())
    }

    /// Where a reference leads, as far as it can be told without the rules of base addresses;
    /// what those decide the validator itself must bear.
    fn target(&self, document: &str, reference: &str) -> Option<(String, String)> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let own = self.document(document).and_then(|root| root.get("$id")).and_then(Value::as_str);
        let document = if address.is_empty() || Some(address) == own {
            document.to_owned()
        } else if self.schemas.contains_key(address) {
            address.to_owned()
        } else {
            return None;
        };
        if fragment.is_empty() || fragment.starts_with('/') {
            return Some((document, percent(fragment)));
        }
        // A name given by `$anchor` or `$dynamicAnchor`.
        let mut found = None;
        anchored(self.document(&document)?, fragment, String::new(), &mut found);
        found.map(|pointer| (document, pointer))
    }
}

fn anchored(value: &Value, name: &str, at: String, found: &mut Option<String>) {
    let Value::Object(map) = value else { return };
    if found.is_some() {
        return;
    }
    if ["$anchor", "$dynamicAnchor"]
        .iter()
        .any(|key| map.get(*key).and_then(Value::as_str) == Some(name))
    {
        *found = Some(at);
        return;
    }
    for (key, value) in map {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        if let Value::Array(items) = value {
            for (index, item) in items.iter().enumerate() {
                anchored(item, name, format!("{at}/{index}"), found);
            }
        }
        anchored(value, name, at, found);
    }
}

fn percent(pointer: &str) -> String {
    if !pointer.contains('%') {
        return pointer.to_owned();
    }
    let url = reqwest::Url::parse(&format!("x:?{}", pointer.replace('+', "%2B"))).ok();
    let decoded = url.and_then(|url| url.query_pairs().next().map(|(key, _)| key.into_owned()));
    decoded.unwrap_or_else(|| pointer.to_owned())
}
