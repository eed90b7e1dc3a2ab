//! `format_date`: reads a date, moves it, compares it, spells it.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::{Cx, now};
use crate::dates::{
    Locale, Reading, Unit, Wrong, duration, read, relative, rfc3339, round, spell, truncate, zone,
};
use crate::input::bad;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{Timestamp, ZonedDateTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Spells a date.
pub(crate) struct FormatDate;

/// The date, and what becomes of it. The order is: read, to `timezone`, `add`, `subtract`,
/// `truncate`, `round`, spell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The date: text, seconds or milliseconds since 1970 as a number, or `now`.
    value: Value,
    /// How `value` is written: `auto`, `iso`, `rfc2822`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or
    /// `strftime` signs: `%d.%m.%Y %H:%M`. With `auto`, numbers from 100,000,000,000 on are
    /// milliseconds.
    #[serde(default = "auto")]
    from: String,
    /// The time zone of dates that name none: `Europe/Berlin`, `+02:00`. UTC unless told otherwise.
    from_timezone: Option<String>,
    /// The time zone of the result. Left out: that of the date.
    timezone: Option<String>,
    /// A span to go forth: `90m`, `1 month 2 days`, `P1M2DT3H`. Days and months follow the calendar
    /// of the time zone.
    add: Option<String>,
    /// A span to go back.
    subtract: Option<String>,
    /// Goes to the start of this unit. Weeks start on Monday.
    truncate: Option<Unit>,
    /// Goes to the nearest start of this unit.
    round: Option<Unit>,
    /// How the result is spelled: `rfc3339`, `iso` (with the zone's name), `rfc2822`, `http`, `unix`,
    /// `unix_ms`, `unix_us`, `unix_ns`, `date`, `time`, `datetime`, or `strftime` signs.
    #[serde(default = "rfc3339_name")]
    format: String,
    /// The language of names and relative times.
    #[serde(default)]
    locale: Locale,
    /// Another date: `difference` is the span from the result to it. Written as `value` is.
    until: Option<Value>,
    /// The unit of `difference.total`; seconds unless told otherwise.
    unit: Option<Unit>,
    /// Another date, often `now`: `relative` tells the result as seen from it.
    relative_to: Option<Value>,
    /// What a time means that the clocks show twice, or never, when they are changed.
    #[serde(default)]
    ambiguous: Ambiguous,
}

fn auto() -> String {
    "auto".to_owned()
}

fn rfc3339_name() -> String {
    "rfc3339".to_owned()
}

/// What a time means that the clocks show twice or never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Ambiguous {
    /// Twice: the first; never: as much later as was left out.
    #[default]
    Compatible,
    /// The earlier one.
    Earlier,
    /// The later one.
    Later,
    /// A failure.
    Reject,
}

/// The date, in the spellings that people need.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// As `format` says.
    result: String,
    /// RFC 3339 with the offset of the time zone.
    timestamp: String,
    /// Seconds since 1970.
    unix: i64,
    /// Milliseconds since 1970.
    unix_ms: i64,
    /// The time zone: its name, or its offset.
    timezone: String,
    /// The day there: `2026-11-24`.
    date: String,
    /// The time of day there: `16:20:37`.
    time: String,
    /// The day of the week, in the language of `locale`.
    weekday: String,
    /// The week: `2026-W48`.
    week: String,
    /// The span to `until`.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    /// As seen from `relative_to`: `in 3 days`.
    #[serde(skip_serializing_if = "Option::is_none")]
    relative: Option<String>,
}

/// A span of time.
#[derive(Debug, Serialize, JsonSchema)]
struct Difference {
    /// By years, months, days and time: `P1M2DT3H`.
    iso: String,
    /// The same in short words: `1mo 2d 3h`.
    text: String,
    /// Whole seconds; negative when `until` is earlier.
    seconds: i64,
    /// All of it in `unit`.
    total: f64,
}

