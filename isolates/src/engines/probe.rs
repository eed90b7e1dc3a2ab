//! Tries what must not work and says how it was refused, for the conformance suite.
//!
//! Not an engine for users: it exists only with the feature `testkit`.

mod calls;
mod views;

use serde_json::{Map, Value, json};

/// What came of each attempt, by its name: an errno (0 for one that was let through), or what was
/// seen. Without names: the names of all plain system calls.
///
/// An attempt may carry an argument: `open:/etc/passwd`, `connect:8080`.
pub(crate) fn run(names: &[String]) -> Value {
    if names.is_empty() {
        return calls::all().iter().map(|call| json!(call.name)).collect();
    }
    let results: Map<String, Value> =
        names.iter().map(|name| (name.clone(), attempt(name))).collect();
    Value::Object(results)
}

fn attempt(name: &str) -> Value {
    if let Some(call) = calls::all().iter().find(|call| call.name == name) {
        return json!(call.errno());
    }
    let (kind, argument) = name.split_once(':').unwrap_or((name, ""));
    views::see(kind, argument).unwrap_or_else(|| json!("no such attempt"))
}

/// The errno of the last call, if it failed.
fn errno(result: libc::c_long) -> i32 {
    if result == -1 { std::io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
}
