//! Spans of time in inputs: `500ms`, `30s`, `10m`, `24h`, `7d`, or a number of seconds.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// At most a hundred years, so that adding it to a clock cannot overflow.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// A span of time as an author writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeSpan(pub(crate) Duration);

impl TimeSpan {
    fn from_seconds(seconds: f64) -> Option<Self> {
        (0.0..=LONGEST).contains(&seconds).then(|| Self(Duration::from_secs_f64(seconds)))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor = match unit {
            "ms" => 0.001,
            "s" | "" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        Self::from_seconds(number.trim().parse::<f64>().ok()? * factor)
    }

    /// Whole milliseconds.
    pub(crate) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = TimeSpan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time such as `500ms`, `30s`, `10m`, `24h`, or seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TimeSpan, E> {
        TimeSpan::parse(text)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<TimeSpan, E> {
        #[expect(clippy::cast_precision_loss, reason = "spans beyond 2^53 s are refused anyway")]
        TimeSpan::from_seconds(seconds as f64)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(seconds), &self))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<TimeSpan, E> {
        Err(E::invalid_value(serde::de::Unexpected::Signed(seconds), &self))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<TimeSpan, E> {
        TimeSpan::from_seconds(seconds)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(seconds), &self))
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$" },
                { "type": "number", "minimum": 0 },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_are_read_in_every_spelling() {
        for (written, millis) in [
            (json!("250ms"), 250),
            (json!("1.5s"), 1500),
            (json!("10m"), 600_000),
            (json!("24h"), 86_400_000),
            (json!("2d"), 172_800_000),
            (json!(3), 3000),
            (json!(0.25), 250),
            (json!("7"), 7000),
        ] {
            let span: TimeSpan = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(span.millis(), millis, "{written}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_spellings() {
        for written in [
            json!("soon"),
            json!(-1),
            json!("-1s"),
            json!(1e300),
            json!("5w"),
            json!(true),
            json!("inf"),
            json!("NaN"),
        ] {
            let error = serde_json::from_value::<TimeSpan>(written.clone()).unwrap_err();
            assert!(error.to_string().contains("`500ms`"), "{written}: {error}");
        }
    }
}
