//! JSON values as YAML that people like to read.

use serde_json::Value;
use std::fmt::Write;

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    below(value, 0, &mut out);
    out
}

/// The entries of a map or list, each on lines of its own; anything else on one line.
fn below(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let _ = write!(out, "{indent}{}:", text(key));
                beside(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{indent}-");
                if item.as_object().is_some_and(|entries| !entries.is_empty()) {
                    // The first key stands on the line of the dash.
                    let mut inner = String::new();
                    below(item, depth + 1, &mut inner);
                    let _ = write!(out, " {}", inner.trim_start());
                } else {
                    beside(item, depth, out);
                }
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            let _ = writeln!(out, "{indent}{}", flow(value));
        }
    }
}

/// What stands behind `key:` or `-`.
fn beside(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::String(lines) if is_block(lines) => {
            let keep = if lines.ends_with('\n') { "" } else { "-" };
            let _ = writeln!(out, " |{keep}");
            for line in lines.trim_end_matches('\n').split('\n') {
                let indent = if line.is_empty() { String::new() } else { "  ".repeat(depth + 1) };
                let _ = writeln!(out, "{indent}{line}");
            }
        }
        Value::Array(items) if items.is_empty() || items.iter().all(is_scalar) => {
            let _ = writeln!(out, " {}", flow(value));
        }
        Value::Object(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Value::Object(_) | Value::Array(_) => {
            out.push('\n');
            below(value, depth + 1, out);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = writeln!(out, " {}", flow(value));
        }
    }
}

/// Text of several lines that a block shows as it is.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n'])
        && text.chars().all(|c| c == '\n' || !c.is_control())
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !is_block(text),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// On one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Without quotes where nothing can go wrong; JSON's quotes are YAML's too.
fn text(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
        );
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_looks_as_a_person_would_write_it() {
        let value = json!({
            "name": "x", "list": [1, "two"], "maps": [{"a": 1, "b": {"c": "{{ d }}"}}],
            "script": "one\n  two\n", "none": [], "empty": {},
        });
        let expected = "name: x\nlist: [1, two]\nmaps:\n  - a: 1\n    b:\n      c: \"{{ d }}\"\n\
                        script: |\n  one\n    two\nnone: []\nempty: {}\n";
        assert_eq!(document(&value), expected);
    }

    #[test]
    fn whatever_it_writes_reads_back_as_it_was() {
        let value = json!({
            "a": "no", "b": "1.5", "c": "a: b", "d": " x", "e": "line\nline", "f": "\n\nx", "g": null,
            "h": "two ends\n\n", "i": "tab\tand \"quotes\"\nx", "on": "é", "": [[], [{}], [[1]], ["p\nq"]],
            "k: v": [{"only": []}, "- x", "#x"], "m": "-", "n": true, "o": 1e300, "p": "0x1f",
        });
        let text = document(&value);
        let read = jalm_kernel::source::parse(&text).unwrap_or_else(|p| panic!("{text}\n{p:#?}"));
        assert_eq!(read.to_value(), value, "{text}");
    }
}
