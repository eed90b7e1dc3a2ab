//! `jalm atoms`: what steps can do.

use crate::args::Atoms;
use crate::print::{self, Error};
use jalm_kernel::atom::{Catalog, Effect, RetrySafety};
use jalm_kernel::source::closest;
use jalm_layers::{Entry, catalog};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &Atoms) -> Result<ExitCode, Error> {
    let Some(name) = &args.name else {
        print::out(list(args.json));
        return Ok(ExitCode::SUCCESS);
    };
    let entry = catalog().entry(name).ok_or_else(|| {
        let hint = match closest(name, catalog().names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "`jalm atoms` lists them".to_owned(),
        };
        Error::usage(format!("there is no atom `{name}`")).hint(hint)
    })?;
    print::out(if args.json { format!("{:#}", card(entry)) } else { explain(entry) });
    Ok(ExitCode::SUCCESS)
}

fn list(as_json: bool) -> String {
    if as_json {
        return format!("{:#}", Value::Array(catalog().entries().iter().map(card).collect()));
    }
    let header = ["layer", "atom", "effect", "what it does"].map(str::to_owned).to_vec();
    let rows = catalog().entries().iter().map(|entry| {
        let card = entry.card;
        [card.layer.name(), card.name, effect(card.effect), card.summary]
            .map(str::to_owned)
            .to_vec()
    });
    print::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), None)
}

fn card(entry: &Entry) -> Value {
    json!({
        "card": entry.card,
        "input": entry.spec.input_schema,
        "output": entry.spec.output_schema,
        "examples": entry.examples,
    })
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "none",
        Effect::Read => "reads",
        Effect::Write => "writes",
    }
}

fn explain(entry: &Entry) -> String {
    let card = entry.card;
    let after_a_crash = match card.retry {
        RetrySafety::Safe => "runs again",
        RetrySafety::WithKey => "runs again under the same idempotency key",
        RetrySafety::Never => "ends as outcome_unknown",
    };
    let mut text = format!(
        "{} ({})\n{}\n\neffect: {}; if the runner stops during a call, it {after_a_crash}\n\ninput:\n",
        card.name,
        card.layer,
        card.summary,
        effect(card.effect),
    );
    text.push_str(&fields(&entry.spec.input_schema));
    text.push_str("\noutput:\n");
    text.push_str(&fields(&entry.spec.output_schema));
    for example in &entry.examples {
        let step = json!({ "id": "example", "atom": card.name, "input": example.input });
        let _ = write!(text, "\nexample: {}\n{step:#}\n", example.title);
    }
    text.trim_end().to_owned()
}

fn fields(schema: &Value) -> String {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else {
        return "  any value\n".to_owned();
    };
    let rows: Vec<Vec<String>> = properties
        .iter()
        .map(|(name, property)| {
            let kind = kind(schema, property);
            let must = if required.contains(&name.as_str()) {
                "required".to_owned()
            } else {
                property
                    .get("default")
                    .map_or_else(String::new, |default| format!("default {default}"))
            };
            let about = property["description"].as_str().unwrap_or_default().replace('\n', " ");
            vec![format!("  {name}"), kind, must, about]
        })
        .collect();
    format!("{}\n", print::table(&rows, None))
}

/// `text`, `list of text`, `one of a, b`.
fn kind(root: &Value, property: &Value) -> String {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return kind(root, &root["$defs"][name]);
    }
    if let Some(choices) = property["enum"].as_array() {
        let words: Vec<String> = choices.iter().map(ToString::to_string).collect();
        return words.join("|");
    }
    let several = property["anyOf"].as_array().or_else(|| property["oneOf"].as_array());
    if let Some(several) = several {
        let mut kinds: Vec<String> =
            several.iter().map(|one| kind(root, one)).filter(|kind| kind != "null").collect();
        kinds.dedup();
        return kinds.join("|");
    }
    if let Some(fixed) = property.get("const") {
        return fixed.to_string();
    }
    match &property["type"] {
        Value::String(name) if name == "array" => {
            format!("list of {}", kind(root, &property["items"]))
        }
        Value::String(name) => name.replace("string", "text").replace("object", "map"),
        Value::Array(names) => {
            let names: Vec<&str> =
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            names.join("|").replace("string", "text").replace("object", "map")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".to_owned(),
    }
}
