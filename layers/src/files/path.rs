//! A path that stays below the root by its very form.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// Names of files that are being written; no step can name them.
pub(super) const TEMPORARY: &str = ".jalm-";
/// Linux takes no longer path.
const LONGEST: usize = 4095;

/// A relative path with `/` between folders: no `..`, no empty part, never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RelPath(String);

impl RelPath {
    /// Checks and tidies: `./a//b` is `a/b`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Err(format!(
                "`{text}` starts at the system's root; paths start at the file root, leave the `/` out"
            ));
        }
        if text.contains('\0') {
            return Err("a path cannot hold a NUL character".to_owned());
        }
        let parts: Vec<&str> =
            text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.contains(&"..") {
            return Err(format!("`{text}` goes up with `..`; name the place from the file root"));
        }
        if parts.iter().any(|part| part.starts_with(TEMPORARY)) {
            return Err(format!("names that start with `{TEMPORARY}` belong to the runner"));
        }
        if parts.is_empty() {
            return Err("a path is expected, such as `reports/today.csv`".to_owned());
        }
        let path = parts.join("/");
        if path.len() > LONGEST {
            return Err(format!("the path is longer than {LONGEST} bytes"));
        }
        Ok(Self(path))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Folder and name; the folder is empty at the root.
    pub(super) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    /// Of a path that the system gave.
    pub(super) fn known(path: String) -> Self {
        Self(path)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for RelPath {
    fn schema_name() -> Cow<'static, str> {
        "RelPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[^/]" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_root_are_paths() {
        for (text, path) in
            [("a", "a"), ("./a//b/", "a/b"), ("a/./b c", "a/b c"), ("..a/b..", "..a/b..")]
        {
            assert_eq!(RelPath::parse(text).unwrap().as_str(), path);
        }
        for (text, part) in [
            ("", "a path is expected"),
            (".", "a path is expected"),
            ("/etc/passwd", "system's root"),
            ("..", "goes up"),
            ("a/../../b", "goes up"),
            ("a\0b", "NUL"),
            ("a/.jalm-x", "belong to the runner"),
        ] {
            let reason = RelPath::parse(text).unwrap_err();
            assert!(reason.contains(part), "`{text}`: {reason}");
        }
        assert!(RelPath::parse(&"a/".repeat(4000)).unwrap_err().contains("longer"));
    }
}
