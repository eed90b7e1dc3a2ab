//! As much of DER as keys need.

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;

/// Takes the next element of this kind; what is left stays in `rest`.
pub(super) fn take<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, content) = next(rest)?;
    (found == tag).then_some(content)
}

/// Takes the next element of any kind.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [tag, first, tail @ ..] = *rest else { return None };
    let (length, tail) = match *first {
        short @ 0..=0x7f => (usize::from(short), tail),
        // At most two bytes of length: no key is longer than 64 KiB.
        0x81 => (usize::from(*tail.first()?), &tail[1..]),
        0x82 => (usize::from(*tail.first()?) << 8 | usize::from(*tail.get(1)?), &tail[2..]),
        _ => return None,
    };
    let (content, after) = tail.split_at_checked(length)?;
    *rest = after;
    Some((*tag, content))
}

/// A positive number without its leading zero.
pub(super) fn number<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let content = take(rest, INTEGER)?;
    let start = content.iter().position(|byte| *byte != 0)?;
    Some(&content[start..])
}

/// Whole bytes.
pub(super) fn bits<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    take(rest, BITS)?.strip_prefix(&[0])
}
