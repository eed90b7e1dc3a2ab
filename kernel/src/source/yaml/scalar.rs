//! What an unquoted word means: the core schema of YAML 1.2.

use crate::source::Data;
use crate::source::json::number_from_text;
use serde_json::Number;

/// The value of a plain scalar; the error is a hint on why it has none.
pub(super) fn resolve(text: &str) -> Result<Data, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        _ => {}
    }
    // Most words are neither numbers nor look like one.
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Ok(Data::Text(text.to_owned()));
    }
    match number(text) {
        Looks::Word => Ok(Data::Text(text.to_owned())),
        Looks::Number(Some(number)) => Ok(Data::Number(number)),
        Looks::Number(None) => Err("numbers are finite and go up to about 1.8e308"),
    }
}

/// What a word looks like.
pub(super) enum Looks {
    /// No number.
    Word,
    /// A number; none if it has no value in JSON: infinity, not-a-number, too large.
    Number(Option<Number>),
}

/// Reads a number of the core schema.
pub(super) fn number(text: &str) -> Looks {
    let (radix, digits) = match text.get(..2) {
        Some("0x") => (16, &text[2..]),
        Some("0o") => (8, &text[2..]),
        _ => return decimal(text),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Looks::Word;
    }
    let exact = u64::from_str_radix(digits, radix).map(Number::from);
    Looks::Number(exact.ok())
}

fn decimal(text: &str) -> Looks {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Looks::Number(None);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let good_mantissa = digits(whole)
        && fraction.is_none_or(digits)
        && (!whole.is_empty() || fraction.is_some_and(|part| !part.is_empty()));
    let good_exponent = exponent.is_none_or(|part| {
        let part = part.strip_prefix(['+', '-']).unwrap_or(part);
        !part.is_empty() && digits(part)
    });
    if !good_mantissa || !good_exponent {
        return Looks::Word;
    }
    let is_whole = fraction.is_none() && exponent.is_none();
    let text = text.strip_prefix('+').unwrap_or(text);
    // `-0` is the integer zero in YAML, not the negative zero of JSON.
    if is_whole && unsigned.bytes().all(|byte| byte == b'0') {
        return Looks::Number(Some(0.into()));
    }
    Looks::Number(number_from_text(text, is_whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(text: &str) -> Value {
        match resolve(text).unwrap() {
            Data::Null => Value::Null,
            Data::Bool(flag) => flag.into(),
            Data::Number(number) => number.into(),
            Data::Text(text) => text.into(),
            Data::List(_) | Data::Map(_) => panic!("a word is no collection"),
        }
    }

    /// The table of examples in the YAML 1.2.2 specification, §10.3.2, and its neighbours.
    #[test]
    fn words_resolve_as_the_core_schema_says() {
        for (text, expected) in [
            ("", json!(null)),
            ("null", json!(null)),
            ("NULL", json!(null)),
            ("~", json!(null)),
            ("nULL", json!("nULL")),
            ("true", json!(true)),
            ("True", json!(true)),
            ("FALSE", json!(false)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("off", json!("off")),
            ("n", json!("n")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("-19", json!(-19)),
            ("007", json!(7)),
            ("0o7", json!(7)),
            ("0o8", json!("0o8")),
            ("0x3A", json!(0x3a)),
            ("0x", json!("0x")),
            ("-0x3A", json!("-0x3A")),
            ("0b1", json!("0b1")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("0.", json!(0.0)),
            ("-0.0", json!(-0.0)),
            (".5", json!(0.5)),
            ("+12e03", json!(12000.0)),
            ("-2E+05", json!(-200_000.0)),
            ("1_000", json!("1_000")),
            ("1.2.3", json!("1.2.3")),
            ("2024-01-02", json!("2024-01-02")),
            ("12:30", json!("12:30")),
            ("30s", json!("30s")),
            (".", json!(".")),
            ("-", json!("-")),
            ("+", json!("+")),
            ("e5", json!("e5")),
            ("1e", json!("1e")),
            (".e1", json!(".e1")),
            ("+.5", json!(0.5)),
            ("-.nan", json!("-.nan")),
            ("+-1", json!("+-1")),
            ("é", json!("é")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_without_a_value_are_refused() {
        for text in [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "0x10000000000000000"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }
}
