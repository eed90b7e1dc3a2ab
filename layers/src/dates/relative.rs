//! `3 days ago`, `через 3 дня`, `in 3 Tagen`.

use super::{Locale, Wrong};
use jiff::{Unit, ZonedDateTime};

/// The forms of a unit: one, few (Russian only), many.
type Forms = [&'static str; 3];

const UNITS: usize = 6;

/// Years, months, days, hours, minutes, seconds.
fn forms(locale: Locale) -> [Forms; UNITS] {
    match locale {
        Locale::En => [
            ["year", "years", "years"],
            ["month", "months", "months"],
            ["day", "days", "days"],
            ["hour", "hours", "hours"],
            ["minute", "minutes", "minutes"],
            ["second", "seconds", "seconds"],
        ],
        Locale::Ru => [
            ["год", "года", "лет"],
            ["месяц", "месяца", "месяцев"],
            ["день", "дня", "дней"],
            ["час", "часа", "часов"],
            ["минуту", "минуты", "минут"],
            ["секунду", "секунды", "секунд"],
        ],
        Locale::De => [
            ["Jahr", "Jahren", "Jahren"],
            ["Monat", "Monaten", "Monaten"],
            ["Tag", "Tagen", "Tagen"],
            ["Stunde", "Stunden", "Stunden"],
            ["Minute", "Minuten", "Minuten"],
            ["Sekunde", "Sekunden", "Sekunden"],
        ],
    }
}

fn form(locale: Locale, forms: Forms, count: i64) -> &'static str {
    match locale {
        Locale::Ru => match (count % 10, count % 100) {
            (_, 11..=14) => forms[2],
            (1, _) => forms[0],
            (2..=4, _) => forms[1],
            _ => forms[2],
        },
        // After `in` and `vor` stands the dative: `vor 1 Monat`, `in 1 Jahr`.
        Locale::En | Locale::De => {
            if count == 1 {
                forms[0]
            } else {
                forms[2]
            }
        }
    }
}

/// The moment as seen from `base`, by its largest unit, rounded down.
pub(crate) fn relative(
    moment: &ZonedDateTime,
    base: &ZonedDateTime,
    locale: Locale,
) -> Result<String, Wrong> {
    // In one zone: months and days of two zones cannot be compared.
    let base = base.with_time_zone(moment.time_zone().clone());
    let span = base.until((Unit::Year, moment)).map_err(|error| super::out_of_range(&error))?;
    let past = span.is_negative();
    let span = span.abs();
    let counts: [i64; UNITS] = [
        i64::from(span.get_years()),
        i64::from(span.get_months()),
        i64::from(span.get_days()),
        i64::from(span.get_hours()),
        span.get_minutes(),
        span.get_seconds(),
    ];
    let found = counts.into_iter().zip(forms(locale)).find(|(count, _)| *count > 0);
    let Some((count, names)) = found else {
        return Ok(match locale {
            Locale::En => "now",
            Locale::Ru => "сейчас",
            Locale::De => "jetzt",
        }
        .to_owned());
    };
    let unit = form(locale, names, count);
    Ok(match (locale, past) {
        (Locale::En, false) => format!("in {count} {unit}"),
        (Locale::En, true) => format!("{count} {unit} ago"),
        (Locale::Ru, false) => format!("через {count} {unit}"),
        (Locale::Ru, true) => format!("{count} {unit} назад"),
        (Locale::De, false) => format!("in {count} {unit}"),
        (Locale::De, true) => format!("vor {count} {unit}"),
    })
}
