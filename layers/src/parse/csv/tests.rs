use super::*;
use serde_json::{Value, json};

fn dialect() -> Dialect {
    Dialect { delimiter: ',', quote: Some('"'), escape: None, comment: None, trim: false }
}

fn rows(text: &str, dialect: Dialect) -> Result<Vec<Vec<String>>, Fault> {
    let mut reader = Reader::new(text, dialect);
    let mut rows = Vec::new();
    while let Some(record) = reader.next_record()? {
        rows.push(record.fields.into_iter().map(|field| field.text).collect());
    }
    Ok(rows)
}

#[test]
fn dialects_are_read_as_they_are_written() {
    let tab = Dialect { delimiter: '\t', quote: None, ..dialect() };
    let escaped = Dialect { escape: Some('\\'), ..dialect() };
    let tidy = Dialect { trim: true, comment: Some('#'), ..dialect() };
    let cases: &[(&str, Dialect, &[&[&str]])] = &[
        ("a,b\n1,2\n", dialect(), &[&["a", "b"], &["1", "2"]]),
        ("a,b\r\n1,2", dialect(), &[&["a", "b"], &["1", "2"]]),
        ("a\rb", dialect(), &[&["a"], &["b"]]),
        ("\"x,y\",\"say \"\"hi\"\"\",\"\"\n", dialect(), &[&["x,y", "say \"hi\"", ""]]),
        ("\"two\r\nlines\",z", dialect(), &[&["two\r\nlines", "z"]]),
        ("a,,\n\n,b,", dialect(), &[&["a", "", ""], &["", "b", ""]]),
        ("\"a\tb\"\tc\"d", tab, &[&["\"a", "b\"", "c\"d"]]),
        ("\"a\\\"b\",c\\,d", escaped, &[&["a\"b", "c,d"]]),
        ("# note\n a , \"b \" , c \n", tidy, &[&["a", "b ", "c"]]),
        ("a\"b,c", dialect(), &[&["a\"b", "c"]]),
        ("é¦ü", Dialect { delimiter: '¦', ..dialect() }, &[&["é", "ü"]]),
        ("", dialect(), &[]),
    ];
    for (text, dialect, expected) in cases {
        assert_eq!(rows(text, *dialect).unwrap(), *expected, "{text:?}");
    }
}

#[test]
fn a_fault_knows_its_record_and_line_and_reading_goes_on_behind_it() {
    let mut reader = Reader::new("a,b\n\"x\ny\",2\n\"z\"w,3\n4,5\n\"open,6\n7,8\n", dialect());
    let mut seen = Vec::new();
    loop {
        match reader.next_record() {
            Ok(Some(record)) => seen.push(format!("{} {}", record.line, record.fields[0].text)),
            Ok(None) => break,
            Err(fault) => {
                assert_eq!(fault.code, "not_csv");
                seen.push(format!("{:?} {:?}", fault.record.unwrap(), fault.line.unwrap()));
            }
        }
    }
    assert_eq!(seen, ["1 a", "2 x\ny", "3 4", "5 4", "5 6", "7 7"]);
}

#[test]
fn the_delimiter_is_found_by_what_it_does() {
    for (text, expected) in [
        ("a,b,c\n1,2,3\n", ','),
        ("a;b;c\n1,5;2,5;3\n", ';'),
        ("a\tb\n1\t2\n", '\t'),
        ("a|b|c\n1|2|3", '|'),
        ("\"a;b\",c\n\"1;2\",3\n", ','),
        ("lonely\ncolumn\n", ','),
        ("", ','),
    ] {
        assert_eq!(delimiter(text, 0, dialect()), expected, "{text:?}");
    }
    assert_eq!(delimiter("Report, made today\na;b\n1;2\n", 1, dialect()), ';');
}

#[test]
fn fields_become_values_of_their_column() {
    let typing = Typing { nulls: vec!["NULL".to_owned()], decimal: '.' };
    let plain = |text: &str| Field { text: text.to_owned(), quoted: false };
    for (text, kind, expected) in [
        ("12", Kind::Integer, json!(12)),
        ("+12", Kind::Integer, json!(12)),
        ("18446744073709551615", Kind::Integer, json!(18_446_744_073_709_551_615_u64)),
        ("1.5", Kind::Number, json!(1.5)),
        ("1e3", Kind::Number, json!(1000.0)),
        ("3", Kind::Number, json!(3)),
        ("Yes", Kind::Boolean, json!(true)),
        ("0", Kind::Boolean, json!(false)),
        ("[1]", Kind::Json, json!([1])),
        ("", Kind::Number, Value::Null),
        ("", Kind::Text, json!("")),
        ("NULL", Kind::Text, Value::Null),
        ("12", Kind::Guess, json!(12)),
        ("-1.5", Kind::Guess, json!(-1.5)),
        ("007", Kind::Guess, json!("007")),
        ("0.5", Kind::Guess, json!(0.5)),
        ("true", Kind::Guess, json!(true)),
        ("nan", Kind::Guess, json!("nan")),
        ("2026-11-24", Kind::Guess, json!("2026-11-24")),
    ] {
        assert_eq!(typing.value(plain(text), kind).unwrap(), expected, "{text} {kind:?}");
    }
    for (text, kind) in [
        ("1.5", Kind::Integer),
        ("x", Kind::Number),
        ("inf", Kind::Number),
        ("perhaps", Kind::Boolean),
        ("{", Kind::Json),
    ] {
        assert!(typing.value(plain(text), kind).is_err(), "{text} {kind:?}");
    }
    let comma = Typing { decimal: ',', ..typing };
    assert_eq!(comma.value(plain("1,25"), Kind::Number).unwrap(), json!(1.25));
    assert!(comma.value(plain("1.25"), Kind::Number).is_err());
    assert_eq!(
        comma.value(Field { text: "5".to_owned(), quoted: true }, Kind::Guess).unwrap(),
        json!("5")
    );
}
