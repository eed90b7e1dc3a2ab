//! The content: chunks of 64 KiB, each sealed by itself, the last one marked.

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};

const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::from(bytes)
}

pub(super) fn seal(key: &[u8; 32], data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let count = data.len().div_ceil(CHUNK).max(1);
    for number in 0..count {
        let chunk = &data[number * CHUNK..data.len().min((number + 1) * CHUNK)];
        out.extend(cipher.encrypt(&nonce(number as u64, number + 1 == count), chunk).ok()?);
    }
    Some(())
}

/// None when anything was changed, cut off or added.
pub(super) fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let count = sealed.len().div_ceil(CHUNK + TAG).max(1);
    let mut out = Vec::with_capacity(sealed.len());
    for number in 0..count {
        let chunk = &sealed[number * (CHUNK + TAG)..sealed.len().min((number + 1) * (CHUNK + TAG))];
        let opened = cipher.decrypt(&nonce(number as u64, number + 1 == count), chunk).ok()?;
        // Only a file without content ends in an empty chunk.
        if opened.is_empty() && number > 0 {
            return None;
        }
        out.extend(opened);
    }
    Some(out)
}
