//! What a requirement may look like: a name of the registry, and versions of it.
//!
//! Tools take much more than that: options, addresses, folders, repositories. None of it passes:
//! installers run outside of the sandbox, with the network and the files of the server's user.

use super::error::DependencyError;
use super::wanted::Source;
use serde_json::Value;

/// Longer ones are no requirements.
const LONGEST: usize = 500;

/// Refuses what is no plain requirement.
pub(super) fn check(source: Source, name: &str, version: &Value) -> Result<(), DependencyError> {
    let shown: String = match version {
        Value::Null => name.to_owned(),
        Value::String(version) => format!("{name} {version}"),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("{name} {version}")
        }
    };
    let good = shown.len() <= LONGEST
        && match source {
            Source::Python => is_python(name) && version.is_null(),
            Source::Npm => is_npm_name(name) && version.as_str().is_some_and(is_npm_range),
            Source::Cargo => is_crate(name) && is_crate_version(version),
            Source::Go => is_module(name) && version.as_str().is_some_and(is_module_version),
        };
    if good {
        return Ok(());
    }
    let shown: String = shown.chars().take(120).collect();
    let hint = match source {
        Source::Python => {
            "write a name of the index with versions, as `six`, `six>=1.16,<2` or `uvicorn[standard]==0.30.1; python_version >= \"3.9\"`; addresses, folders and options are not taken"
        }
        Source::Npm => {
            "write a name of the registry with a range of versions, as `is-number: ^7.0.0`; addresses, folders and repositories are not taken"
        }
        Source::Cargo => {
            "write a name of the registry with a version, as `itoa: \"1\"` or `serde: {version: \"1\", features: [derive]}`; paths and repositories are not taken"
        }
        Source::Go => "write a module with a version, as `rsc.io/quote: v1.5.2`",
    };
    Err(DependencyError::bad(format!("`{shown}` is no dependency"), hint))
}

fn is_word(text: &str, more: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

fn is_name(text: &str, more: &str) -> bool {
    is_word(text, more) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// A requirement of PEP 508 without an address.
fn is_python(text: &str) -> bool {
    let (requirement, marker) = match text.split_once(';') {
        Some((requirement, marker)) => (requirement, Some(marker)),
        None => (text, None),
    };
    let requirement = requirement.trim();
    let end =
        requirement.find(['[', '(', '<', '>', '=', '!', '~', ' ']).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    let (extras, versions) = match rest.trim().strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((extras, versions)) => (Some(extras), versions),
            None => return false,
        },
        None => (None, rest),
    };
    let versions = versions.trim();
    let versions = match versions.strip_prefix('(') {
        Some(inner) => match inner.strip_suffix(')') {
            Some(inner) => inner,
            None => return false,
        },
        None => versions,
    };
    is_name(name, "-_.")
        && !name.ends_with(['-', '_', '.'])
        && extras.is_none_or(|extras| extras.split(',').all(|extra| is_name(extra.trim(), "-_.")))
        && (versions.trim().is_empty()
            || versions.split(',').all(|one| is_python_version(one.trim())))
        && marker.is_none_or(is_marker)
}

fn is_python_version(text: &str) -> bool {
    let operators = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
    operators
        .iter()
        .find_map(|operator| text.strip_prefix(operator))
        .is_some_and(|version| is_word(version.trim(), ".*+!-_"))
}

fn is_marker(text: &str) -> bool {
    is_word(text.trim(), " _.'\"<>=!~()-+*,\t") && !text.contains("--")
}

fn is_npm_name(text: &str) -> bool {
    let plain = |text: &str| is_name(text, "-_.~") && !text.contains("..");
    match text.strip_prefix('@') {
        Some(scoped) => {
            scoped.split_once('/').is_some_and(|(scope, name)| plain(scope) && plain(name))
        }
        None => plain(text),
    }
}

/// A range, or a tag such as `latest`: no colon and no slash, which addresses have.
fn is_npm_range(text: &str) -> bool {
    is_word(text, ".-+*^~<>=| ") && !text.starts_with('-') && !text.starts_with('.')
}

fn is_crate(text: &str) -> bool {
    is_name(text, "-_")
}

