//! `docs/settings.md`: every setting of the runner.

use super::{File, table};
use jalm_cfg::{KEYS, Key};

const INTRO: &str =
    "<!-- Made from cfg/src/keys.rs by `cargo xtask gen --only settings`; do not edit. -->

# Settings

Each setting has a default. A config file (`--config FILE` or `JALM_CONFIG`, YAML or JSON) goes over
the defaults, the environment goes over the file, and flags go over the environment. A setting that
does not exist or does not fit is refused at the start, all of them at once. `jalm config show
--origin` prints every value and where it came from.

In a file, the parts of a name are levels:

```yaml
listen: 127.0.0.1:8888
policy:
  http: [\"https://api.example.com/*\"]
```

In the environment, a setting is `JALM_` and its name in capitals, with `__` for the dot. Lists are
written with commas or as JSON, maps as JSON.

";

pub(super) fn make() -> Vec<File> {
    let rows: Vec<Vec<String>> = KEYS.iter().map(row).collect();
    let header = ["setting", "in the environment", "takes", "default", "what it is for"];
    let text = format!("{INTRO}{}", table(&header, &rows));
    vec![File::new("docs/settings.md", text)]
}

fn row(key: &Key) -> Vec<String> {
    let default = match key.default {
        "" => "–".to_owned(),
        default => format!("`{default}`"),
    };
    vec![
        format!("`{}`", key.path),
        format!("`{}`", variable(key.path)),
        key.kind.expected(),
        default,
        key.about.to_owned(),
    ]
}

/// The variable that people would look for; `log.level` has a short name of its own.
fn variable(path: &str) -> String {
    match path {
        "log.level" => "JALM_LOG".to_owned(),
        path => format!("JALM_{}", path.replace('.', "__").to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page must not promise variables that the loader does not know.
    #[test]
    fn every_variable_on_the_page_sets_its_setting() {
        for key in KEYS {
            let value = match key.kind {
                jalm_cfg::Kind::Text if key.path == "listen" => "127.0.0.1:1",
                jalm_cfg::Kind::Text | jalm_cfg::Kind::Texts => "x",
                jalm_cfg::Kind::Flag => "true",
                jalm_cfg::Kind::Count | jalm_cfg::Kind::Number => "7",
                jalm_cfg::Kind::Duration => "7s",
                jalm_cfg::Kind::Names => "{}",
                jalm_cfg::Kind::Choice(words) => words[0],
            };
            let name = variable(key.path);
            let sources = jalm_cfg::Sources {
                environment: vec![(name.clone(), value.to_owned())],
                ..jalm_cfg::Sources::default()
            };
            let config = jalm_cfg::load(&sources).unwrap_or_else(|error| panic!("{name}: {error}"));
            let origin = config.origins.get(key.path);
            assert_eq!(origin, Some(&jalm_cfg::Origin::Environment(name)), "{}", key.path);
        }
    }
}
