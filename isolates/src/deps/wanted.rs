//! What a script depends on, as its author wrote it, brought into one form.

use super::block;
use super::error::DependencyError;
use super::syntax;
use crate::languages::{Language, Runtime};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Where packages of a language come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// PyPI, or the operator's own index.
    Python,
    /// npm's registry.
    Npm,
    /// crates.io.
    Cargo,
    /// Modules of Go.
    Go,
}

impl Source {
    /// In paths, locks and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Npm => "npm",
            Self::Cargo => "cargo",
            Self::Go => "go",
        }
    }
}

/// What a script depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    pub(crate) source: Source,
    /// By name; for Python, the whole requirement is the name.
    pub(crate) packages: BTreeMap<String, Value>,
    /// Versions of Python that will do.
    pub(crate) python: Option<String>,
}

/// More than that is no script.
const MOST: usize = 200;

impl Requirements {
    /// What the script depends on; none if it names nothing. `given` is what stands beside it.
    pub fn of(
        language: Language,
        runtime: Option<Runtime>,
        script: &str,
        given: Option<&Value>,
    ) -> Result<Option<Self>, DependencyError> {
        let comment = match language {
            Language::Python => "#",
            Language::JavaScript | Language::TypeScript | Language::Rust | Language::Go => "//",
            Language::Wasm => {
                return nothing(given, "WebAssembly brings all it needs in its module");
            }
        };
        // Most scripts have none, and are not looked through for long.
        let block =
            if script.contains("/// script") { block::read(script, comment)? } else { None };
        let python = block.as_ref().and_then(|block| block.python.clone());
        let written = block.and_then(|block| block.dependencies);
        let wanted = match (given.filter(|given| !given.is_null()), written) {
            (Some(_), Some(_)) => {
                return Err(DependencyError::bad(
                    "dependencies stand both in `dependencies` and in the script's block",
                    "keep one of them",
                ));
            }
            (Some(given), None) => given.clone(),
            (None, Some(written)) => serde_json::to_value(written).map_err(|error| {
                DependencyError::bad(format!("the dependencies cannot be read: {error}"), SHAPE)
            })?,
            (None, None) => Value::Array(Vec::new()),
        };
        let source = match (language, runtime) {
            (Language::Python, None | Some(Runtime::Native)) => Source::Python,
            (Language::JavaScript | Language::TypeScript, Some(Runtime::Node)) => Source::Npm,
            (Language::Rust, _) => Source::Cargo,
            (Language::Go, _) => Source::Go,
            (Language::JavaScript | Language::TypeScript, _) => {
                return nothing(Some(&wanted), "packages need `runtime: node`");
            }
            (Language::Python, Some(_)) => {
                return nothing(Some(&wanted), "packages need `runtime: native`");
            }
            (Language::Wasm, _) => return Ok(None),
        };
        let packages = listed(source, wanted)?;
        if packages.len() > MOST {
            return Err(DependencyError::bad(
                format!("{} dependencies are too many", packages.len()),
                format!("a script may name {MOST}; what they need in turn is not counted"),
            ));
        }
        for (name, version) in &packages {
            syntax::check(source, name, version)?;
        }
        if packages.is_empty() && python.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { source, packages, python }))
    }

    /// The same for the same requirements, on every machine.
    pub(crate) fn hash(&self) -> String {
        let text = serde_json::json!([self.source.name(), self.packages, self.python]).to_string();
        hex(&Sha256::digest(text))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const SHAPE: &str = "write a list such as `[\"six>=1.16\"]` for Python, a map such as `{is-number: ^7.0.0}` for the others";

/// Where no packages can be had, naming some is an error.
fn nothing(given: Option<&Value>, why: &str) -> Result<Option<Requirements>, DependencyError> {
    let empty = match given {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => false,
    };
    if empty {
        return Ok(None);
    }
    Err(DependencyError::bad("this script cannot have dependencies as it is run", why))
}

/// Names and versions; a list names both in one text, a map apart.
fn listed(source: Source, wanted: Value) -> Result<BTreeMap<String, Value>, DependencyError> {
    match wanted {
        Value::Array(list) => list
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(parted(source, text.trim())),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => {
                    Err(DependencyError::bad(format!("`{item}` is no dependency"), SHAPE))
                }
            })
            .collect(),
        Value::Object(map) => Ok(joined(source, map)),
        Value::String(text) if source == Source::Go => Ok(required(&text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(DependencyError::bad("`dependencies` is neither a list nor a map", SHAPE))
        }
    }
}

