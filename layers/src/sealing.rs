//! Secret-key encryption with XChaCha20-Poly1305, and the keys for it.
//!
//! The sealed form is the nonce (24 bytes) and then what libsodium's
//! `crypto_aead_xchacha20poly1305_ietf_encrypt` gives: the ciphertext and its tag.

use crate::content::decode;
use crate::input::bad;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use jalm_kernel::failure::Failure;
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

/// How data is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// The file format `age-encryption.org/v1`.
    Age,
    /// XChaCha20-Poly1305 with a key of 32 bytes.
    XChaCha20Poly1305,
}

const NONCE: usize = 24;

/// Passphrases are stretched by few at a time: each takes up to 256 MiB.
pub(crate) static STRETCHING: Semaphore = Semaphore::const_new(2);

/// A key of 32 bytes, as base64 or hex.
pub(crate) fn key(atom: &str, text: &str) -> Result<[u8; 32], Failure> {
    let text = text.trim();
    let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes = if hex {
        (0..32)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap_or_default())
            .collect()
    } else {
        // The reason would quote a part of it.
        decode(atom, "key", text).unwrap_or_default()
    };
    bytes.try_into().map_err(|_| {
        bad(atom, "key", "it is not 32 bytes as base64 or hex".to_owned())
            .hint("make one with `openssl rand -base64 32` and keep it as a secret")
    })
}

/// The bytes that `aad` stands for: text as it is, everything else as compact JSON.
pub(crate) fn associated(aad: Option<&Value>) -> Result<Vec<u8>, Failure> {
    match aad {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.clone().into_bytes()),
        Some(value) => serde_json::to_vec(value).map_err(Failure::bug),
    }
}

pub(crate) fn seal(key: &[u8; 32], data: &[u8], aad: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut nonce = [0; NONCE];
    SystemRandom::new().fill(&mut nonce).map_err(Failure::bug)?;
    seal_with(key, nonce, data, aad)
}

fn seal_with(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    data: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, Failure> {
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let sealed =
        cipher.encrypt(&XNonce::from(nonce), Payload { msg: data, aad }).map_err(Failure::bug)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// None when the key or the associated data are others, or the sealed form was changed.
pub(crate) fn open(key: &[u8; 32], sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::hex;

    /// draft-irtf-cfrg-xchacha-03, A.3.1.
    #[test]
    fn the_sealed_form_is_that_of_the_draft() {
        let data = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let key: Vec<u8> = (0x80..=0x9f).collect();
        let key: [u8; 32] = key.try_into().unwrap();
        let nonce: Vec<u8> = (0x40..=0x57).collect();
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let sealed = seal_with(&key, nonce.try_into().unwrap(), data, &aad).unwrap();
        let text = hex(&sealed[NONCE..]);
        assert!(
            text.starts_with("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"),
            "{text}"
        );
        assert!(text.ends_with("c0875924c1c7987947deafd8780acf49"), "{text}");
        assert_eq!(open(&key, &sealed, &aad).unwrap(), data);
        assert!(open(&key, &sealed, b"other").is_none());
        assert!(open(&[0; 32], &sealed, &aad).is_none());
        assert!(open(&key, &sealed[..20], &aad).is_none());
    }

    #[test]
    fn a_key_that_is_refused_is_not_shown() {
        assert!(key("encrypt_data", &"ab".repeat(32)).is_ok());
        for secret in ["hunter2", "c2VjcmV0", "!secret!"] {
            let failure = key("encrypt_data", secret).unwrap_err();
            assert!(!format!("{failure:?}").contains(secret), "{failure:?}");
        }
    }
}
