//! What holds for every text.

use crate::good::EVERYTHING;
use jalm_kernel::intent;
use jalm_kernel::source::{self, Data, Node, render};
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

/// Reads and shows; whatever the text is, nothing may panic, every span lies in the text, and a
/// refusal has a reason.
fn survives(text: &str) {
    let (node, problems) = source::read(text);
    for problem in &problems {
        let (start, end) = (problem.span.start as usize, problem.span.end as usize);
        assert!(start <= end && text.get(start..end).is_some(), "{problem:?} of {text:?}");
    }
    assert!(node.is_some() || !problems.is_empty(), "{text:?} is refused without a reason");
    if let Some(node) = node {
        inside(&node, text);
        drop(intent::decode(&node));
    }
    let shown = match intent::read(text) {
        Ok((_, problems)) => render("x", text, &problems, false),
        Err(problems) => render("x", text, &problems, true),
    };
    assert!(!shown.contains('\0'));
}

fn inside(node: &Node, text: &str) {
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    assert!(start <= end && text.get(start..end).is_some(), "{:?} of {text:?}", node.span);
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| inside(item, text)),
        Data::Map(entries) => entries.iter().for_each(|(key, value)| {
            assert!(text.get(key.span.start as usize..key.span.end as usize).is_some());
            inside(value, text);
        }),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter_map("JSON has finite numbers", |x| Number::from_f64(x).map(Value::Number)),
        any::<String>().prop_map(Value::from),
        "[a-z{}: #\"'\\n\\t-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Replaces, removes or doubles a part of a good config.
fn mutated() -> impl Strategy<Value = String> {
    let node = source::parse(EVERYTHING).expect("the example is good");
    let json = node.to_value().to_string();
    let base = prop_oneof![Just(EVERYTHING.to_owned()), Just(json)];
    let piece = prop_oneof![
        any::<String>(),
        "[-{}\\[\\]:,#&*!|>'\"%@`?~ \\t\\n]{1,4}",
        Just("{{ ".to_owned()),
        Just(" }}".to_owned()),
        Just("\n---\n".to_owned()),
        Just("<<: *a".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{1b}[31m".to_owned()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, piece), 1..4);
    (base, edits).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, piece) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn text_of_signs_is_survived(text in "[-a{}\\[\\]:,#&*!|>'\"%@`?~<. é\\t\\n\\r]{0,40}") {
        survives(&text);
        survives(&format!("{{{text}"));
        survives(&format!("a: {text}"));
    }

    #[test]
    fn a_broken_config_is_survived(text in mutated()) {
        survives(&text);
    }

    /// The same value as serde_json reads. Floats are compared with what was written, since
    /// serde_json itself may be off by the last bit.
    #[test]
    fn json_means_what_it_means_elsewhere(value in any_value(), pretty in any::<bool>()) {
        let list = Value::Array(vec![value]);
        let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) };
        let text = text.unwrap();
        let node = source::parse(&text).unwrap();
        prop_assert_eq!(node.to_value(), list);
        inside(&node, &text);
    }

    /// JSON is refused where serde_json refuses it, and only there.
    #[test]
    fn broken_json_is_refused_as_elsewhere(value in any_value(), at in any::<prop::sample::Index>(), piece in "[\\[\\]{}:,\"\\\\0-9eE+.a-]{0,2}", cut in 0..3_usize) {
        let mut chars: Vec<char> = serde_json::to_string(&Value::Array(vec![value])).unwrap().chars().collect();
        let at = at.index(chars.len());
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, piece.chars());
        let text: String = chars.into_iter().collect();
        // Only what still starts like JSON is read as JSON.
        if text.trim_start().starts_with(['{', '[']) {
            let (_, problems) = source::read(&text);
            let refused = problems.iter().any(|problem| problem.code != "repeated_key");
            let elsewhere = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(refused, elsewhere.is_err(), "{}: {:?} {:?}", text, problems, elsewhere);
        }
    }

    /// JSON is YAML too (but for a few control characters): both readers agree.
    #[test]
    fn yaml_reads_json_like_json(value in any_value()) {
        let text = serde_json::to_string_pretty(&Value::Array(vec![value])).unwrap();
        let as_yaml = format!("--- {text}\n");
        let (node, problems) = source::read(&as_yaml);
        // YAML knows fewer characters than JSON, and its keys may be 1024 characters long.
        if problems.is_empty() {
            let node = node.unwrap();
            prop_assert_eq!(node.to_value(), serde_json::from_str::<Value>(&text).unwrap());
            inside(&node, &as_yaml);
        }
    }

    /// Every text in a YAML tree stands where its span says.
    #[test]
    fn yaml_places_are_exact(texts in prop::collection::vec("[a-zé😀ж ]{0,6}", 1..8), comment in "[a-zé]{0,4}") {
        let mut source = "\u{feff}# é\n".to_owned();
        for (index, text) in texts.iter().enumerate() {
            let line = match index % 3 {
                0 => format!("k{index}: '{text}'  # {comment}\n"),
                1 => format!("k{index}: [\"{text}\", x{text}]\n"),
                _ => format!("k{index}:\n  - x{text}   # {comment}\n  - |\n    x{text}\n"),
            };
            source.push_str(&line);
        }
        let node = source::parse(&source).unwrap();
        exact(&node, &source)?;
    }
}

fn exact(node: &Node, source: &str) -> Result<(), TestCaseError> {
    let written = &source[node.span.start as usize..node.span.end as usize];
    match &node.data {
        Data::Text(text) => {
            let plain = written.trim_matches(['\'', '"']);
            prop_assert_eq!(plain.trim_end(), text.trim_end(), "{}", source);
        }
        Data::List(items) => {
            for item in items {
                exact(item, source)?;
            }
        }
        Data::Map(entries) => {
            for (key, value) in entries {
                prop_assert_eq!(&source[key.span.start as usize..key.span.end as usize], &key.text);
                exact(value, source)?;
            }
        }
        Data::Null | Data::Bool(_) | Data::Number(_) => {}
    }
    Ok(())
}
