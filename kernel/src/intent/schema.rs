/// JSON Schema of an intent, for editors.
pub fn json_schema() -> serde_json::Value { serde_json::Value::Null }
