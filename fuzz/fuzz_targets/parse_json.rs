//! JSON from outside: what the general reader takes is the same here, and what it refuses is not
//! taken here either.
#![no_main]
#[path = "../../layers/src/parse/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the target needs one parser of the folder")]
mod parse;

use parse::json::{Large, Options, Reader, Repeated};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let options = |repeated, large| Options { depth: 100, repeated, large };
    let ours = Reader::new(text, options(Repeated::Last, Large::Nearest)).only_value();
    let theirs = serde_json::from_str::<Value>(text);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Ok(_), Err(error)) => panic!("taken here only: {error}"),
        // Depth and numbers beyond a double are refused earlier here.
        (Err(fault), Ok(_)) => assert!(matches!(fault.code, "too_deep" | "number_out_of_range"), "{fault:?}"),
        (Err(fault), Err(_)) => assert!(fault.line.is_some() && fault.column.is_some()),
    }
    for repeated in [Repeated::Refuse, Repeated::First, Repeated::Collect] {
        let mut reader = Reader::new(text, options(repeated, Large::Text));
        let mut values = 0;
        while let Ok(Some(_)) = reader.next_value() {
            values += 1;
            assert!(values <= text.len(), "reading does not end");
        }
    }
});
