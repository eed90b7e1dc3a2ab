//! Schemas that lead back to themselves without going deeper into the data: validating by them
//! would never end.
//!
//! Followed are references within a document and to the documents of `schemas`, through the
//! keywords that look at the same place of the data. A circle among them is refused.

use super::ValidateInput;
use crate::atom::Atom;
use crate::input::bad;
use jalm_kernel::failure::Failure;
use reqwest::Url;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Keywords whose schemas judge the same place: one schema.
const ONE: [&str; 4] = ["not", "if", "then", "else"];
/// The same: a list of schemas.
const LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// How many schemas may lead from one to the next at one place of the data.
const LONGEST: usize = 256;

const MOST_REFERENCES: usize = 10_000;
const MOST_IDS: usize = 2_000;

struct Walk<'a> {
    schema: &'a Value,
    schemas: &'a Map<String, Value>,
    /// How many schemas lead on from here.
    done: BTreeMap<(String, String), usize>,
    /// Where each `$id` is, by its absolute address.
    ids: BTreeMap<String, (String, String)>,
    /// Documents and pointers that are being followed.
    path: Vec<(String, String)>,
}

/// Refuses a circle.
pub(super) fn refuse(schema: &Value, schemas: &Map<String, Value>) -> Result<(), Failure> {
    let mut walk =
        Walk { schema, schemas, done: BTreeMap::new(), ids: BTreeMap::new(), path: Vec::new() };
    let documents: Vec<String> =
        std::iter::once(String::new()).chain(schemas.keys().cloned()).collect();
    for document in &documents {
        walk.ids.insert(base(document), (document.clone(), String::new()));
        if let Some(root) = walk.document(document) {
            named(root, &base(document), document, String::new(), &mut walk.ids);
        }
    }
    for document in documents {
        let root = walk.document(&document);
        let mut places = Vec::new();
        if let Some(root) = root {
            references(root, String::new(), &mut places);
        }
        // Following them takes time for each with each.
        if places.len() > MOST_REFERENCES || walk.ids.len() > MOST_IDS {
            let what = format!(
                "it has more than {MOST_REFERENCES} references, or more than {MOST_IDS} schemas with an `$id`"
            );
            return Err(bad(ValidateInput::CARD.name, "schema", what)
                .hint("split the schema, and validate with the part that is needed"));
        }
        for place in places {
            walk.visit(&document, &place)?;
        }
    }
    Ok(())
}

/// The address of a document that names none itself.
fn base(document: &str) -> String {
    let own = if document.is_empty() { "json-schema:///" } else { document };
    Url::parse(own).map_or_else(|_| own.to_owned(), |url| url.to_string())
}

fn join(base: &str, reference: &str) -> String {
    let joined = Url::parse(base).and_then(|base| base.join(reference));
    joined.map_or_else(|_| reference.to_owned(), |url| url.to_string())
}

/// Every `$id` of a document with its absolute address.
fn named(
    value: &Value,
    base: &str,
    document: &str,
    at: String,
    ids: &mut BTreeMap<String, (String, String)>,
) {
    let inner;
    let mut base = base;
    if let Some(id) = value.get("$id").and_then(Value::as_str) {
        inner = join(base, id.split('#').next().unwrap_or_default());
        ids.insert(inner.clone(), (document.to_owned(), at.clone()));
        base = &inner;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                named(value, base, document, format!("{at}/{}", escaped(key)), ids);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                named(value, base, document, format!("{at}/{index}"), ids);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A key as a part of a JSON Pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Every place of a document where a reference stands.
fn references(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if map.get("$ref").or_else(|| map.get("$dynamicRef")).is_some_and(Value::is_string) {
                places.push(at.clone());
            }
            for (key, value) in map {
                references(value, format!("{at}/{}", escaped(key)), places);
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

    /// How many schemas lead on from this place.
    fn visit(&mut self, document: &str, pointer: &str) -> Result<usize, Failure> {
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
        let known = self.done.get(&here).copied();
        if self.path.len() + known.unwrap_or(0) >= LONGEST {
            let what = format!("more than {LONGEST} schemas lead from one to the next");
            return Err(bad(ValidateInput::CARD.name, "schema", what)
                .hint("name the schema that is meant more directly"));
        }
        if let Some(known) = known {
            return Ok(known);
        }
        let Some(Value::Object(map)) =
            self.document(document).and_then(|root| root.pointer(pointer))
        else {
            return Ok(0);
        };
        self.path.push(here.clone());
        let mut longest = 0;
        for key in ["$ref", "$dynamicRef"] {
            if let Some(Value::String(reference)) = map.get(key)
                && let Some((document, pointer)) = self.target(document, pointer, reference)
            {
                longest = longest.max(self.visit(&document, &pointer)?);
            }
        }
        for key in ONE {
            if map.contains_key(key) {
                longest = longest.max(self.visit(document, &format!("{pointer}/{key}"))?);
            }
        }
        for key in LIST {
            for index in 0..map.get(key).and_then(Value::as_array).map_or(0, Vec::len) {
                longest = longest.max(self.visit(document, &format!("{pointer}/{key}/{index}"))?);
            }
        }
        if let Some(Value::Object(schemas)) = map.get("dependentSchemas") {
            for key in schemas.keys() {
                let key = escaped(key);
                longest = longest
                    .max(self.visit(document, &format!("{pointer}/dependentSchemas/{key}"))?);
            }
        }
        self.path.pop();
        self.done.insert(here, longest + 1);
        Ok(longest + 1)
    }

    /// Where a reference leads: into a document that is given, or to none of them.
    fn target(&self, document: &str, place: &str, reference: &str) -> Option<(String, String)> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        // The innermost `$id` around the place is what its references count from.
        let around = self
            .ids
            .iter()
            .filter(|(_, (inside, at))| inside == document && around(at, place))
            .max_by_key(|(_, (_, at))| at.len());
        let own = around.map_or_else(|| base(document), |(own, _)| own.clone());
        let (document, root) =
            self.ids.get(&if address.is_empty() { own } else { join(&own, address) })?.clone();
        if fragment.is_empty() || fragment.starts_with('/') {
            return Some((document, format!("{root}{}", percent(fragment))));
        }
        // A name given by `$anchor` or `$dynamicAnchor`.
        let mut found = None;
        let value = self.document(&document)?.pointer(&root)?;
        anchored(value, fragment, root, &mut found);
        found.map(|pointer| (document, pointer))
    }
}

/// Whether `place` is `at` or below it.
fn around(at: &str, place: &str) -> bool {
    place.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
        let at = format!("{at}/{}", escaped(key));
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
    let url = Url::parse(&format!("x:?{}", pointer.replace('+', "%2B"))).ok();
    let decoded = url.and_then(|url| url.query_pairs().next().map(|(key, _)| key.into_owned()));
    decoded.unwrap_or_else(|| pointer.to_owned())
}
