//! From a field's text to a JSON value.

use super::Field;
use crate::parse::json::{self, Large, Options, Repeated};
use serde_json::{Number, Value};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Json,
    /// Number, boolean or text, as it looks.
    Guess,
}

/// How text is read.
#[derive(Clone, Debug)]
pub(crate) struct Typing {
    /// Unquoted fields that mean nothing; the empty one is among them unless the column is text.
    pub(crate) nulls: Vec<String>,
    /// `,` where it is written so.
    pub(crate) decimal: char,
}

impl Typing {
    /// The value, or what was expected.
    pub(crate) fn value(&self, field: Field, kind: Kind) -> Result<Value, &'static str> {
        let Field { text, quoted } = field;
        if !quoted && self.nulls.contains(&text) {
            return Ok(Value::Null);
        }
        let bare = text.trim();
        if bare.is_empty() && !matches!(kind, Kind::Text | Kind::Guess) {
            return Ok(Value::Null);
        }
        match kind {
            Kind::Text => Ok(Value::String(text)),
            Kind::Integer => integer(bare).ok_or("a whole number"),
            Kind::Number => self.number(bare).ok_or("a number"),
            Kind::Boolean => boolean(bare).ok_or("`true`, `false`, `yes`, `no`, `1` or `0`"),
            Kind::Json => {
                let options = Options { depth: 100, repeated: Repeated::Last, large: Large::Text };
                json::Reader::new(bare, options).only_value().map_err(|_| "a JSON value")
            }
            Kind::Guess if quoted => Ok(Value::String(text)),
            Kind::Guess => Ok(match bare {
                "true" | "TRUE" | "True" => Value::Bool(true),
                "false" | "FALSE" | "False" => Value::Bool(false),
                // `007` is a code, no number.
                _ if leads_with_zero(bare) => Value::String(text),
                _ => integer(bare).or_else(|| self.number(bare)).unwrap_or(Value::String(text)),
            }),
        }
    }

    fn number(&self, text: &str) -> Option<Value> {
        if let Some(whole) = integer(text) {
            return Some(whole);
        }
        let plain = if self.decimal == '.' {
            text.to_owned()
        } else {
            if text.contains('.') {
                return None;
            }
            text.replace(self.decimal, ".")
        };
        // The reader of the language takes `inf` and `nan` too.
        if !plain
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E'))
        {
            return None;
        }
        Number::from_f64(plain.parse().ok()?).map(Value::Number)
    }
}

fn leads_with_zero(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit()
}

fn integer(text: &str) -> Option<Value> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    plain.parse::<i64>().map(Value::from).or_else(|_| plain.parse::<u64>().map(Value::from)).ok()
}

fn boolean(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" | "on" => Some(Value::Bool(true)),
        "false" | "no" | "n" | "f" | "0" | "off" => Some(Value::Bool(false)),
        _ => None,
    }
}
