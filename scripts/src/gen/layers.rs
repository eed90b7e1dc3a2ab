//! `kernel/layers.json`: the six layers, what each is for, and its atoms.

use super::{File, pretty};
use jalm_kernel::atom::Layer;
use jalm_layers::{Card, catalog};
use serde_json::{Value, json};

pub(super) fn make() -> Vec<File> {
    let layers: Vec<Value> = Layer::ALL.into_iter().map(layer).collect();
    let all = json!({
        "total_layers": layers.len(),
        "total_atoms": catalog().entries().len(),
        "layers": layers,
    });
    vec![File::new("kernel/layers.json", pretty(&all))]
}

fn layer(layer: Layer) -> Value {
    let cards: Vec<&Card> = catalog().cards().filter(|card| card.layer == layer).collect();
    let mut languages: Vec<&str> = cards.iter().flat_map(|card| card.languages).copied().collect();
    languages.sort_unstable();
    languages.dedup();
    let atoms = cards.iter().map(|card| {
        json!({
            "name": card.name, "summary": card.summary, "side_effect": card.effect,
            "retry": card.retry, "io_type": card.io, "freq": card.frequency,
            "blocker": card.blocker,
        })
    });
    json!({
        "name": layer.name(),
        "description": layer.about(),
        "default_atom": layer.default_atom(),
        "languages": languages,
        "atoms": atoms.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_atom_stands_in_exactly_one_layer() {
        let files = make();
        let all: Value = serde_json::from_str(&files[0].text).unwrap();
        let layers = all["layers"].as_array().unwrap();
        let atoms: usize =
            layers.iter().map(|layer| layer["atoms"].as_array().unwrap().len()).sum();
        assert_eq!((layers.len(), atoms), (6, catalog().entries().len()));
    }
}