fn is_crate_version(version: &Value) -> bool {
    let range = |text: &str| is_word(text, ".-+*^~<>=, ");
    match version {
        Value::String(version) => range(version),
        Value::Object(table) => {
            table.contains_key("version")
                && table.iter().all(|(key, value)| match (key.as_str(), value) {
                    ("version", Value::String(version)) => range(version),
                    ("features", Value::Array(features)) => features
                        .iter()
                        .all(|feature| feature.as_str().is_some_and(|name| is_name(name, "-_+."))),
                    ("default-features", Value::Bool(_)) => true,
                    _ => false,
                })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

fn is_module(text: &str) -> bool {
    is_name(text, "-_.~/!") && text.contains('.') && !text.contains("..") && !text.contains("//")
}

fn is_module_version(text: &str) -> bool {
    text == "latest" || text.starts_with('v') && is_word(text, ".-+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good(source: Source, name: &str, version: Value) -> bool {
        check(source, name, &version).is_ok()
    }

    #[test]
    fn requirements_of_python_are_names_with_versions() {
        for text in [
            "six",
            "six>=1.16",
            "six >= 1.16, < 2",
            "Foo_bar.baz~=1.0",
            "a==1.*",
            "a[b,c-d]>=1; python_version < '3.9'",
            "a (>=1,<2)",
            "a===1.0+local",
            "numpy!=1.2.3",
        ] {
            assert!(good(Source::Python, text, Value::Null), "{text}");
        }
        for text in [
            "",
            "-r /etc/passwd",
            "--index-url=https://evil",
            "six @ https://evil/x.whl",
            "six@file:///etc",
            "./six",
            "/six",
            "git+https://x",
            "six\n--pre",
            "six --hash=sha256:00",
            "six; x\n-e .",
            "six[",
            "a>=",
            "six #c",
            "six>=1 --pre",
            "six; --x",
            "a b",
        ] {
            assert!(!good(Source::Python, text, Value::Null), "{text:?}");
        }
    }

    #[test]
    fn packages_of_npm_are_names_with_ranges() {
        for (name, range) in [
            ("is-number", "^7.0.0"),
            ("@a/b", "1 || 2"),
            ("a.b", "latest"),
            ("a", ">=1 <2"),
            ("a", "*"),
        ] {
            assert!(good(Source::Npm, name, json!(range)), "{name} {range}");
        }
        for (name, range) in [
            ("../x", "1"),
            ("a", "file:../x"),
            ("a", "git+ssh://x"),
            ("a", "user/repo"),
            ("a", "npm:b@1"),
            ("a", "https://x"),
            ("--global", "1"),
            ("@a", "1"),
            ("a", ""),
            ("a", "--x"),
            ("a/b", "1"),
        ] {
            assert!(!good(Source::Npm, name, json!(range)), "{name} {range}");
        }
        assert!(!good(Source::Npm, "a", json!({ "version": "1" })));
    }

    #[test]
    fn crates_are_names_with_versions_and_features() {
        for version in [
            json!("1"),
            json!("^1.2, <1.5"),
            json!({ "version": "1", "features": ["derive"], "default-features": false }),
        ] {
            assert!(good(Source::Cargo, "serde", version.clone()), "{version}");
        }
        for version in [
            json!({ "path": "/etc" }),
            json!({ "version": "1", "git": "x" }),
            json!("1\"\n[patch]"),
            json!(1),
            json!({}),
        ] {
            assert!(!good(Source::Cargo, "serde", version.clone()), "{version}");
        }
        assert!(!good(Source::Cargo, "a]\nb", json!("1")));
    }

    #[test]
    fn modules_have_paths_and_versions() {
        assert!(good(Source::Go, "rsc.io/quote/v3", json!("v3.1.0")));
        assert!(good(Source::Go, "golang.org/x/text", json!("latest")));
        for (name, version) in [
            ("fmt", "v1"),
            ("../x.y", "v1.0.0"),
            ("a.b/c", "master"),
            ("a.b/c", "v1 => ../x"),
            ("a.b//c", "v1"),
        ] {
            assert!(!good(Source::Go, name, json!(version)), "{name} {version}");
        }
    }
}
