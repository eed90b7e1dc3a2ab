//! From bytes that somebody else wrote to JSON: JSON, XML, CSV and their encodings.
//!
//! **Invariants.** Nothing here panics, reads a file or fetches an address, whatever the bytes
//! are; depth and size of the result are bounded. Nothing here knows of atoms either, so that the
//! fuzz targets (`fuzz/`) take this folder as it stands.

pub(crate) mod csv;
pub(crate) mod encoding;
pub(crate) mod json;
pub(crate) mod xml;

/// Why bytes are not what they should be. The same shape as a step's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
    /// Counted from 1.
    pub(crate) line: Option<u64>,
    /// In characters, counted from 1.
    pub(crate) column: Option<u64>,
    /// Which record of a table or which value of a stream, counted from 1.
    pub(crate) record: Option<u64>,
}

impl Fault {
    pub(crate) fn permanent(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (message, hint) = (message.into(), hint.into());
        Self { code, message, hint, line: None, column: None, record: None }
    }

    /// Where in `text` it is.
    #[must_use]
    pub(crate) fn at(mut self, text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        self.line = Some(before.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1);
        self.column = Some(before[start..].chars().count() as u64 + 1);
        self
    }
}
