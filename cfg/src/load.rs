//! Reading the four sources and laying them over each other.

use crate::config::Config;
use crate::keys::{KEYS, Key, Kind};
use jalm_kernel::source::{self, closest};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Where settings come from, besides their defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The config file: its name and text.
    pub file: Option<(String, String)>,
    /// The environment; only `JALM_…` is looked at.
    pub environment: Vec<(String, String)>,
    /// Flags: the setting's path, and its value as typed.
    pub flags: Vec<(String, String)>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Origin {
    Default,
    File { name: String, line: u32 },
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(path) => write!(f, "flag for {path}"),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ConfigProblem {
    pub origin: Origin,
    pub path: String,
    pub message: String,
    pub hint: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}\n  help: {}", self.path, self.origin, self.message, self.hint)
    }
}

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<ConfigProblem>);

/// Variables with a name of their own; all others are `JALM_SECTION__KEY`. Those without a path
/// are read by the command line or by the client, and are no settings of the runner.
const VARIABLES: &[(&str, Option<&str>)] = &[
    ("JALM_LISTEN", Some("listen")),
    ("JALM_STORE", Some("store")),
    ("JALM_DATA", Some("data")),
    ("JALM_TOKEN", Some("token")),
    ("JALM_LOG", Some("log.level")),
    ("JALM_CONFIG", None),
    ("JALM_SERVER", None),
];

/// Lays the sources over the defaults and checks everything.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let mut tree = Tree::default();
    let mut problems = Vec::new();
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        let value = serde_json::from_str(key.default).unwrap_or(Value::Null);
        tree.put(key, value, Origin::Default);
    }
    if let Some((name, text)) = &sources.file {
        read_file(name, text, &mut tree, &mut problems);
    }
    for (name, text) in &sources.environment {
        let Some(path) = path_of(name) else { continue };
        read_text(&path, text, &Origin::Environment(name.clone()), &mut tree, &mut problems);
    }
    for (path, text) in &sources.flags {
        read_text(path, text, &Origin::Flag(path.clone()), &mut tree, &mut problems);
    }
    let config = Config::from_tree(&tree);
    match config {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(ConfigError(problems)),
        Err(more) => {
            problems.extend(more);
            Err(ConfigError(problems))
        }
    }
}

/// The setting that a variable is for; none for variables that are not ours.
fn path_of(variable: &str) -> Option<String> {
    if let Some((_, path)) = VARIABLES.iter().find(|(name, _)| *name == variable) {
        return path.map(str::to_owned);
    }
    let rest = variable.strip_prefix("JALM_")?;
    // Test and benchmark switches of this project are spelled with one underscore.
    let known = |path: &String| KEYS.iter().any(|key| key.path == path);
    let path = rest.to_ascii_lowercase().replace("__", ".");
    (rest.contains("__") || known(&path)).then_some(path)
}

fn read_file(name: &str, text: &str, tree: &mut Tree, problems: &mut Vec<ConfigProblem>) {
    let node = match source::parse(text) {
        Ok(node) => node,
        Err(found) => {
            for problem in found {
                let report = problem.report(text);
                problems.push(ConfigProblem {
                    origin: Origin::File { name: name.to_owned(), line: report.line },
                    path: "the file".to_owned(),
                    message: report.message,
                    hint: report.hint.into_owned(),
                });
            }
            return;
        }
    };
    let mut open = vec![(String::new(), &node)];
    while let Some((prefix, node)) = open.pop() {
        let line = text[..node.span.start as usize].matches('\n').count() + 1;
        let origin =
            Origin::File { name: name.to_owned(), line: u32::try_from(line).unwrap_or(u32::MAX) };
        match (&node.data, KEYS.iter().find(|key| key.path == prefix)) {
            (_, Some(key)) => check(key, node.to_value(), &origin, tree, problems),
            (source::Data::Null, None) if prefix.is_empty() => {}
            (source::Data::Map(entries), None) if prefix.is_empty() || is_section(&prefix) => {
                for (key, value) in entries.iter().rev() {
                    let path = if prefix.is_empty() {
                        key.text.clone()
                    } else {
                        format!("{prefix}.{}", key.text)
                    };
                    open.push((path, value));
                }
            }
            (_, None) => problems.push(unknown(&prefix, &origin)),
        }
    }
}

fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn unknown(path: &str, origin: &Origin) -> ConfigProblem {
    let hint = match closest(path, KEYS.iter().map(|key| key.path)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "`jalm config show` lists all settings".to_owned(),
    };
    ConfigProblem {
        origin: origin.clone(),
        path: path.to_owned(),
        message: "there is no such setting".to_owned(),
        hint,
    }
}

/// A value typed as text: JSON where the kind wants more than text, commas for lists.
fn read_text(
    path: &str,
    text: &str,
    origin: &Origin,
    tree: &mut Tree,
    problems: &mut Vec<ConfigProblem>,
) {
    let Some(key) = KEYS.iter().find(|key| key.path == path) else {
        return problems.push(unknown(path, origin));
    };
    let value = match key.kind {
        Kind::Text | Kind::Choice(_) | Kind::Duration => Value::String(text.to_owned()),
        Kind::Texts if !text.trim_start().starts_with('[') => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
        Kind::Flag | Kind::Count | Kind::Number | Kind::Texts | Kind::Names => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        }
    };
    check(key, value, origin, tree, problems);
}

