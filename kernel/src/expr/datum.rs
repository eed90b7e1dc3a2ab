//! A JSON value that is shared, and turned into MiniJinja's form at most once.

use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// An immutable value; clones share it.
#[derive(Clone, Debug)]
pub struct Datum(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    json: Arc<Value>,
    jinja: OnceLock<minijinja::Value>,
}

impl Datum {
    /// Wraps a value that is shared already.
    pub fn new(json: Arc<Value>) -> Self {
        Self(Arc::new(Inner { json, jinja: OnceLock::new() }))
    }

    /// The JSON.
    pub fn json(&self) -> &Arc<Value> {
        &self.0.json
    }

    /// The same as a MiniJinja value; converted on first use.
    pub(super) fn jinja(&self) -> minijinja::Value {
        self.0.jinja.get_or_init(|| minijinja::value::Serde(&*self.0.json).into()).clone()
    }

    /// Takes the JSON out without a copy when nobody else holds it.
    pub fn into_json(self) -> Arc<Value> {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => inner.json,
            Err(shared) => shared.json.clone(),
        }
    }
}

impl From<Value> for Datum {
    fn from(json: Value) -> Self {
        Self::new(Arc::new(json))
    }
}

impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        self.0.json == other.0.json
    }
}
