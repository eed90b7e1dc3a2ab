//! The text form of keys (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The label and the bytes of the first block.
pub(super) fn read(text: &str) -> Option<(String, Vec<u8>)> {
    // Secrets often come with `\n` for line breaks.
    let text = text.replace("\\n", "\n");
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    // Old files have headers, which only encrypted ones need.
    if body.contains(':') {
        return None;
    }
    let encoded: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Some((label.to_owned(), STANDARD.decode(encoded).ok()?))
}
