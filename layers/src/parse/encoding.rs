//! From bytes to text: a mark at the start, what the author says, what XML says of itself, UTF-8.

use super::Fault;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// The text of `bytes`. `label` is the author's word on the encoding; a byte order mark is
/// stronger than it. `xml` says that the bytes may name their encoding themselves.
pub(crate) fn decode(bytes: &[u8], label: Option<&str>, xml: bool) -> Result<String, Fault> {
    let named = label.map(known).transpose()?;
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, length),
        None => (named.or_else(|| if xml { of_xml(bytes) } else { None }).unwrap_or(UTF_8), 0),
    };
    if encoding == UTF_8 {
        return match std::str::from_utf8(&bytes[mark..]) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(undecodable(encoding.name(), Some(mark + error.valid_up_to()))),
        };
    }
    let (text, broken) = encoding.decode_without_bom_handling(&bytes[mark..]);
    if broken { Err(undecodable(encoding.name(), None)) } else { Ok(text.into_owned()) }
}

fn known(label: &str) -> Result<&'static Encoding, Fault> {
    Encoding::for_label(label.trim().as_bytes()).ok_or_else(|| {
        Fault::permanent(
            "unknown_encoding",
            format!("`{label}` is no encoding that is known here"),
            "write a name of the WHATWG list, such as `utf-8`, `windows-1251`, `iso-8859-1`, `utf-16le`, `shift_jis`",
        )
    })
}

fn undecodable(encoding: &str, byte: Option<usize>) -> Fault {
    let place = byte.map_or_else(String::new, |at| format!(" (byte {at})"));
    Fault::permanent(
        "not_text",
        format!("the bytes are not {encoding} text{place}"),
        "name the right one with `encoding`, such as `windows-1252`",
    )
}

/// What the first bytes of an XML document say: the pattern of `<?` in UTF-16, or the declaration.
fn of_xml(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [b'<', 0, b'?', 0, ..] => return Some(UTF_16LE),
        [0, b'<', 0, b'?', ..] => return Some(UTF_16BE),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(256)];
    let head = &head[..head.windows(2).position(|pair| pair == b"?>")?];
    let head = std::str::from_utf8(head).ok()?.strip_prefix("<?xml")?;
    let value = head.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let label = value[1..].split(quote).next()?;
    // One that speaks of UTF-16 in single bytes cannot be UTF-16.
    Encoding::for_label(label.as_bytes())
        .map(|encoding| if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_stronger_than_words_and_words_than_guesses() {
        for (bytes, label, xml, text) in [
            (&b"plain"[..], None, false, "plain"),
            (b"\xef\xbb\xbfmarked", Some("windows-1252"), false, "marked"),
            (b"\xff\xfea\0b\0", None, false, "ab"),
            (b"\xfe\xff\0a\0b", None, false, "ab"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), false, "Привет"),
            (b"caf\xe9", Some("latin1"), false, "café"),
            (
                b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>",
                None,
                true,
                "<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>",
            ),
            (b"<\0?\0x\0", None, true, "<?x"),
        ] {
            assert_eq!(decode(bytes, label, xml).unwrap(), text);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let fault = decode(b"ab\xff", None, false).unwrap_err();
        assert_eq!(
            (fault.code, fault.message.as_str()),
            ("not_text", "the bytes are not UTF-8 text (byte 2)")
        );
        assert_eq!(decode(b"", Some("klingon"), false).unwrap_err().code, "unknown_encoding");
        assert_eq!(decode(b"\xff\xfea", None, false).unwrap_err().code, "not_text");
    }
}