fn check(
    key: &'static Key,
    value: Value,
    origin: &Origin,
    tree: &mut Tree,
    problems: &mut Vec<ConfigProblem>,
) {
    let good = match key.kind {
        Kind::Text => value.is_string(),
        Kind::Flag => value.is_boolean(),
        Kind::Count => value.as_u64().is_some_and(|count| count > 0),
        Kind::Number => value.is_u64(),
        Kind::Duration => duration(&value).is_some(),
        Kind::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        Kind::Names => value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
        Kind::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
    };
    if good {
        tree.put(key, value, origin.clone());
    } else {
        let shown = shown(key.path, &value);
        problems.push(ConfigProblem {
            origin: origin.clone(),
            path: key.path.to_owned(),
            message: format!("{shown} does not fit"),
            hint: format!("write {}", key.kind.expected()),
        });
    }
}

fn duration(value: &Value) -> Option<Duration> {
    if let Some(seconds) = value.as_u64() {
        return Some(Duration::from_secs(seconds));
    }
    let text = value.as_str()?.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    match text[digits..].trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// A value as it may be shown: addresses of proxies and registries may hold passwords.
fn shown(path: &str, value: &Value) -> String {
    match (path, value) {
        ("token", _) => "***".to_owned(),
        ("isolation.installer_env", Value::Object(map)) => {
            let hidden = map.keys().map(|name| (name.clone(), "***".into()));
            Value::Object(hidden.collect()).to_string()
        }
        ("isolation.installer_env", _) => "***".to_owned(),
        _ => value.to_string(),
    }
}

/// The values by path.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<&'static str, (Value, Origin)>);

impl Tree {
    fn put(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.0.insert(key.path, (value, origin));
    }

    fn get(&self, path: &str) -> Option<&Value> {
        self.0.get(path).map(|(value, _)| value)
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.get(path)?.as_str().map(str::to_owned)
    }

    pub(crate) fn flag(&self, path: &str) -> Option<bool> {
        self.get(path)?.as_bool()
    }

    pub(crate) fn count(&self, path: &str) -> Option<usize> {
        self.get(path)?.as_u64().and_then(|count| usize::try_from(count).ok())
    }

    pub(crate) fn duration(&self, path: &str) -> Option<Duration> {
        duration(self.get(path)?)
    }

    pub(crate) fn texts(&self, path: &str) -> Vec<String> {
        let list = self.get(path).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(crate) fn names(&self, path: &str) -> BTreeMap<String, String> {
        let map = self.get(path).and_then(Value::as_object);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        map.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    pub(crate) fn problem(&self, path: &str, message: String, hint: &str) -> ConfigProblem {
        let origin = self.0.get(path).map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigProblem { origin, path: path.to_owned(), message, hint: hint.to_owned() }
    }

    pub(crate) fn origins(&self) -> BTreeMap<String, Origin> {
        self.0.iter().map(|(path, (_, origin))| ((*path).to_owned(), origin.clone())).collect()
    }

    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(path, (value, _))| ((*path).to_owned(), shown(path, value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let sources = Sources {
            file: Some((
                "jalm.yaml".into(),
                "listen: 127.0.0.1:1\ndata: /from/file\nlog: { level: debug }\n".into(),
            )),
            environment: text(&[
                ("JALM_LISTEN", "127.0.0.1:2"),
                ("JALM_LIMITS__MAX_CALLS", "7"),
                ("PATH", "/bin"),
            ]),
            flags: text(&[("listen", "127.0.0.1:3")]),
        };
        let config = load(&sources).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.max_calls, 7);
        assert_eq!(config.log_level, "debug");
        assert_eq!(config.store, "sqlite:/from/file/jalm.db");
        assert_eq!(config.origins["data"], Origin::File { name: "jalm.yaml".into(), line: 2 });
        assert_eq!(config.origins["listen"], Origin::Flag("listen".into()));
        assert!(config.policy.private_networks, "the server is local");
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let sources = Sources {
            file: Some((
                "jalm.yaml".into(),
                "lisen: x\nlimits:\n  max_calls: many\nlog:\n  format: xml\n".into(),
            )),
            environment: text(&[("JALM_POLICY__HTPP", "*"), ("JALM_SHUTDOWN__GRACE", "soon")]),
            flags: text(&[("listen", "0.0.0.0:80")]),
        };
        insta::assert_snapshot!(load(&sources).unwrap_err());
    }

    #[test]
    fn a_public_address_needs_a_token() {
        let flags = text(&[("listen", "0.0.0.0:8888")]);
        let open = Sources { flags: flags.clone(), ..Sources::default() };
        assert!(load(&open).unwrap_err().to_string().contains("no token is set"));
        let guarded = Sources { environment: text(&[("JALM_TOKEN", "t0p")]), ..open.clone() };
        let config = load(&guarded).unwrap();
        assert!(!config.policy.private_networks);
        assert_eq!(config.shown["token"], "***");
        let insecure = text(&[("insecure_no_auth", "true")]);
        assert!(load(&Sources { flags: [flags, insecure].concat(), ..Sources::default() }).is_ok());
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let file = Some(("jalm.yaml".to_owned(), "listen: [\n".to_owned()));
        let problems = load(&Sources { file, ..Sources::default() }).unwrap_err().0;
        assert!(matches!(&problems[0].origin, Origin::File { name, .. } if name == "jalm.yaml"));
    }
}
