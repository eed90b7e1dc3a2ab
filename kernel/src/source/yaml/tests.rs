use super::read;
use crate::source::{Data, MAX_DEPTH, Node, Problem};
use serde_json::{Value, json};

fn tree(text: &str) -> Node {
    let (node, problems) = read(text);
    assert_eq!(problems, [], "{text}");
    node.unwrap()
}

fn value(text: &str) -> Value {
    tree(text).to_value()
}

fn problems(text: &str) -> Vec<Problem> {
    let (_, problems) = read(text);
    assert!(!problems.is_empty(), "{text} is taken for good");
    problems
}

fn only(text: &str) -> Problem {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

fn at(text: &str, node: &Node) -> String {
    text[node.span.start as usize..node.span.end as usize].to_owned()
}

#[test]
fn collections_and_texts_are_read() {
    let text = "a: [1, {b: c}]\nd:\n  - 'it''s'\n  - \"x\\n\\u00e9\"\n  - |\n    one\n    two\n  - >-\n    three\n    four\n";
    let expected = json!({"a": [1, {"b": "c"}], "d": ["it's", "x\né", "one\ntwo\n", "three four"]});
    assert_eq!(value(text), expected);
}

#[test]
fn quoted_words_are_text_and_bare_ones_are_not() {
    assert_eq!(value("['1', \"true\", 1, true, ~]"), json!(["1", "true", 1, true, null]));
    assert_eq!(
        value("[!!str 1, ! true, !!int \"2\", !!float 3]").to_string(),
        r#"["1","true",2,3]"#
    );
}

#[test]
fn an_empty_text_is_nothing() {
    for text in ["", "\n", "# only a comment\n", "---\n", "\u{feff}"] {
        assert_eq!(value(text), Value::Null, "{text:?}");
    }
}

#[test]
fn places_are_bytes_of_the_source() {
    let text = "\u{feff}ключ: 'знач'  # c\nlist:\n  - \"é😀\"   \n  - b c  # d\nflow: [x, {y: 1}]  # e\nnone:\nblock: |\n  ü\n  v\n\nlast: &a !!str z\n";
    let node = tree(text);
    let get = |key: &str| node.get(key).unwrap();
    assert_eq!(at(text, get("ключ")), "'знач'");
    let Data::List(items) = &get("list").data else { panic!() };
    assert_eq!([at(text, &items[0]), at(text, &items[1])], ["\"é😀\"", "b c"]);
    assert_eq!(at(text, get("list")), "- \"é😀\"   \n  - b c");
    assert_eq!(at(text, get("flow")), "[x, {y: 1}]");
    assert_eq!(at(text, get("none")), "");
    assert_eq!(at(text, get("block")), "ü\n  v");
    assert_eq!(at(text, get("last")), "&a !!str z");
    let Data::Map(entries) = &node.data else { panic!() };
    let keys: Vec<&str> = entries
        .iter()
        .map(|(key, _)| &text[key.span.start as usize..key.span.end as usize])
        .collect();
    assert_eq!(keys, ["ключ", "list", "flow", "none", "block", "last"]);
}

#[test]
fn aliases_repeat_and_merges_add() {
    let text =
        "base: &b {x: 1, y: 2}\nsame: *b\nmore:\n  <<: *b\n  y: 3\nboth: {<<: [{z: 1}, *b]}\n";
    let base = json!({"x": 1, "y": 2});
    assert_eq!(
        value(text),
        json!({"base": base, "same": base, "more": {"y": 3, "x": 1}, "both": {"z": 1, "x": 1, "y": 2}})
    );
    assert_eq!(value("{'<<': 1}"), json!({"<<": 1}));
    assert_eq!(only("a:\n  <<: 1\n").code, "wrong_type");
}

#[test]
fn aliases_cannot_blow_up() {
    let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for i in 1..20 {
        let line = format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
        text.push_str(&line);
    }
    assert_eq!(problems(&text)[0].code, "too_many_aliases");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), vec!["*a"; 1000].join(", "));
    assert_eq!(problems(&long)[0].code, "too_many_aliases");
    assert_eq!(only("a: &a [1, *a]\n").code, "alias_of_itself");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| "x: ".to_owned() + &"[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(read(&nested(MAX_DEPTH - 1)).1, []);
    assert_eq!(only(&nested(MAX_DEPTH)).code, "too_deep");
    assert_eq!(only(&"- ".repeat(100_000)).code, "too_deep");
    assert_eq!(only(&format!("x: {}", "[".repeat(500_000))).code, "too_deep");
}

#[test]
fn what_a_config_has_no_use_for_is_refused() {
    for (text, code) in [
        ("a: 1\n---\nb: 2\n", "several_documents"),
        ("1: x\n", "key_not_text"),
        ("true: x\n", "key_not_text"),
        ("? [a]\n: x\n", "key_not_text"),
        (": x\n", "key_not_text"),
        ("a: !mine x\n", "unknown_tag"),
        ("a: !mine [x]\n", "unknown_tag"),
        ("a: !!int x\n", "wrong_type"),
        ("a: .inf\n", "number_out_of_range"),
        ("a: x\0b: y\n", "control_character"),
        ("a: \u{1b}[2J\n", "control_character"),
        ("a: 1\nb: 2\na: 3\n", "repeated_key"),
    ] {
        assert_eq!(only(text).code, code, "{text:?}");
    }
}

#[test]
fn a_bare_expression_is_explained_and_read_as_text() {
    let text = "when: {{ a.b == 'x' }}\nok: 1\n";
    let (node, problems) = read(text);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, "expression_not_quoted");
    assert_eq!(node.unwrap().to_value(), json!({"when": "{{ a.b == 'x' }}", "ok": 1}));
    for text in [
        "a: {{ x[0] }}\n",
        "a: {{ x }} and more\n",
        "a:\n  - {{ f(x, \"y\") }}\n",
        "a: {{ x | default('y') }}\n",
        "a: [1, {{ x['y'] }}]\n",
        "a: {{ x }} # why\nb: 1\n",
        "a: {{ x ? y : z }}\n",
    ] {
        let problem = only(text);
        assert_eq!(problem.code, "expression_not_quoted", "{text} {problem:?}");
        assert!(text[problem.span.start as usize..].starts_with("{{"), "{text}");
    }
}

#[test]
fn usual_slips_are_named() {
    for (text, part) in [
        ("a:\n\tb: 1\n", "tab"),
        ("intent: x\nversion:1.0\nsteps:\n", "no space stands behind `version:`"),
        ("a: b: c\n", "holds a colon and a space"),
        ("a: Sales: May\nb: 1\n", "holds a colon and a space"),
        ("a: [1, 2\n", "`[` is not closed"),
        ("a: {b: 1\n", "`{` is not closed"),
        ("a: \"x\n", "never closed"),
        ("a: 'it's'\n", "something follows a quoted text"),
        ("a: \"\\d\"\n", "escape"),
        ("cron: * * * * *\n", "without a name"),
        ("a: *missing\n", "anchor that is not there"),
        ("a: @x\n", "can not start with `@`"),
        ("a: %x\n", "can not start with `%`"),
        ("a:\n  - b\n c: d\n", "does not fit the lines above"),
        ("- a\nb: c\n", "no entry of the list"),
        ("a: - b\n", "list starts on the line of its key"),
        ("a: }\n", "never opened"),
        ("a: |x\n", "follows a `|`"),
    ] {
        let problem = only(text);
        assert!(problem.message.contains(part), "{text:?}: {problem:?}");
        assert_eq!(problem.code, "syntax", "{text:?}");
    }
}
