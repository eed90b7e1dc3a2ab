//! From the parser's counting in characters to bytes.

/// Where each character of a text stands.
pub(super) enum Offsets {
    /// Characters are bytes; with the length of the text.
    Ascii(usize),
    /// Byte offset of every character, and the length of the text behind the last.
    Table(Vec<usize>),
}

impl Offsets {
    pub(super) fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.len());
        }
        let starts = text.char_indices().map(|(at, _)| at);
        Self::Table(starts.chain([text.len()]).collect())
    }

    /// The byte at which character number `index` starts; the text's end if there is none.
    pub(super) fn byte(&self, index: usize) -> usize {
        match self {
            Self::Ascii(length) => index.min(*length),
            Self::Table(starts) => starts[index.min(starts.len() - 1)],
        }
    }
}
