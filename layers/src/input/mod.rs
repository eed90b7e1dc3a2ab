//! From evaluated JSON to an atom's typed input, with errors that name the field and the way out.

mod size;
mod span;

pub(crate) use size::ByteSize;
pub(crate) use span::TimeSpan;

use crate::atom::Atom;
use crate::catalog::catalog;
use jalm_kernel::atom::AtomSpec;
use jalm_kernel::failure::Failure;
use jalm_kernel::source::closest;
use serde_json::{Value, json};

/// The failure code of every input that an atom cannot take.
pub(crate) const BAD_INPUT: &str = "bad_input";

/// The typed input of atom `A`.
pub(crate) fn decode<A: Atom>(input: Value) -> Result<A::Input, Failure> {
    let input = if input.is_null() { json!({}) } else { input };
    if !input.is_object() {
        return Err(bad(A::CARD.name, "", "a map of keys is expected".to_owned())
            .hint(format!("see `jalm atoms {}` for the keys", A::CARD.name)));
    }
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        explain(A::CARD.name, &path, &error.into_inner().to_string())
    })
}

/// A refusal of one field. `path` is empty for the input as a whole.
pub(crate) fn bad(atom: &str, path: &str, what: String) -> Failure {
    let place = if path.is_empty() { String::new() } else { format!(" `{path}`") };
    Failure::permanent(BAD_INPUT, format!("bad input{place} of `{atom}`: {what}"))
        .detail(json!({ "atom": atom, "path": path }))
}

/// The top-level keys of an input's schema.
pub(crate) fn keys(schema: &Value) -> impl Iterator<Item = &str> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str())
}

/// A top-level key that the atom does not take.
pub(crate) fn unknown_key(spec: &AtomSpec, key: &str) -> Failure {
    bad(spec.name, key, "there is no such key".to_owned())
        .hint(nearest(key, keys(&spec.input_schema)))
}

/// Puts serde's words into those of this project, and adds what to do.
fn explain(atom: &'static str, path: &str, message: &str) -> Failure {
    let quoted = || message.split('`').skip(1).step_by(2);
    let schema = catalog().entry(atom).map(|entry| &entry.spec.input_schema);
    let first = path.split(['.', '[']).next().unwrap_or_default();
    let described = |key: &str| {
        schema
            .and_then(|schema| schema["properties"][key]["description"].as_str())
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    if message.starts_with("unknown field") {
        let key = quoted().next().unwrap_or_default();
        let full = join(parent(path, key), key);
        return bad(atom, &full, "there is no such key".to_owned())
            .hint(nearest(key, quoted().skip(1)));
    }
    if message.starts_with("missing field") {
        let key = quoted().next().unwrap_or_default();
        let about = if path.is_empty() { described(key) } else { None };
        return bad(atom, &join(path, key), "it is required and is missing".to_owned()).hint(
            about.map_or_else(|| format!("add `{key}`"), |text| format!("add `{key}`: {text}")),
        );
    }
    if message.starts_with("unknown variant") {
        let word = quoted().next().unwrap_or_default();
        return bad(atom, path, format!("`{word}` is not one of its values"))
            .hint(nearest(word, quoted().skip(1)));
    }
    let hint = described(first)
        .map_or_else(|| format!("see `jalm atoms {atom}`"), |text| format!("`{first}`: {text}"));
    bad(atom, path, message.to_owned()).hint(hint)
}

/// serde's path of an unknown field ends in that field or in the map that holds it.
fn parent<'a>(path: &'a str, key: &str) -> &'a str {
    match path.strip_suffix(key) {
        Some("") => "",
        Some(rest) => rest.strip_suffix('.').unwrap_or(path),
        None => path,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// "did you mean", or all there is to choose from.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match closest(word, known.iter().copied()) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("write one of `{}`", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io_http::exec_http::ExecHttp;

    fn refused(input: Value) -> (String, String) {
        let failure = decode::<ExecHttp>(input).err().unwrap();
        assert_eq!(failure.code, BAD_INPUT);
        assert!(!failure.retryable);
        (failure.message, failure.hint.unwrap())
    }

    #[test]
    fn each_kind_of_mistake_names_the_field_and_the_way_out() {
        let (message, hint) = refused(json!({"url": "http://x/", "methd": "GET"}));
        assert_eq!(message, "bad input `methd` of `exec_http`: there is no such key");
        assert_eq!(hint, "did you mean `method`?");

        let (message, hint) = refused(json!({}));
        assert_eq!(message, "bad input `url` of `exec_http`: it is required and is missing");
        assert!(hint.starts_with("add `url`: "), "{hint}");

        let (message, hint) = refused(json!({"url": 5}));
        assert!(message.starts_with("bad input `url` of `exec_http`: invalid type"), "{message}");
        assert!(hint.starts_with("`url`: "), "{hint}");

        let (message, _) = refused(json!({"url": "http://x/", "auth": {"basic": {"user": "u"}}}));
        assert!(message.contains("`auth.basic"), "{message}");

        let (message, _) = refused(json!([1]));
        assert_eq!(message, "bad input of `exec_http`: a map of keys is expected");
    }
}
