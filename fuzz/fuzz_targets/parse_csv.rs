//! A table from outside: the first byte chooses the dialect.
#![no_main]
#[path = "../../layers/src/parse/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the target needs one parser of the folder")]
mod parse;

use parse::csv::{Dialect, Kind, Reader, Typing, delimiter};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let Ok(text) = parse::encoding::decode(bytes, None, false) else { return };
    let dialect = Dialect {
        delimiter: if choice & 1 == 0 { ',' } else { '\t' },
        quote: (choice & 2 == 0).then_some('"'),
        escape: (choice & 4 != 0).then_some('\\'),
        comment: (choice & 8 != 0).then_some('#'),
        trim: choice & 16 != 0,
    };
    let found = delimiter(&text, usize::from(choice >> 5), dialect);
    let typing = Typing { nulls: vec!["NULL".to_owned()], decimal: if choice & 32 == 0 { '.' } else { ',' } };
    let mut reader = Reader::new(&text, Dialect { delimiter: found, ..dialect });
    let (mut ends, mut line) = (0_usize, 0);
    loop {
        match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => {
                assert!(record.line > line && !record.fields.is_empty(), "a record stands still");
                line = record.line;
                for field in record.fields {
                    for kind in [Kind::Text, Kind::Integer, Kind::Number, Kind::Boolean, Kind::Json, Kind::Guess] {
                        let _ = typing.value(field.clone(), kind);
                    }
                }
            }
            Err(fault) => assert!(fault.line.is_some() && fault.record.is_some()),
        }
        ends += 1;
        assert!(ends <= text.len() + 1, "reading does not end");
    }
});
