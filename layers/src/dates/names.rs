//! Names of months and days.

use schemars::JsonSchema;
use serde::Deserialize;

/// The language of names and of relative times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Locale {
    /// English.
    #[default]
    En,
    /// Russian.
    Ru,
    /// German.
    De,
}

/// A language's names. Months start with January, days with Monday.
pub(super) struct Names {
    pub(super) months: [&'static str; 12],
    /// Beside a day of the month: `24 ноября`.
    pub(super) months_of: [&'static str; 12],
    pub(super) short_months: [&'static str; 12],
    pub(super) days: [&'static str; 7],
    pub(super) short_days: [&'static str; 7],
}

const EN_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DE_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

pub(super) static EN: Names = Names {
    months: EN_MONTHS,
    months_of: EN_MONTHS,
    short_months: [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ],
    days: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    short_days: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
};

static RU: Names = Names {
    months: [
        "январь",
        "февраль",
        "март",
        "апрель",
        "май",
        "июнь",
        "июль",
        "август",
        "сентябрь",
        "октябрь",
        "ноябрь",
        "декабрь",
    ],
    months_of: [
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ],
    short_months: [
        "янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек",
    ],
    days: ["понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"],
    short_days: ["пн", "вт", "ср", "чт", "пт", "сб", "вс"],
};

static DE: Names = Names {
    months: DE_MONTHS,
    months_of: DE_MONTHS,
    short_months: [
        "Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez",
    ],
    days: ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
    short_days: ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
};

impl Locale {
    pub(super) fn names(self) -> &'static Names {
        match self {
            Self::En => &EN,
            Self::Ru => &RU,
            Self::De => &DE,
        }
    }
}

/// `text` with this language's names in English, so that `%B`, `%b`, `%A` and `%a` can read them.
pub(super) fn english(text: &str, locale: Locale) -> String {
    if locale == Locale::En {
        return text.to_owned();
    }
    let names = locale.names();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (own, english) in [
        (names.months.as_slice(), EN.months.as_slice()),
        (&names.months_of, &EN.months),
        (&names.short_months, &EN.short_months),
        (&names.days, &EN.days),
        (&names.short_days, &EN.short_days),
    ] {
        pairs.extend(own.iter().copied().zip(english.iter().copied()));
    }
    // `мая` before `мар` before `ма…`: the longest name that fits is meant.
    pairs.sort_by_key(|(own, _)| std::cmp::Reverse(own.len()));
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_alphabetic() {
            word.push(c);
            continue;
        }
        let low = word.to_lowercase();
        let known = pairs.iter().find(|(own, _)| own.to_lowercase() == low);
        out.push_str(known.map_or(word.as_str(), |(_, english)| english));
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}
