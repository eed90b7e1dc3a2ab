use super::*;
use serde_json::json;

fn options() -> Options {
    Options { depth: 100, repeated: Repeated::Refuse, large: Large::Text }
}

fn read(text: &str) -> Result<Value, Fault> {
    Reader::new(text, options()).only_value()
}

#[test]
fn what_is_json_reads_as_the_general_reader_reads_it() {
    for text in [
        "null",
        " true ",
        "[1,2.5,-3,1e3,-0,0.1]",
        r#"{"a":{"b":[{}]},"c":"\u00e9\n\ud83d\ude00\/"}"#,
        "18446744073709551615",
        "-9223372036854775808",
        "1.7976931348623157e308",
        "5e-324",
        "[]",
        "\"\"",
    ] {
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused_at_its_place() {
    for (text, place, part) in [
        ("", (1, 1), "no value"),
        ("{\n  'a': 1}", (2, 3), "key in double quotes"),
        ("[1,]", (1, 4), "a value is expected"),
        ("[1 2]", (1, 4), "`,` or `]`"),
        ("{\"a\" 1}", (1, 6), "`:`"),
        ("{\"a\":1,}", (1, 8), "key in double quotes"),
        ("\"abc", (1, 1), "no closing quote"),
        ("\"a\nb\"", (1, 3), "must be escaped"),
        ("\"\\x\"", (1, 2), "no such escape"),
        ("\"\\ud800\"", (1, 2), "surrogate"),
        ("\"\\ud800\\u0041\"", (1, 2), "surrogate"),
        ("\"\\udc00\"", (1, 2), "surrogate"),
        ("\"\\u00g0\"", (1, 2), "four hex digits"),
        ("\"\\u00é\"", (1, 2), "four hex digits"),
        ("01", (1, 1), "start with `0`"),
        ("-", (1, 2), "digit"),
        ("1.", (1, 3), "digit"),
        ("1e", (1, 3), "digit"),
        (".5", (1, 1), "a value"),
        ("NaN", (1, 1), "a value"),
        ("truefalse", (1, 5), "a space"),
        ("1 2", (1, 3), "something follows"),
        ("\u{feff}1", (1, 1), "a value"),
        ("\"\\", (1, 2), "no such escape"),
    ] {
        let fault = read(text).unwrap_err();
        assert_eq!(fault.code, "not_json", "{text}");
        assert!(fault.message.contains(part), "{text}: {}", fault.message);
        assert_eq!((fault.line, fault.column), (Some(place.0), Some(place.1)), "{text}: {fault:?}");
    }
}

#[test]
fn keys_that_stand_twice_follow_the_policy() {
    let text = r#"{"a":1,"b":0,"a":[2],"a":3}"#;
    let with = |repeated| Reader::new(text, Options { repeated, ..options() }).only_value();
    let fault = with(Repeated::Refuse).unwrap_err();
    assert_eq!((fault.code, fault.column), ("repeated_key", Some(14)));
    assert_eq!(with(Repeated::First).unwrap(), json!({ "a": 1, "b": 0 }));
    assert_eq!(with(Repeated::Last).unwrap(), json!({ "a": 3, "b": 0 }));
    assert_eq!(with(Repeated::Collect).unwrap(), json!({ "a": [1, [2], 3], "b": 0 }));
}

#[test]
fn no_digit_is_lost_unless_the_author_wants_it() {
    let with = |text, large| Reader::new(text, Options { large, ..options() }).only_value();
    for text in ["18446744073709551616", "-9223372036854775809", "0.1234567890123456789", "1e999"] {
        assert_eq!(with(text, Large::Text).unwrap(), json!(text));
        assert_eq!(with(text, Large::Refuse).unwrap_err().code, "number_out_of_range");
    }
    assert_eq!(
        with("18446744073709551616", Large::Nearest).unwrap(),
        json!(18_446_744_073_709_551_616.0)
    );
    assert_eq!(with("1e999", Large::Nearest).unwrap_err().code, "number_out_of_range");
    assert_eq!(with("1000000000000000000000.0", Large::Text).unwrap(), json!(1e21));
}

#[test]
fn depth_is_bounded() {
    let text = "[".repeat(200_000);
    assert_eq!(read(&text).unwrap_err().code, "too_deep");
    let text = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(read(&text).is_ok());
}

#[test]
fn values_come_one_after_the_other() {
    let mut reader = Reader::new("{\"a\":1}{\"a\":2}\n\n[3] 4 \"x\"null", options());
    let mut values = Vec::new();
    while let Some(value) = reader.next_value().unwrap() {
        values.push(value);
    }
    assert_eq!(
        values,
        [json!({"a":1}), json!({"a":2}), json!([3]), json!(4), json!("x"), json!(null)]
    );
}
