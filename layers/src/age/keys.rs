//! How the file's key is wrapped: for an X25519 recipient, or by a passphrase.

use super::header::Stanza;
use super::{Broken, FILE_KEY, Keys, bech32, hkdf};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use x25519_dalek::{PublicKey, StaticSecret};

const X25519_INFO: &[u8] = b"age-encryption.org/v1/X25519";
const SCRYPT_INFO: &[u8] = b"age-encryption.org/v1/scrypt";
const WRONG: Broken = Broken::Malformed("its header is damaged");

/// Who may read: `age1…`.
#[derive(Clone)]
pub(crate) struct Recipient(PublicKey);

/// A private key: `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub(crate) struct Identity(StaticSecret);

impl Recipient {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = bech32::decode(text.trim(), "age")?.try_into().ok()?;
        Some(Self(PublicKey::from(bytes)))
    }

    pub(super) fn wrap(
        &self,
        file_key: &[u8; FILE_KEY],
        ephemeral: [u8; 32],
    ) -> Result<Stanza, ring::error::Unspecified> {
        let ephemeral = StaticSecret::from(ephemeral);
        let share = PublicKey::from(&ephemeral);
        let shared = ephemeral.diffie_hellman(&self.0);
        if !shared.was_contributory() {
            return Err(ring::error::Unspecified);
        }
        let key = x25519_key(shared.as_bytes(), &share, &self.0);
        let body = cipher(&key)
            .encrypt(&Nonce::default(), file_key.as_slice())
            .map_err(|_| ring::error::Unspecified)?;
        Ok(Stanza {
            arguments: vec!["X25519".to_owned(), STANDARD_NO_PAD.encode(share.as_bytes())],
            body,
        })
    }
}

impl Identity {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = bech32::decode(text.trim(), "age-secret-key-")?.try_into().ok()?;
        Some(Self(StaticSecret::from(bytes)))
    }

    /// Who reads with it.
    #[cfg(test)]
    pub(super) fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }
}

fn x25519_key(shared: &[u8; 32], share: &PublicKey, recipient: &PublicKey) -> [u8; 32] {
    hkdf(shared, &[share.as_bytes().as_slice(), recipient.as_bytes()].concat(), X25519_INFO)
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&Key::from(*key))
}

/// A stanza that is understood here.
pub(super) enum Wrap<'a> {
    X25519 { share: [u8; 32], body: &'a [u8] },
    Scrypt { salt: [u8; 16], work: u8, body: &'a [u8] },
}

impl<'a> Wrap<'a> {
    /// None: it is of a kind for somebody else.
    pub(super) fn of(stanza: &'a Stanza) -> Result<Option<Self>, Broken> {
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| WRONG);
        let arguments: Vec<&str> = stanza.arguments.iter().map(String::as_str).collect();
        let body = stanza.body.as_slice();
        match arguments.as_slice() {
            ["X25519", share] if body.len() == FILE_KEY + 16 => {
                let share = decode(share)?.try_into().map_err(|_| WRONG)?;
                Ok(Some(Self::X25519 { share, body }))
            }
            ["scrypt", salt, work] if body.len() == FILE_KEY + 16 => {
                let salt = decode(salt)?.try_into().map_err(|_| WRONG)?;
                let plain =
                    work.bytes().all(|byte| byte.is_ascii_digit()) && !work.starts_with('0');
                let work =
                    if plain { work.parse().map_err(|_| WRONG)? } else { return Err(WRONG) };
                Ok(Some(Self::Scrypt { salt, work, body }))
            }
            ["X25519" | "scrypt", ..] => Err(WRONG),
            _ => Ok(None),
        }
    }

    /// The file's key, if one of ours opens it.
    pub(super) fn open(&self, keys: &Keys) -> Result<Option<[u8; FILE_KEY]>, Broken> {
        let opened = |key: &[u8; 32], body: &[u8]| {
            cipher(key).decrypt(&Nonce::default(), body).ok().and_then(|key| key.try_into().ok())
        };
        match self {
            Self::X25519 { share, body } => {
                let share = PublicKey::from(*share);
                for Identity(secret) in &keys.identities {
                    let shared = secret.diffie_hellman(&share);
                    if !shared.was_contributory() {
                        return Err(WRONG);
                    }
                    let key = x25519_key(shared.as_bytes(), &share, &PublicKey::from(secret));
                    if let Some(key) = opened(&key, body) {
                        return Ok(Some(key));
                    }
                }
                Ok(None)
            }
            Self::Scrypt { salt, work, body } => {
                let Some(passphrase) = &keys.passphrase else { return Ok(None) };
                if *work > keys.most_work {
                    return Err(Broken::TooCostly(*work));
                }
                Ok(stretched(passphrase, salt, *work).and_then(|key| opened(&key, body)))
            }
        }
    }
}

fn stretched(passphrase: &str, salt: &[u8; 16], work: u8) -> Option<[u8; 32]> {
    let parameters = scrypt::Params::new(work, 8, 1).ok()?;
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.as_bytes(), &[SCRYPT_INFO, salt].concat(), &parameters, &mut key)
        .ok()?;
    Some(key)
}

pub(super) fn wrap_by_passphrase(
    file_key: &[u8; FILE_KEY],
    passphrase: &str,
    salt: &[u8; 16],
    work: u8,
) -> Option<Stanza> {
    let key = stretched(passphrase, salt, work)?;
    let body = cipher(&key).encrypt(&Nonce::default(), file_key.as_slice()).ok()?;
    Some(Stanza {
        arguments: vec!["scrypt".to_owned(), STANDARD_NO_PAD.encode(salt), work.to_string()],
        body,
    })
}
