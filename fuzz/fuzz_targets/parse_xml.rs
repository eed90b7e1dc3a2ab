//! An XML document from outside, in every shape that it can be given in.
#![no_main]
#[path = "../../layers/src/parse/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the target needs one parser of the folder")]
mod parse;

use parse::xml::{Namespaces, Options, Shape};

const NODES: usize = 10_000;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = parse::encoding::decode(bytes, None, true) else { return };
    for (namespaces, shape) in [
        (Namespaces::Keep, Shape::Object),
        (Namespaces::Strip, Shape::Tree),
        (Namespaces::Expand, Shape::Object),
    ] {
        let options = Options {
            namespaces,
            shape,
            trim: shape == Shape::Object,
            attribute_prefix: "@".to_owned(),
            text_key: "#text".to_owned(),
            lists: vec![vec!["a".to_owned()], vec!["*".to_owned(), "b".to_owned()]],
            depth: 40,
            nodes: NODES,
        };
        match parse::xml::parse(&text, &options) {
            Ok(parsed) => {
                assert!(parsed.nodes >= 1 && parsed.nodes <= NODES, "a bound was passed");
                assert!(!text.contains("<!DOCTYPE") || text.contains("<!--") || text.contains("<![CDATA[") || text.contains("<?"), "a document type was read");
                let json = serde_json::to_string(&parsed.value).unwrap();
                assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "nested too deeply to be passed on");
            }
            Err(fault) => assert!(!fault.message.is_empty() && !fault.hint.is_empty()),
        }
    }
});
