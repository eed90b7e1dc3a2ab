//! What the value of a key looks like.

use super::Table;

/// What a value looks like.
#[derive(Debug)]
pub(in crate::intent) enum Shape {
    /// Any text.
    Text { example: &'static str },
    /// A text of a certain form.
    Name(Rule),
    /// `true` or `false`.
    Flag,
    /// A whole number, bounds included.
    Whole { min: u32, max: u32 },
    /// A span of time; whether it may be zero.
    Duration { zero: bool },
    /// One of some words: each with what it means.
    OneOf(&'static [(&'static str, &'static str)]),
    /// The name of a layer.
    Layer,
    /// A list of texts; the example is one of them.
    Texts { example: &'static str },
    /// A map with the keys of a table.
    Table(&'static Table),
    /// How to retry: a map with the keys of a table, or the number of attempts alone.
    Retry(&'static Table),
    /// An expression, `true` or `false`.
    Condition,
    /// A list, or an expression that gives one.
    Items,
    /// A list of steps.
    Steps,
    /// A map from names to values.
    Variables,
    /// A map with keys of the author's own.
    Map,
    /// Anything, with expressions in it.
    Anything,
}

impl Shape {
    /// What a person would call it: "`timeout` must be …".
    pub(in crate::intent) fn wanted(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Name(_) => "text",
            Self::Flag => "`true` or `false`",
            Self::Whole { .. } => "a whole number",
            Self::Duration { .. } => "a duration",
            Self::OneOf(_) => "one of the known words",
            Self::Layer => "the name of a layer",
            Self::Texts { .. } => "a list of texts",
            Self::Table(_) | Self::Map | Self::Variables => "a map",
            Self::Retry(_) => "a number of attempts or a map",
            Self::Condition => "an expression, `true` or `false`",
            Self::Items => "a list or an expression",
            Self::Steps => "a list of steps",
            Self::Anything => "a value",
        }
    }

    /// How it is written as the value of `key`.
    pub(in crate::intent) fn example(&self, key: &str) -> String {
        match self {
            Self::Text { example } => format!("write it like `{key}: {example}`"),
            Self::Name(rule) => format!("write it like `{key}: {}`", rule.example()),
            Self::Flag => format!("write `{key}: true` or `{key}: false`"),
            Self::Whole { min, max } => {
                format!("write a number from {min} to {max}, like `{key}: 3`")
            }
            Self::Duration { .. } => {
                format!("write it like `{key}: 30s`; units are ms, s, m, h and d")
            }
            Self::OneOf(words) => {
                let words: Vec<String> =
                    words.iter().map(|(word, _)| format!("`{word}`")).collect();
                format!("write one of {}", words.join(", "))
            }
            Self::Layer => {
                let names: Vec<String> =
                    crate::atom::Layer::ALL.iter().map(|layer| format!("`{layer}`")).collect();
                format!("the layers are {}", names.join(", "))
            }
            Self::Texts { example } => format!("write it like `{key}: [{example}]`"),
            Self::Table(table) => {
                let names: Vec<String> = table.names().map(|name| format!("`{name}`")).collect();
                format!("write a map under `{key}:` with keys among {}", names.join(", "))
            }
            Self::Retry(_) => format!("write `{key}: 3`, or `{key}: {{ attempts: 3, delay: 2s }}`"),
            Self::Condition => format!("write it like `{key}: \"{{{{ params.enabled }}}}\"`"),
            Self::Items => {
                format!("write it like `{key}: \"{{{{ params.items }}}}\"` or `{key}: [1, 2]`")
            }
            Self::Steps => {
                format!("begin each step below `{key}:` with `- `, like `- atom: get_timestamp`")
            }
            Self::Variables => {
                format!("write it like `{key}: {{ total: \"{{{{ params.a + params.b }}}}\" }}`")
            }
            Self::Map => format!("write `name: value` lines below `{key}:`, indented"),
            Self::Anything => format!("write a value behind `{key}:`"),
        }
    }
}

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::intent) enum Rule {
    /// The name of an intent.
    Intent,
    /// The id of a step.
    Step,
    /// A name in expressions.
    Variable,
    /// A SemVer version.
    Version,
}

impl Rule {
    /// As a regular expression, for the schema; [`fits`](Self::fits) says the same.
    pub(in crate::intent) fn pattern(self) -> &'static str {
        match self {
            Self::Intent => "^[A-Za-z0-9_.-]{1,128}$",
            Self::Step => "^[A-Za-z_][A-Za-z0-9_-]{0,127}$",
            Self::Variable => "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
            Self::Version => {
                "^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\
                 (-[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$"
            }
        }
    }

    /// Whether `text` has this form.
    pub(in crate::intent) fn fits(self, text: &str) -> bool {
        let length = (1..=128).contains(&text.len());
        let starts = |first: fn(char) -> bool| text.starts_with(first);
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        let all = |more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        match self {
            Self::Intent => length && all("_.-"),
            Self::Step => length && starts(letter) && all("_-"),
            Self::Variable => length && starts(letter) && all("_"),
            Self::Version => is_semver(text),
        }
    }

    /// What is allowed, in words.
    pub(in crate::intent) fn allowed(self) -> &'static str {
        match self {
            Self::Intent => "use letters, digits, `_`, `.` and `-`, at most 128",
            Self::Step => {
                "begin with a letter or `_`, go on with letters, digits, `_` and `-`, at most 128"
            }
            Self::Variable => {
                "begin with a letter or `_`, go on with letters, digits and `_`, at most 128"
            }
            Self::Version => "write three numbers like `1.2.0`, or `1.2.0-beta.1`",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Intent => "nightly-report",
            Self::Step => "fetch_rows",
            Self::Variable => "row",
            Self::Version => "1.2.0",
        }
    }
}

fn is_semver(text: &str) -> bool {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (core, before) = match text.split_once('-') {
        Some((core, before)) => (core, Some(before)),
        None => (text, None),
    };
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let words = |part: Option<&str>| part.is_none_or(|part| part.split('.').all(word));
    core.split('.').count() == 3 && core.split('.').all(number) && words(before) && words(build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_says_the_same_as_its_pattern() {
        let rules = [Rule::Intent, Rule::Step, Rule::Variable, Rule::Version];
        let long = "a".repeat(128);
        let longer = "a".repeat(129);
        let texts = [
            "",
            "a",
            "_",
            "-",
            "1",
            "a-b",
            "a.b",
            "a_b1",
            "1a",
            "é",
            "a b",
            "a\n",
            &long,
            &longer,
            "1.2.3",
            "0.0.0",
            "01.2.3",
            "1.2",
            "1.2.3.4",
            "1.2.3-beta.1",
            "1.2.3-",
            "1.2.3+x.y",
            "1.2.3+",
            "1.2.3-a+b-c",
            "1.2.3-a..b",
            "v1.2.3",
            "1.2.3 ",
        ];
        for rule in rules {
            let schema = serde_json::json!({"type": "string", "pattern": rule.pattern()});
            let validator = jsonschema::validator_for(&schema).unwrap();
            for text in texts {
                let value = serde_json::Value::from(text);
                assert_eq!(rule.fits(text), validator.is_valid(&value), "{rule:?} {text:?}");
            }
        }
    }
}
