//! Byte ranges of the source text.

use serde::{Deserialize, Serialize};

/// `start..end` in bytes of the source text, both on character borders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the type's line says it all")]
pub struct Span {
    pub start: u32,
    pub end: u32,
}
