//! `docs/atoms/`: a page for each atom, and a list of them.

use super::{File, shape, table, yaml};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_layers::{Blocker, Card, Entry, Example, IoType, Setup, catalog};
use serde_json::{Value, json};
use std::fmt::Write;

const MADE: &str =
    "<!-- Made from layers/src by `cargo xtask gen --only atoms`; do not edit. -->\n\n";

pub(super) fn make() -> Vec<File> {
    let pages = catalog().entries().iter().map(page);
    std::iter::once(list()).chain(pages).collect()
}

fn list() -> File {
    let mut text = format!(
        "{MADE}# Atoms\n\nAn atom is one action of a layer. A step names it as `atom: NAME`; a step \
         that names only a `layer` gets the layer's default atom. `jalm atoms NAME` shows the same \
         as these pages.\n"
    );
    for layer in Layer::ALL {
        let _ = write!(
            text,
            "\n## {layer}\n\n{} Default atom: `{}`.\n\n",
            layer.about(),
            layer.default_atom()
        );
        let rows: Vec<Vec<String>> = catalog()
            .cards()
            .filter(|card| card.layer == layer)
            .map(|card| {
                vec![
                    format!("[`{0}`]({0}.md)", card.name),
                    effect(card.effect).to_owned(),
                    card.summary.to_owned(),
                ]
            })
            .collect();
        text.push_str(&table(&["atom", "effect", "what it does"], &rows));
    }
    File::new("docs/atoms/README.md", text)
}

fn page(entry: &Entry) -> File {
    let card = entry.card;
    let mut text = format!("{MADE}# `{}`\n\n{}\n\n{}", card.name, card.summary, facts(card));
    for (title, schema) in
        [("Input", &entry.spec.input_schema), ("Output", &entry.spec.output_schema)]
    {
        let about = schema["description"].as_str().unwrap_or_default();
        let _ = write!(text, "\n## {title}\n\n{about}\n\n{}", shape::tables(schema));
        if title == "Input" {
            text.push_str(&verbatim(card));
        }
    }
    text.push_str("\n## Examples\n");
    for example in &entry.examples {
        text.push_str(&show(card, example));
    }
    text.push_str("\n[All atoms](README.md)\n");
    File::new(format!("docs/atoms/{}.md", card.name), text)
}

fn facts(card: &Card) -> String {
    let languages = match card.languages {
        [] => "–".to_owned(),
        languages => languages.join(", "),
    };
    let rows = [
        ("layer", card.layer.to_string()),
        ("effect", format!("{} {}", effect(card.effect), effect_means(card.effect))),
        ("after a crash", retry(card.retry).to_owned()),
        ("works with", io(card.io).to_owned()),
        ("can wait for", blocker(card.blocker).to_owned()),
        ("languages", languages),
    ];
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&["", ""], &rows)
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "none",
        Effect::Read => "read",
        Effect::Write => "write",
    }
}

fn effect_means(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "(touches nothing outside)",
        Effect::Read => "(looks, changes nothing)",
        Effect::Write => {
            "(at most; it starts only when everything before it is durable, unless its input only reads)"
        }
    }
}

fn retry(retry: RetrySafety) -> &'static str {
    match retry {
        RetrySafety::Safe => "a call whose answer was lost runs again",
        RetrySafety::WithKey => {
            "a call whose answer was lost runs again under the same idempotency key"
        }
        RetrySafety::Never => "a call whose answer was lost ends as `outcome_unknown`",
    }
}

fn io(io: IoType) -> &'static str {
    match io {
        IoType::Network => "the network",
        IoType::Disk => "the disk",
        IoType::Memory => "memory",
        IoType::Cpu => "the processor",
    }
}

fn blocker(blocker: Blocker) -> &'static str {
    match blocker {
        Blocker::None => "nothing",
        Blocker::Network => "a service at the other end",
        Blocker::Disk => "the disk",
        Blocker::Isolate => "a free isolate, and the code in it",
    }
}

fn verbatim(card: &Card) -> String {
    if card.verbatim.is_empty() {
        return String::new();
    }
    let keys: Vec<String> = card.verbatim.iter().map(|key| format!("`{key}`")).collect();
    format!(
        "\nThe text of {} is taken as written: `{{{{ … }}}}` in it is not an expression of the intent.\n",
        keys.join(" and ")
    )
}

fn show(card: &Card, example: &Example) -> String {
    let id = card.name.rsplit('_').next().unwrap_or(card.name);
    let step = json!([{ "id": id, "atom": card.name, "input": example.input }]);
    let mut out = format!("\n### {}\n\n", example.title);
    for setup in &example.setup {
        let _ = writeln!(out, "{}\n", before(setup));
    }
    let _ = write!(
        out,
        "```yaml\n{}```\n\nIts output has:\n\n```yaml\n{}```\n",
        yaml::document(&step),
        yaml::document(&example.expect)
    );
    out
}

/// What must be there before.
fn before(setup: &Setup) -> String {
    let json = |value: &Value| format!("`{value}`");
    match setup {
        Setup::File { path, content } => {
            format!("Before: file `{path}` holds {}.", json(&Value::from(*content)))
        }
        Setup::Sql { connection, statements } => {
            format!("Before, on connection `{connection}`: `{}`.", statements.join("; "))
        }
        Setup::Cache { key, value } => {
            format!("Before: the cache has {} under `{key}`.", json(value))
        }
        Setup::Http { method, path, status, body } => format!(
            "Before: `https://api.example.com` answers `{method} {path}` with {status} and {}.",
            json(body)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_shows_examples_that_read_as_yaml() {
        for file in make() {
            let blocks: Vec<&str> = file.text.split("```yaml\n").skip(1).collect();
            assert_eq!(blocks.is_empty(), file.name.ends_with("README.md"), "{}", file.name);
            for block in blocks {
                let code = block.split("```\n").next().unwrap();
                jalm_kernel::source::parse(code)
                    .unwrap_or_else(|problems| panic!("{}: {code}\n{problems:#?}", file.name));
            }
        }
    }
}
