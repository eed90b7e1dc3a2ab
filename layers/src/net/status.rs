//! Which HTTP statuses a step expects.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Statuses such as `200`, `"2xx"`, `"200-204"`, or a list of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusSet(Vec<RangeInclusive<u16>>);

impl StatusSet {
    /// Everything that is not an error: below 400.
    pub(crate) fn not_an_error() -> Self {
        Self(vec![100..=399])
    }

    /// 200–299.
    pub(crate) fn success() -> Self {
        Self(vec![200..=299])
    }

    /// Whether this status is expected.
    pub(crate) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for StatusSet {
    fn default() -> Self {
        Self::not_an_error()
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let items = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
        let ranges: Option<Vec<_>> = items.iter().map(range).collect();
        let ranges = ranges.filter(|ranges| !ranges.is_empty());
        ranges.map(Self).ok_or_else(|| {
            D::Error::custom(
                "expected statuses such as `200`, `\"2xx\"`, `\"200-204\"`, or a list of these",
            )
        })
    }
}

fn range(value: &Value) -> Option<RangeInclusive<u16>> {
    let status = |number: u64| u16::try_from(number).ok().filter(|code| (100..=599).contains(code));
    match value {
        Value::Number(number) => status(number.as_u64()?).map(|code| code..=code),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            class if class.len() == 3 && class.ends_with("xx") => {
                let first = status(class[..1].parse::<u64>().ok()? * 100)?;
                Some(first..=first + 99)
            }
            text => match text.split_once('-') {
                Some((low, high)) => {
                    let (low, high) =
                        (status(low.trim().parse().ok()?)?, status(high.trim().parse().ok()?)?);
                    (low <= high).then_some(low..=high)
                }
                None => status(text.parse().ok()?).map(|code| code..=code),
            },
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl JsonSchema for StatusSet {
    fn schema_name() -> Cow<'static, str> {
        "StatusSet".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^\\s*([1-5][xX]{2}|[1-5][0-9]{2}(\\s*-\\s*[1-5][0-9]{2})?)\\s*$" },
            ],
        });
        json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn statuses_are_read_in_every_spelling() {
        for (written, inside, outside) in [
            (json!(204), 204, 200),
            (json!("2xx"), 299, 300),
            (json!([200, "4XX"]), 404, 201),
            (json!("200-204"), 203, 205),
            (json!(["404"]), 404, 200),
        ] {
            let set: StatusSet = serde_json::from_value(written.clone()).unwrap();
            assert!(set.contains(inside) && !set.contains(outside), "{written}");
        }
        for wrong in [
            json!(99),
            json!("6xx"),
            json!("ok"),
            json!([]),
            json!("204-200"),
            json!("éx"),
            json!({}),
        ] {
            let error = serde_json::from_value::<StatusSet>(wrong.clone()).unwrap_err();
            assert!(error.to_string().contains("2xx"), "{wrong}: {error}");
        }
    }
}
