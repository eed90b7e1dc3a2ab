//! The list of all atoms.

use crate::atom::{Card, Entry};
use crate::{compute_script, io_db, io_file, io_http, notify_mq, render_html};
use jalm_kernel::atom::{AtomSpec, Catalog, Layer};
use std::sync::OnceLock;

/// A layer's atoms, in the order in which they are shown; the default atom first.
pub(crate) type LayerList = &'static [fn() -> Entry];

/// A new layer is one folder and one line here.
const LAYERS: [(Layer, LayerList); 6] = [
    (Layer::IoHttp, io_http::ATOMS),
    (Layer::IoDb, io_db::ATOMS),
    (Layer::IoFile, io_file::ATOMS),
    (Layer::ComputeScript, compute_script::ATOMS),
    (Layer::RenderHtml, render_html::ATOMS),
    (Layer::NotifyMq, notify_mq::ATOMS),
];

/// All atoms with their cards, schemas and examples.
pub struct AtomCatalog {
    /// In the order of the layers and of their lists.
    entries: Vec<Entry>,
}

/// The catalogue of this build. Schemas are made at the first call.
pub fn catalog() -> &'static AtomCatalog {
    static CATALOG: OnceLock<AtomCatalog> = OnceLock::new();
    CATALOG.get_or_init(|| AtomCatalog {
        entries: LAYERS.iter().flat_map(|(_, atoms)| atoms.iter().map(|entry| entry())).collect(),
    })
}

impl AtomCatalog {
    /// All entries, layer by layer.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        // A few dozen short names: comparing them costs less than hashing would.
        self.entries.iter().find(|entry| entry.card.name == name)
    }

    /// The cards, layer by layer.
    pub fn cards(&self) -> impl Iterator<Item = &'static Card> + '_ {
        self.entries.iter().map(|entry| entry.card)
    }
}

impl Catalog for AtomCatalog {
    fn atom(&self, name: &str) -> Option<&AtomSpec> {
        self.entry(name).map(|entry| &entry.spec)
    }

    fn names(&self) -> Vec<&'static str> {
        self.cards().map(|card| card.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_of_a_layer_is_in_its_list_and_the_other_way_round() {
        for (layer, atoms) in LAYERS {
            let folder = layer.name().replace('-', "_");
            let path = format!("{}/src/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files: BTreeSet<String> = std::fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().into())
                .filter(|name: &String| name != "mod")
                .collect();
            let listed: BTreeSet<String> =
                atoms.iter().map(|entry| entry().card.name.to_owned()).collect();
            assert_eq!(files, listed, "files and list of {folder} differ");
        }
    }

    #[test]
    fn every_layer_starts_with_its_default_atom_and_holds_only_its_own() {
        for (layer, atoms) in LAYERS {
            assert_eq!(atoms[0]().card.name, layer.default_atom());
            for entry in atoms {
                assert_eq!(entry().card.layer, layer, "{}", entry().card.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_every_atom_documents_itself() {
        let mut seen = BTreeSet::new();
        for entry in catalog().entries() {
            let name = entry.card.name;
            assert!(seen.insert(name), "`{name}` is listed twice");
            assert!(!entry.examples.is_empty(), "`{name}` has no example");
            assert!(entry.card.summary.ends_with('.'), "the summary of `{name}` is a sentence");
            for schema in [&entry.spec.input_schema, &entry.spec.output_schema] {
                let properties = schema["properties"].as_object();
                for (key, property) in properties.into_iter().flatten() {
                    assert!(property.get("description").is_some(), "`{name}`: `{key}` has no doc");
                }
            }
            for key in entry.card.verbatim {
                assert!(entry.spec.input_schema["properties"].get(key).is_some(), "{name}: {key}");
            }
        }
    }
}
