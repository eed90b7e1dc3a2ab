//! Moving moments: by spans, and to the start of a unit.

use super::Wrong;
use jiff::{RoundMode, Span, ZonedDateTime, ZonedDateTimeRound};
use schemars::JsonSchema;
use serde::Deserialize;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Unit {
    /// The calendar's own; a quarter is none.
    pub(crate) fn plain(self) -> Option<jiff::Unit> {
        Some(match self {
            Self::Year => jiff::Unit::Year,
            Self::Quarter => return None,
            Self::Month => jiff::Unit::Month,
            Self::Week => jiff::Unit::Week,
            Self::Day => jiff::Unit::Day,
            Self::Hour => jiff::Unit::Hour,
            Self::Minute => jiff::Unit::Minute,
            Self::Second => jiff::Unit::Second,
            Self::Millisecond => jiff::Unit::Millisecond,
        })
    }
}

/// `P1M2DT3H`, `1 month 2 days`, `1h30m`, `-2 weeks`.
pub(crate) fn duration(text: &str) -> Result<Span, Wrong> {
    text.trim().parse().map_err(|error: jiff::Error| {
        Wrong::new(
            format!("`{text}` is no span of time: {error}"),
            "write `90m`, `1 month 2 days` or `P1M2DT3H`",
        )
    })
}

/// The start of the unit in which the moment is; weeks start on Monday.
pub(crate) fn truncate(moment: &ZonedDateTime, unit: Unit) -> Result<ZonedDateTime, Wrong> {
    let failed = |error: jiff::Error| super::out_of_range(&error);
    match unit {
        Unit::Year => moment.first_of_year().and_then(|day| day.start_of_day()).map_err(failed),
        Unit::Quarter => {
            let back = i64::from((moment.month() - 1) % 3);
            let first = moment.first_of_month().map_err(failed)?;
            first
                .checked_sub(Span::new().months(back))
                .and_then(|day| day.start_of_day())
                .map_err(failed)
        }
        Unit::Month => moment.first_of_month().and_then(|day| day.start_of_day()).map_err(failed),
        Unit::Week => {
            let back = i64::from(moment.weekday().to_monday_zero_offset());
            moment
                .checked_sub(Span::new().days(back))
                .and_then(|day| day.start_of_day())
                .map_err(failed)
        }
        Unit::Day => moment.start_of_day().map_err(failed),
        Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond => {
            rounded(moment, unit, RoundMode::Trunc)
        }
    }
}

/// The nearest start of the unit.
pub(crate) fn round(moment: &ZonedDateTime, unit: Unit) -> Result<ZonedDateTime, Wrong> {
    match unit {
        Unit::Year | Unit::Quarter | Unit::Month | Unit::Week => {
            let low = truncate(moment, unit)?;
            let span = match unit {
                Unit::Year => Span::new().years(1),
                Unit::Quarter => Span::new().months(3),
                Unit::Month => Span::new().months(1),
                Unit::Week
                | Unit::Day
                | Unit::Hour
                | Unit::Minute
                | Unit::Second
                | Unit::Millisecond => Span::new().weeks(1),
            };
            let high = low.checked_add(span).map_err(|error| super::out_of_range(&error))?;
            let nearer_low = low.duration_until(moment) < moment.duration_until(&high);
            Ok(if nearer_low { low } else { high })
        }
        Unit::Day | Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond => {
            rounded(moment, unit, RoundMode::HalfExpand)
        }
    }
}

fn rounded(moment: &ZonedDateTime, unit: Unit, mode: RoundMode) -> Result<ZonedDateTime, Wrong> {
    let smallest = unit.plain().unwrap_or(jiff::Unit::Day);
    moment
        .round(ZonedDateTimeRound::new().smallest(smallest).mode(mode))
        .map_err(|error| super::out_of_range(&error))
}
