//! The text form (RFC 7468, strict).

use super::Broken;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const WIDTH: usize = 64;
const WRONG: Broken = Broken::Malformed("its text form is damaged");

pub(super) fn close(file: &[u8]) -> String {
    let encoded = STANDARD.encode(file);
    let mut text = format!("{BEGIN}\n");
    for line in encoded.as_bytes().chunks(WIDTH) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// The bytes; none when this is no text form.
pub(super) fn open(file: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
    let start = file.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(file.len());
    if !file[start..].starts_with(b"-----BEGIN") {
        return Ok(None);
    }
    let text = std::str::from_utf8(&file[start..]).map_err(|_| WRONG)?;
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    if lines.next() != Some(BEGIN) {
        return Err(WRONG);
    }
    let mut out = Vec::new();
    let mut ended = false;
    for line in lines.by_ref() {
        if line == END {
            break;
        }
        // Only the last line is shorter, and none is empty.
        if ended || line.is_empty() || line.len() > WIDTH {
            return Err(WRONG);
        }
        ended = line.len() < WIDTH || line.ends_with('=');
        out.extend(STANDARD.decode(line).map_err(|_| WRONG)?);
    }
    let closed = text.trim_ascii_end().ends_with(END);
    let nothing_follows = lines.all(|line| line.bytes().all(|byte| byte.is_ascii_whitespace()));
    if closed && nothing_follows { Ok(Some(out)) } else { Err(WRONG) }
}
