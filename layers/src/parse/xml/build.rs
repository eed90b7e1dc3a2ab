//! From elements to JSON, one element at a time.

use super::Options;
use serde_json::{Map, Value, json};

/// What an element becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A map by names; text alone for an element with nothing else.
    #[default]
    Object,
    /// `{name, attributes, children}`: keeps the order of everything.
    Tree,
}

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) root: String,
    /// What the root holds.
    pub(crate) value: Value,
    pub(crate) nodes: usize,
}

/// An element that is still open.
pub(super) struct Frame {
    pub(super) name: String,
    listed: bool,
    shape: Shape,
    attributes: Map<String, Value>,
    /// Object: children by name. A child is never a list itself, so that a list is always ours.
    members: Map<String, Value>,
    /// Tree: children in order.
    children: Vec<Value>,
    /// Object: all text; tree: the text since the last element.
    text: String,
}

impl Frame {
    pub(super) fn new(
        name: String,
        attributes: Vec<(String, String)>,
        listed: bool,
        options: &Options,
    ) -> Self {
        let prefix = match options.shape {
            Shape::Object => options.attribute_prefix.as_str(),
            Shape::Tree => "",
        };
        let attributes = attributes
            .into_iter()
            .map(|(key, value)| (format!("{prefix}{key}"), value.into()))
            .collect();
        Self {
            name,
            listed,
            shape: options.shape,
            attributes,
            members: Map::new(),
            children: Vec::new(),
            text: String::new(),
        }
    }

    pub(super) fn text(&mut self, piece: &str, _options: &Options) {
        self.text.push_str(piece);
    }

    pub(super) fn child(&mut self, name: String, listed: bool, value: Value) {
        match self.shape {
            Shape::Tree => {
                self.children.push(Value::String(std::mem::take(&mut self.text)));
                self.children.push(value);
            }
            Shape::Object => match self.members.get_mut(&name) {
                Some(Value::Array(values)) => values.push(value),
                Some(there) => *there = Value::Array(vec![there.take(), value]),
                None => {
                    let value = if listed { Value::Array(vec![value]) } else { value };
                    self.members.insert(name, value);
                }
            },
        }
    }

    /// Name, whether it is always a list, and what it became.
    pub(super) fn finish(mut self, options: &Options) -> (String, bool, Value) {
        let tidy = |text: &str| if options.trim { text.trim().to_owned() } else { text.to_owned() };
        let value = match self.shape {
            Shape::Tree => {
                self.children.push(Value::String(std::mem::take(&mut self.text)));
                let children: Vec<Value> = self
                    .children
                    .into_iter()
                    .filter_map(|child| match child {
                        Value::String(text) => {
                            Some(tidy(&text)).filter(|text| !text.is_empty()).map(Value::String)
                        }
                        element @ (Value::Object(_)
                        | Value::Array(_)
                        | Value::Null
                        | Value::Bool(_)
                        | Value::Number(_)) => Some(element),
                    })
                    .collect();
                json!({ "name": self.name, "attributes": self.attributes, "children": children })
            }
            Shape::Object => {
                let text = tidy(&self.text);
                // Indentation between elements says nothing.
                let text = if self.members.is_empty() || !text.trim().is_empty() {
                    text
                } else {
                    String::new()
                };
                if self.attributes.is_empty() && self.members.is_empty() {
                    if text.is_empty() { Value::Null } else { Value::String(text) }
                } else {
                    let mut map = self.attributes;
                    for (key, value) in self.members {
                        let key = if map.contains_key(&key) { format!("{key}#") } else { key };
                        map.insert(key, value);
                    }
                    if !text.is_empty() {
                        map.insert(options.text_key.clone(), Value::String(text));
                    }
                    Value::Object(map)
                }
            }
        };
        (self.name, self.listed, value)
    }
}