impl Atom for FormatDate {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "format_date",
        layer: Layer::ComputeScript,
        summary: "Reads, moves, compares and spells dates.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        let wrong = |wrong| refused(key, wrong);
        match (key, value.as_str()) {
            ("timezone" | "from_timezone", Some(name)) => zone(name).map(|_| ()).map_err(wrong),
            ("add" | "subtract", Some(text)) => duration(text).map(|_| ()).map_err(wrong),
            ("format", Some(format)) => {
                spell(&ZonedDateTime::new(Timestamp::UNIX_EPOCH, TimeZone::UTC), format, Locale::En)
                    .map(|_| ())
                    .map_err(wrong)
            }
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A day later by the clocks of Berlin, although the night was an hour shorter",
                setup: vec![],
                input: json!({ "value": "2026-03-28T12:00:00", "from_timezone": "Europe/Berlin", "add": "1 day" }),
                expect: json!({ "result": "2026-03-29T12:00:00+02:00", "timezone": "Europe/Berlin" }),
            },
            Example {
                title: "In words",
                setup: vec![],
                input: json!({ "value": 1_795_537_237, "timezone": "Europe/Moscow", "format": "%A, %-d %B %Y", "locale": "ru" }),
                expect: json!({ "result": "вторник, 24 ноября 2026", "week": "2026-W48" }),
            },
            Example {
                title: "How long until then",
                setup: vec![],
                input: json!({ "value": "2026-11-24", "until": "2026-12-26T03:00", "unit": "hour", "relative_to": "2026-11-27" }),
                expect: json!({ "difference": { "iso": "P1M2DT3H", "total": 771.0 }, "relative": "3 days ago" }),
            },
        ]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let zone_of = |key: &str, name: &Option<String>| {
            name.as_deref().map(zone).transpose().map_err(|wrong| refused(key, wrong))
        };
        let span_of = |key: &str, text: &Option<String>| {
            text.as_deref().map(duration).transpose().map_err(|wrong| refused(key, wrong))
        };
        let how = Reading {
            format: input.from.trim(),
            zone: zone_of("from_timezone", &input.from_timezone)?.unwrap_or(TimeZone::UTC),
            locale: input.locale,
            ambiguous: match input.ambiguous {
                Ambiguous::Compatible => Disambiguation::Compatible,
                Ambiguous::Earlier => Disambiguation::Earlier,
                Ambiguous::Later => Disambiguation::Later,
                Ambiguous::Reject => Disambiguation::Reject,
            },
            now: Timestamp::from_millisecond(now().0).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let mut moment = read(&input.value, &how).map_err(|wrong| refused("value", wrong))?;
        if let Some(zone) = zone_of("timezone", &input.timezone)? {
            moment = moment.with_time_zone(zone);
        }
        let moved = |key: &str, result: Result<ZonedDateTime, jiff::Error>| {
            result.map_err(|error| {
                bad(Self::CARD.name, key, format!("the moment would be out of range: {error}"))
                    .hint("stay between the years -9999 and 9999")
            })
        };
        if let Some(span) = span_of("add", &input.add)? {
            moment = moved("add", moment.checked_add(span))?;
        }
        if let Some(span) = span_of("subtract", &input.subtract)? {
            moment = moved("subtract", moment.checked_sub(span))?;
        }
        if let Some(unit) = input.truncate {
            moment = truncate(&moment, unit).map_err(|wrong| refused("truncate", wrong))?;
        }
        if let Some(unit) = input.round {
            moment = round(&moment, unit).map_err(|wrong| refused("round", wrong))?;
        }
        let other = |key: &str, value: &Option<Value>| {
            value
                .as_ref()
                .map(|value| read(value, &how))
                .transpose()
                .map_err(|wrong| refused(key, wrong))
        };
        let until = other("until", &input.until)?;
        let base = other("relative_to", &input.relative_to)?;
        output(&moment, &input, until, base)
    }
}

fn refused(key: &str, wrong: Wrong) -> Failure {
    bad(FormatDate::CARD.name, key, wrong.what).hint(wrong.hint)
}

fn output(
    moment: &ZonedDateTime,
    input: &Input,
    until: Option<ZonedDateTime>,
    base: Option<ZonedDateTime>,
) -> Result<Output, Failure> {
    let spelled = |format: &str| {
        spell(moment, format, input.locale).map_err(|wrong| refused("format", wrong))
    };
    let week = moment.iso_week_date();
    Ok(Output {
        result: spelled(input.format.trim())?,
        timestamp: rfc3339(moment),
        unix: moment.timestamp().as_second(),
        unix_ms: moment.timestamp().as_millisecond(),
        timezone: moment
            .time_zone()
            .iana_name()
            .map_or_else(|| moment.offset().to_string(), str::to_owned),
        date: spelled("date")?,
        time: spelled("time")?,
        weekday: spelled("%A")?,
        week: format!("{:04}-W{:02}", week.year(), week.week()),
        difference: until.map(|until| difference(moment, &until, input.unit)).transpose()?,
        relative: base
            .map(|base| relative(moment, &base, input.locale))
            .transpose()
            .map_err(|wrong| refused("relative_to", wrong))?,
    })
}

fn difference(
    from: &ZonedDateTime,
    until: &ZonedDateTime,
    unit: Option<Unit>,
) -> Result<Difference, Failure> {
    let failed = |error: jiff::Error| {
        bad(FormatDate::CARD.name, "until", error.to_string()).hint("choose another `unit` or date")
    };
    // In one zone: months and days of two zones cannot be compared.
    let until = until.with_time_zone(from.time_zone().clone());
    let span = from.until((jiff::Unit::Year, &until)).map_err(failed)?;
    let unit = unit.unwrap_or(Unit::Second);
    let (plain, parts) = match unit.plain() {
        Some(plain) => (plain, 1.0),
        None => (jiff::Unit::Month, 3.0),
    };
    let total = span.total((plain, from)).map_err(failed)? / parts;
    Ok(Difference {
        iso: span.to_string(),
        text: span.to_friendly(),
        seconds: from.duration_until(&until).as_secs(),
        total,
    })
}

#[cfg(test)]
mod tests;
