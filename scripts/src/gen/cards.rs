//! `kernel/step_cards/<atom>.yml`: all that is to be known of one atom.

use super::{File, yaml};
use jalm_layers::{Entry, catalog};
use serde_json::{Value, json};

pub(super) fn make() -> Vec<File> {
    catalog().entries().iter().map(card).collect()
}

fn card(entry: &Entry) -> File {
    let card = entry.card;
    let value = json!({
        "name": card.name,
        "layer": card.layer,
        "summary": card.summary,
        "side_effect": card.effect,
        "retry": card.retry,
        "io_type": card.io,
        "freq": card.frequency,
        "blocker": card.blocker,
        "languages": card.languages,
        "verbatim": card.verbatim,
        "input": without_header(&entry.spec.input_schema),
        "output": without_header(&entry.spec.output_schema),
        "examples": entry.examples,
    });
    let text = format!(
        "# Made from layers/src by `make kernel_cards`; do not edit.\n{}",
        yaml::document(&value)
    );
    File::new(format!("kernel/step_cards/{}.yml", card.name), text)
}

/// A schema without what is the same in all of them.
fn without_header(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(keys) = &mut schema {
        keys.shift_remove("$schema");
        keys.shift_remove("title");
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_reads_back_as_what_it_was_made_from() {
        for (file, entry) in make().iter().zip(catalog().entries()) {
            let card = jalm_kernel::source::parse(&file.text)
                .unwrap_or_else(|problems| panic!("{}: {problems:#?}", file.name))
                .to_value();
            assert_eq!(card["name"], entry.card.name);
            assert_eq!(card["examples"], json!(entry.examples), "{}", file.name);
            assert_eq!(card["input"], without_header(&entry.spec.input_schema), "{}", file.name);
        }
    }
}
