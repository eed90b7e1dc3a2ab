//! `get_timestamp`: the time, in the spellings that people need.
//!
//! Its effect is none although it answers differently each time: the answer is recorded, and a
//! recorded value never changes on replay.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::{Cx, now};
use crate::input::{TimeSpan, bad};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{Millis, Timestamp};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Tells the time.
pub(crate) struct GetTimestamp;

/// Which moment, and how it is spelled.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The moment this long after now: `10m`, `24h`.
    plus: Option<TimeSpan>,
    /// The moment this long before now: `10m`, `24h`.
    minus: Option<TimeSpan>,
    /// A further spelling of one's own, as `strftime` has it: `%Y-%m-%d %H:%M`.
    format: Option<String>,
}

/// The moment, UTC.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// RFC 3339 with milliseconds: `2026-11-24T16:20:37.123Z`.
    timestamp: String,
    /// Seconds since 1970.
    unix: i64,
    /// Milliseconds since 1970.
    unix_ms: i64,
    /// The day: `2026-11-24`.
    date: String,
    /// The time of day: `16:20:37`.
    time: String,
    /// The moment as `format` spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted: Option<String>,
}

impl Atom for GetTimestamp {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "get_timestamp",
        layer: Layer::ComputeScript,
        summary: "Tells the time.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("format", Some(format)) => spell(Timestamp(0), format).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "The month of a week ago",
            setup: vec![],
            input: json!({ "minus": "7d", "format": "%B %Y" }),
            expect: json!({}),
        }]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let forth = now().plus(Millis(input.plus.map_or(0, TimeSpan::millis)));
        let back = i64::try_from(input.minus.map_or(0, TimeSpan::millis)).unwrap_or(i64::MAX);
        let moment = Timestamp(forth.0.saturating_sub(back));
        Ok(Output {
            timestamp: moment.to_string(),
            unix: moment.0.div_euclid(1000),
            unix_ms: moment.0,
            date: spell(moment, "%Y-%m-%d")?,
            time: spell(moment, "%H:%M:%S")?,
            formatted: input.format.map(|format| spell(moment, &format)).transpose()?,
        })
    }
}

fn spell(moment: Timestamp, format: &str) -> Result<String, Failure> {
    let zoned = jiff::Timestamp::from_millisecond(moment.0)
        .map_err(|error| {
            bad("get_timestamp", "plus", format!("the moment is out of range: {error}"))
                .hint("stay between the years -9999 and 9999")
        })?
        .to_zoned_datetime(TimeZone::UTC);
    jiff::fmt::strtime::format(format, &zoned).map_err(|error| {
        bad("get_timestamp", "format", format!("`{format}` cannot be used: {error}"))
            .hint("use `strftime` signs such as %Y, %m, %d, %H, %M, %S")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn a_moment_is_spelled_as_asked() {
        let moment = Timestamp(1_795_537_237_123);
        assert_eq!(moment.to_string(), "2026-11-24T16:20:37.123Z");
        assert_eq!(spell(moment, "%d.%m.%Y %H:%M").unwrap(), "24.11.2026 16:20");
    }

    #[tokio::test]
    async fn all_spellings_are_of_one_moment() {
        let output = World::new()
            .run("get_timestamp", json!({ "plus": "1h", "minus": "1h" }))
            .await
            .unwrap();
        let text = output["timestamp"].as_str().unwrap();
        let parsed: jiff::Timestamp = text.parse().unwrap();
        assert_eq!(parsed.as_millisecond(), output["unix_ms"].as_i64().unwrap());
        assert_eq!(parsed.as_second(), output["unix"].as_i64().unwrap());
        assert!(text.starts_with(output["date"].as_str().unwrap()));
        assert!(text.contains(output["time"].as_str().unwrap()));
        assert!((parsed.as_millisecond() - crate::context::now().0).abs() < 60_000);
    }

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "get_timestamp",
                &[
                    (json!({ "format": "%!" }), "`format`", "strftime"),
                    (json!({ "plus": "soon" }), "`plus`", "`plus`: "),
                    (json!({ "minus": true }), "`minus`", "`minus`: "),
                    (json!({ "offset": "1h" }), "`offset`", "write one of"),
                ],
            )
            .await;
    }
}
