//! Values between JSON and SQLite, without loss.
//!
//! | SQLite | JSON |
//! |---|---|
//! | NULL | `null` |
//! | INTEGER | a number; all 64 bits are kept |
//! | REAL | a number; `{"$float": "inf"}` and `"-inf"` for what JSON numbers cannot say |
//! | TEXT | text |
//! | BLOB, and text that is not UTF-8 | `{"$base64": "…"}` |
//!
//! In the other direction booleans become 1 and 0, and lists and maps become JSON text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Map, Value, json};

/// The JSON of a column, and about how many bytes it takes.
pub(super) fn from_sql(value: ValueRef<'_>) -> (Value, usize) {
    match value {
        ValueRef::Null => (Value::Null, 4),
        ValueRef::Integer(number) => (Value::from(number), 8),
        ValueRef::Real(number) if number.is_finite() => (Value::from(number), 8),
        ValueRef::Real(number) => (json!({ "$float": number.to_string() }), 16),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => (Value::String(text.to_owned()), bytes.len()),
            Err(_) => (blob(bytes), bytes.len() * 4 / 3),
        },
        ValueRef::Blob(bytes) => (blob(bytes), bytes.len() * 4 / 3),
    }
}

fn blob(bytes: &[u8]) -> Value {
    json!({ "$base64": STANDARD.encode(bytes) })
}

/// The SQLite value of JSON; the error says what cannot be stored.
pub(crate) fn to_sql(value: Value) -> Result<Sql, String> {
    Ok(match value {
        Value::Null => Sql::Null,
        Value::Bool(flag) => Sql::Integer(flag.into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Sql::Integer(integer),
            (None, _) if number.is_u64() => {
                return Err(format!(
                    "`{number}` is larger than SQLite's integers; send it as text"
                ));
            }
            (None, Some(real)) => Sql::Real(real),
            (None, None) => return Err(format!("`{number}` is no number that SQLite can hold")),
        },
        Value::String(text) => Sql::Text(text),
        Value::Object(map) => match special(&map)? {
            Some(sql) => sql,
            None => Sql::Text(Value::Object(map).to_string()),
        },
        list @ Value::Array(_) => Sql::Text(list.to_string()),
    })
}

fn special(map: &Map<String, Value>) -> Result<Option<Sql>, String> {
    let mut entries = map.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else { return Ok(None) };
    match (key.as_str(), value.as_str()) {
        ("$base64", Some(text)) => STANDARD
            .decode(text)
            .map(|bytes| Some(Sql::Blob(bytes)))
            .map_err(|error| format!("`$base64` does not hold base64: {error}")),
        ("$float", Some("inf")) => Ok(Some(Sql::Real(f64::INFINITY))),
        ("$float", Some("-inf")) => Ok(Some(Sql::Real(f64::NEG_INFINITY))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_way_there_and_back() {
        for value in [
            json!(null),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(9_007_199_254_740_993_i64),
            json!(1.5),
            json!("text 'quoted'"),
            json!({"$base64": "AP8="}),
            json!({"$float": "-inf"}),
        ] {
            let sql = to_sql(value.clone()).unwrap();
            assert_eq!(from_sql(ValueRef::from(&sql)).0, value);
        }
    }

    #[test]
    fn other_kinds_become_what_sqlite_has() {
        assert_eq!(to_sql(json!(true)).unwrap(), Sql::Integer(1));
        assert_eq!(to_sql(json!([1, "a"])).unwrap(), Sql::Text("[1,\"a\"]".into()));
        assert_eq!(to_sql(json!({"a": 1})).unwrap(), Sql::Text("{\"a\":1}".into()));
        assert!(to_sql(json!(u64::MAX)).unwrap_err().contains("send it as text"));
        assert!(to_sql(json!({"$base64": "?"})).unwrap_err().contains("base64"));
    }
}
