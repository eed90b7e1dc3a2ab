//! Something that is wrong with the checkout.

use std::fmt;

/// What is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What, and where.
    pub(crate) what: String,
    /// What to do; not optional.
    pub(crate) mend: String,
    /// Warnings do not fail the check.
    pub(crate) warning: bool,
}

impl Finding {
    pub(crate) fn error(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into(), warning: false }
    }

    pub(crate) fn warning(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(what, mend) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning" } else { "error" };
        write!(f, "{kind}: {}\n  help: {}", self.what, self.mend)
    }
}
