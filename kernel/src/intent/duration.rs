//! Spans of time as authors write them: `500ms`, `30s`, `1.5m`, `1h30m`, `PT30S`, or 30.

use crate::ids::Millis;

/// The form of a duration that is text, for the schema; [`parse`] reads the same.
pub(super) const PATTERN: &str = "^(([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+|P(?!$)([0-9]+D)?(T(?!$)([0-9]+H)?([0-9]+M)?([0-9]+(\\.[0-9]+)?S)?)?)$";

/// Longer spans are refused: such a number is a slip, and sums of them must not overflow.
pub(super) const LONGEST: Millis = Millis(366 * DAY);

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units of the short form; a longer name comes before one that it starts with.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)];
const ISO_DATE: [(&str, u64); 1] = [("D", DAY)];
const ISO_TIME: [(&str, u64); 3] = [("H", HOUR), ("M", MINUTE), ("S", SECOND)];

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It has another form.
    Form,
    /// It is longer than [`LONGEST`].
    TooLong,
}

/// Reads a duration; parts of a millisecond are rounded.
pub(super) fn parse(text: &str) -> Result<Millis, Wrong> {
    let text = text.trim();
    let total = match text.strip_prefix('P') {
        Some(iso) => {
            let (date, time) = iso.split_once('T').unwrap_or((iso, ""));
            if iso.is_empty() || iso.ends_with('T') {
                return Err(Wrong::Form);
            }
            sum(date, &ISO_DATE)? + sum(time, &ISO_TIME)?
        }
        None if text.is_empty() => return Err(Wrong::Form),
        None => sum(text, &UNITS)?,
    };
    bounded(total)
}

/// Whole or broken seconds.
pub(super) fn from_seconds(seconds: f64) -> Result<Millis, Wrong> {
    if seconds < 0.0 { Err(Wrong::Form) } else { bounded(seconds * 1000.0) }
}

fn bounded(millis: f64) -> Result<Millis, Wrong> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a year in milliseconds has far less than 53 bits"
    )]
    if millis > LONGEST.0 as f64 {
        return Err(Wrong::TooLong);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between zero and a year, as checked above and by the callers"
    )]
    Ok(Millis(millis.round() as u64))
}

/// Adds up `1h30m`, in milliseconds.
fn sum(text: &str, units: &[(&str, u64)]) -> Result<f64, Wrong> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(Wrong::Form)?;
        let (number, behind) = rest.split_at(length);
        if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
            return Err(Wrong::Form);
        }
        let number: f64 = number.parse().map_err(|_| Wrong::Form)?;
        let (unit, millis) =
            units.iter().find(|(unit, _)| behind.starts_with(unit)).ok_or(Wrong::Form)?;
        #[expect(clippy::cast_precision_loss, reason = "a day in milliseconds is a small number")]
        let part = number * *millis as f64;
        total += part;
        rest = &behind[unit.len()..];
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("1m500ms", 60_500),
            ("0s", 0),
            (" 5s ", 5000),
            ("PT30S", 30_000),
            ("PT1.5S", 1500),
            ("P1DT2H", 93_600_000),
            ("0.4ms", 0),
            ("366d", LONGEST.0),
        ] {
            assert_eq!(parse(text), Ok(Millis(millis)), "{text}");
        }
        assert_eq!(from_seconds(1.5), Ok(Millis(1500)));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", "5", "s", "5 s", "5x", "-5s", "5sec", "1.s", ".5s", "1.2.3s", "P", "PT", "P1H",
            "PTS", "five", "é", "5é", "1e3s", "∞",
        ] {
            assert_eq!(parse(text), Err(Wrong::Form), "{text}");
        }
        assert_eq!(parse("367d"), Err(Wrong::TooLong));
        assert_eq!(parse(&format!("{}d", "9".repeat(400))), Err(Wrong::TooLong));
        assert_eq!(from_seconds(-1.0), Err(Wrong::Form));
        assert_eq!(from_seconds(1e300), Err(Wrong::TooLong));
    }
}