/// `is-number@^7` is a name and a version; Python's requirements stay as they are.
fn parted(source: Source, text: &str) -> (String, Value) {
    // npm's scopes begin with an `@`, too.
    let parts = match source {
        Source::Python => None,
        Source::Npm | Source::Cargo | Source::Go => {
            text.rsplit_once('@').filter(|(name, _)| !name.is_empty())
        }
    };
    let (name, version) = parts.unwrap_or((text, ""));
    let version = match source {
        Source::Python => Value::Null,
        Source::Npm | Source::Cargo | Source::Go => usual(source, version.trim()),
    };
    (name.trim().to_owned(), version)
}

/// What a name without a version means.
fn usual(source: Source, version: &str) -> Value {
    match (version, source) {
        ("", Source::Npm | Source::Cargo) => "*".into(),
        ("", Source::Go) => "latest".into(),
        (version, _) => version.into(),
    }
}

/// For Python, `{six: ">=1.16"}` is the requirement `six>=1.16`.
fn joined(source: Source, map: Map<String, Value>) -> BTreeMap<String, Value> {
    map.into_iter()
        .map(|(name, version)| match (source, version) {
            (Source::Python, Value::String(version)) => {
                let version = version.trim();
                let plain = version.starts_with(|first: char| first.is_ascii_digit());
                let version = match version {
                    "*" => String::new(),
                    version if plain => format!("=={version}"),
                    version => version.to_owned(),
                };
                (format!("{}{version}", name.trim()), Value::Null)
            }
            (Source::Npm | Source::Cargo | Source::Go, Value::String(version)) => {
                (name.trim().to_owned(), usual(source, version.trim()))
            }
            (_, version) => (name, version),
        })
        .collect()
}

/// Lines of `go.mod` that require modules.
fn required(text: &str) -> BTreeMap<String, Value> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim())
        .map(|line| line.strip_prefix("require").unwrap_or(line).trim())
        .filter(|line| !["", "(", ")"].contains(line))
        .map(|line| match line.split_once(char::is_whitespace) {
            Some((name, version)) => (name.to_owned(), version.trim().into()),
            None => (line.to_owned(), Value::Null),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(
        language: Language,
        script: &str,
        given: &Value,
    ) -> Result<Option<Requirements>, DependencyError> {
        let runtime = matches!(language, Language::JavaScript).then_some(Runtime::Node);
        Requirements::of(language, runtime, script, Some(given))
    }

    fn packages(language: Language, script: &str, given: &Value) -> Value {
        json!(of(language, script, given).unwrap().unwrap().packages)
    }

    #[test]
    fn every_way_to_write_it_means_the_same() {
        let six = json!({ "six>=1": null });
        assert_eq!(packages(Language::Python, "", &json!(["six>=1"])), six);
        assert_eq!(packages(Language::Python, "", &json!({ "six": ">=1" })), six);
        let block = "# /// script\n# dependencies = [\"six>=1\"]\n# ///\n";
        assert_eq!(packages(Language::Python, block, &Value::Null), six);
        let number = json!({ "@a/b": "*", "is-number": "^7" });
        let given = json!(["is-number@^7", "@a/b"]);
        assert_eq!(packages(Language::JavaScript, "", &given), number);
        let block =
            "// /// script\n// dependencies = { is-number = \"^7\", \"@a/b\" = \"\" }\n// ///\n";
        assert_eq!(packages(Language::JavaScript, block, &Value::Null), number);
        let module = json!({ "rsc.io/quote": "v1.5.2" });
        assert_eq!(
            packages(Language::Go, "", &json!("require (\n\trsc.io/quote v1.5.2 // indirect\n)\n")),
            module
        );
        assert_eq!(packages(Language::Go, "", &module), module);
        let table = json!({ "serde": { "version": "1", "features": ["derive"] } });
        assert_eq!(packages(Language::Rust, "", &table), table);
    }

    #[test]
    fn most_scripts_want_nothing() {
        for (language, given) in [
            (Language::Python, json!([])),
            (Language::Rust, json!({})),
            (Language::Wasm, Value::Null),
            (Language::TypeScript, json!([])),
        ] {
            assert_eq!(of(language, "return 1", &given), Ok(None), "{language:?}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_said() {
        let wrong =
            |language, script: &str, given: Value| of(language, script, &given).unwrap_err();
        assert!(
            wrong(Language::TypeScript, "", json!({ "x": "1" })).hint.contains("runtime: node")
        );
        assert!(wrong(Language::Wasm, "", json!(["x"])).message.contains("cannot have"));
        assert!(wrong(Language::Python, "", json!(3)).hint.contains("a list"));
        assert!(wrong(Language::Python, "", json!([3])).message.contains("`3`"));
        let block = "# /// script\n# dependencies = [\"six\"]\n# ///\n";
        assert!(wrong(Language::Python, block, json!(["six"])).message.contains("both"));
    }
}
