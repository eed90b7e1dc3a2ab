//! Moments in time as people write them: reading, spelling, moving, comparing.

mod names;
mod read;
mod relative;
mod shift;
mod spell;

pub(crate) use names::Locale;
pub(crate) use read::{Reading, read, zone};
pub(crate) use relative::relative;
pub(crate) use shift::{Unit, duration, round, truncate};
pub(crate) use spell::{rfc3339, spell};

/// Why a date cannot be read, moved or spelled: what is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

impl Wrong {
    fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}

/// What cannot be in the years that the calendar has.
fn out_of_range(error: &jiff::Error) -> Wrong {
    Wrong::new(
        format!("the moment is out of range: {error}"),
        "stay between the years -9999 and 9999",
    )
}
