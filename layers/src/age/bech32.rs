//! Bech32 (BIP 173), reading only, without its limit of length.

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The bytes behind `prefix`; none when anything is wrong.
pub(super) fn decode(text: &str, prefix: &str) -> Option<Vec<u8>> {
    let mixed = text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_uppercase());
    if mixed || !text.is_ascii() {
        return None;
    }
    let low = text.to_ascii_lowercase();
    let data = low.strip_prefix(prefix)?.strip_prefix('1')?;
    let values: Vec<u8> = data
        .bytes()
        .map(|byte| {
            LETTERS.iter().position(|letter| *letter == byte).and_then(|at| u8::try_from(at).ok())
        })
        .collect::<Option<_>>()?;
    let expanded =
        prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31));
    if checksum(expanded.chain(values.iter().copied())) != 1 {
        return None;
    }
    bytes(values.get(..values.len().checked_sub(6)?)?)
}

fn checksum(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum: u32, value| {
        let top = sum >> 25;
        let next = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| top >> bit & 1 == 1)
            .fold(next, |sum, (_, part)| sum ^ part)
    })
}

/// Five bits each to eight bits each; what is left over is zero and less than a letter.
fn bytes(values: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for value in values {
        held = held << 5 | u32::from(*value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
        held &= 0xfff;
    }
    (bits < 5 && held & ((1 << bits) - 1) == 0).then_some(out)
}
