//! From what an author wrote to a moment in a time zone.

use super::{Locale, Wrong, names};
use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::{DateTimeParser, PiecesOffset};
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Disambiguation, Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};
use serde_json::{Number, Value};

/// How a value is read.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a> {
    /// `auto`, `iso`, `rfc2822`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or `strftime` signs.
    pub(crate) format: &'a str,
    /// Of values that name none.
    pub(crate) zone: TimeZone,
    pub(crate) locale: Locale,
    /// What a time means that the clocks show twice or never.
    pub(crate) ambiguous: Disambiguation,
    pub(crate) now: Timestamp,
}

const ISO_HINT: &str = "write it like `2026-11-24T16:20:37+01:00`, `2026-11-24`, or tell how it is written with `from`";
/// Seconds since 1970 stay below this until the year 5138; more are milliseconds.
const MOST_SECONDS: f64 = 1e11;

/// A time zone by its name, or an offset such as `+02:00`.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Wrong> {
    let name = name.trim();
    let known = if name.eq_ignore_ascii_case("z") || name.eq_ignore_ascii_case("utc") {
        Some(TimeZone::UTC)
    } else {
        // The reader takes rules of POSIX as well, in which `CET2` is a zone west of Greenwich.
        let offset = name.starts_with(['+', '-']);
        DateTimeParser::new()
            .parse_time_zone(name)
            .ok()
            .filter(|zone| offset || zone.iana_name().is_some())
    };
    known.ok_or_else(|| {
        Wrong::new(
            format!("there is no time zone `{name}`"),
            "write a name such as `Europe/Berlin`, or an offset such as `+02:00`",
        )
    })
}

/// The moment.
pub(crate) fn read(value: &Value, how: &Reading<'_>) -> Result<ZonedDateTime, Wrong> {
    match value {
        Value::Number(number) => counted(number, how),
        Value::String(text) => spelled(text.trim(), how),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Wrong::new("a date is text or a number", ISO_HINT))
        }
    }
}

fn counted(number: &Number, how: &Reading<'_>) -> Result<ZonedDateTime, Wrong> {
    let per_second: i128 = match how.format {
        "auto" if number.as_f64().is_some_and(|count| count.abs() >= MOST_SECONDS) => 1_000,
        "auto" | "unix" => 1,
        "unix_ms" => 1_000,
        "unix_us" => 1_000_000,
        "unix_ns" => 1_000_000_000,
        other => {
            return Err(Wrong::new(
                format!("a number is not read by `{other}`"),
                "write `from: unix`, `unix_ms`, `unix_us` or `unix_ns`",
            ));
        }
    };
    let nanos = match number.as_i64() {
        Some(whole) => i128::from(whole) * (1_000_000_000 / per_second),
        None => {
            let count = number.as_f64().unwrap_or(f64::NAN);
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a power of ten; a cast of a float saturates"
            )]
            let nanos = (count * (1_000_000_000 / per_second) as f64).round() as i128;
            nanos
        }
    };
    let moment = Timestamp::from_nanosecond(nanos).map_err(|error| super::out_of_range(&error))?;
    Ok(moment.to_zoned_datetime(how.zone.clone()))
}

fn spelled(text: &str, how: &Reading<'_>) -> Result<ZonedDateTime, Wrong> {
    let shown = crate::parse::json::shorten(text);
    let unread = |hint| Wrong::new(format!("`{shown}` is no date that can be read"), hint);
    if text.eq_ignore_ascii_case("now") {
        return Ok(how.now.to_zoned_datetime(how.zone.clone()));
    }
    match how.format {
        format if format.contains('%') => by_signs(text, format, how),
        "unix" | "unix_ms" | "unix_us" | "unix_ns" => {
            let number: Number = serde_json::from_str(text)
                .map_err(|_| unread("it is to be a number, as `from` says"))?;
            counted(&number, how)
        }
        "rfc2822" => rfc2822::parse(text)
            .map_err(|_| unread("write it like `Tue, 24 Nov 2026 16:20:37 +0100`")),
        "iso" => iso(text, how),
        "auto" => {
            if !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && text.len() != 8
                && let Ok(number) = serde_json::from_str::<Number>(text)
            {
                return counted(&number, how);
            }
            match iso(text, how) {
                Ok(moment) => Ok(moment),
                Err(wrong) => rfc2822::parse(text).map_err(|_| wrong),
            }
        }
        other => Err(Wrong::new(
            format!("`{other}` is no way to read a date"),
            "write `auto`, `iso`, `rfc2822`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or `strftime` signs such as `%d.%m.%Y`",
        )),
    }
}

fn iso(text: &str, how: &Reading<'_>) -> Result<ZonedDateTime, Wrong> {
    let parser = DateTimeParser::new();
    let wrong = |error: jiff::Error| {
        Wrong::new(
            format!("`{}` is no date that can be read: {error}", crate::parse::json::shorten(text)),
            ISO_HINT,
        )
    };
    let pieces = parser.parse_pieces(text).map_err(wrong)?;
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    if pieces.time_zone_annotation().is_some() {
        // With a time zone in brackets: it and the offset must agree.
        return match pieces.offset() {
            Some(_) => parser.parse_zoned_datetime(text).map_err(wrong),
            None => {
                let zone = pieces.to_time_zone().map_err(wrong)?.unwrap_or(TimeZone::UTC);
                placed(civil, &zone, how)
            }
        };
    }
    match pieces.offset() {
        Some(PiecesOffset::Zulu) => placed(civil, &TimeZone::UTC, how),
        Some(PiecesOffset::Numeric(_)) => {
            let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
            placed(civil, &TimeZone::fixed(offset), how)
        }
        Some(_) | None => placed(civil, &how.zone, how),
    }
}

fn placed(civil: DateTime, zone: &TimeZone, how: &Reading<'_>) -> Result<ZonedDateTime, Wrong> {
    let ambiguous = zone.to_ambiguous_zoned_datetime(civil);
    let twice = ambiguous.is_ambiguous();
    ambiguous.disambiguate(how.ambiguous).map_err(|error| {
        if twice {
            let name = zone.iana_name().unwrap_or("this zone");
            Wrong::new(
                format!("the clocks of {name} show {civil} twice or never"),
                "write the offset, or set `ambiguous` to `compatible`, `earlier` or `later`",
            )
        } else {
            super::out_of_range(&error)
        }
    })
}

fn by_signs(text: &str, format: &str, how: &Reading<'_>) -> Result<ZonedDateTime, Wrong> {
    let shown = crate::parse::json::shorten(text);
    let wrong = |error: jiff::Error| {
        Wrong::new(
            format!("`{shown}` is not written as `{format}` says: {error}"),
            "`from` takes `strftime` signs such as `%d.%m.%Y %H:%M`",
        )
    };
    let english = names::english(text, how.locale);
    let broken = strtime::parse(format, &english).map_err(wrong)?;
    if broken.timestamp().is_some()
        || broken.offset().is_some()
        || broken.iana_time_zone().is_some()
    {
        return match broken.to_zoned_datetime() {
            Ok(moment) => Ok(moment),
            Err(_) => broken
                .to_timestamp()
                .map(|moment| moment.to_zoned_datetime(how.zone.clone()))
                .map_err(wrong),
        };
    }
    let civil = broken
        .to_datetime()
        .or_else(|_| broken.to_date().map(|date| date.to_datetime(Time::midnight())))
        .map_err(wrong)?;
    placed(civil, &how.zone, how)
}
