//! From a moment to text.

use super::{Locale, Wrong};
use jiff::ZonedDateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

const HINT: &str = "write `rfc3339`, `iso`, `rfc2822`, `http`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, `date`, `time`, `datetime`, or `strftime` signs such as `%d.%m.%Y %H:%M`";

/// The moment as `format` says.
pub(crate) fn spell(moment: &ZonedDateTime, format: &str, locale: Locale) -> Result<String, Wrong> {
    let nanos = moment.timestamp().as_nanosecond();
    Ok(match format {
        "rfc3339" => rfc3339(moment),
        "iso" => moment.to_string(),
        "rfc2822" => rfc2822::to_string(moment).map_err(|error| super::out_of_range(&error))?,
        "http" => rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&moment.timestamp())
            .map_err(|error| super::out_of_range(&error))?,
        "unix" => nanos.div_euclid(1_000_000_000).to_string(),
        "unix_ms" => nanos.div_euclid(1_000_000).to_string(),
        "unix_us" => nanos.div_euclid(1_000).to_string(),
        "unix_ns" => nanos.to_string(),
        "date" => signs(moment, "%Y-%m-%d")?,
        "time" => signs(moment, "%H:%M:%S")?,
        "datetime" => signs(moment, "%Y-%m-%d %H:%M:%S")?,
        pattern if pattern.contains('%') => signs(moment, &localised(moment, pattern, locale))?,
        other => return Err(Wrong::new(format!("`{other}` is no way to spell a date"), HINT)),
    })
}

/// `2026-11-24T16:20:37.5+01:00`; UTC as `Z`.
pub(crate) fn rfc3339(moment: &ZonedDateTime) -> String {
    if *moment.time_zone() == TimeZone::UTC {
        return moment.timestamp().to_string();
    }
    moment.timestamp().display_with_offset(moment.offset()).to_string()
}

fn signs(moment: &ZonedDateTime, pattern: &str) -> Result<String, Wrong> {
    strtime::format(pattern, moment)
        .map_err(|error| Wrong::new(format!("`{pattern}` cannot be used: {error}"), HINT))
}

/// The pattern with names in the author's language in place of their signs.
fn localised(moment: &ZonedDateTime, pattern: &str, locale: Locale) -> String {
    let names = locale.names();
    let month = usize::try_from(moment.month() - 1).unwrap_or(0) % 12;
    let day = usize::try_from(moment.weekday().to_monday_zero_offset()).unwrap_or(0) % 7;
    // Languages that decline the month do so beside a day.
    let beside_a_day =
        ["%d", "%e", "%-d", "%-e", "%_d", "%0d"].iter().any(|sign| pattern.contains(sign));
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let sign = &rest[at + 1..];
        let flags = sign.len() - sign.trim_start_matches(['^', '#', '-', '_', '0']).len();
        let letter = sign[flags..].chars().next();
        let name = match letter {
            Some('B') if beside_a_day => Some(names.months_of[month]),
            Some('B') => Some(names.months[month]),
            Some('b' | 'h') if locale == Locale::Ru && beside_a_day && month == 4 => Some("мая"),
            Some('b' | 'h') => Some(names.short_months[month]),
            Some('A') => Some(names.days[day]),
            Some('a') => Some(names.short_days[day]),
            _ => None,
        };
        let taken = flags + letter.map_or(0, char::len_utf8);
        match name {
            Some(name) if sign[..flags].contains('^') => out.push_str(&name.to_uppercase()),
            Some(name) => out.push_str(name),
            None => {
                out.push('%');
                out.push_str(&sign[..taken]);
            }
        }
        rest = &sign[taken..];
    }
    out.push_str(rest);
    out
}
