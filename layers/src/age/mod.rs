//! The file format `age-encryption.org/v1`: X25519 recipients and passphrases.
//!
//! The format is small and frozen, its published vectors run as a test, and the crate of its name
//! brings 120 others. What is secret here never goes into an error.

mod armor;
mod bech32;
mod header;
mod keys;
mod payload;
#[cfg(test)]
mod tests;

pub(crate) use keys::{Identity, Recipient};

use header::{Header, Stanza};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::Sha256;

/// Why something cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It is no age file: what is wrong with it.
    Malformed(&'static str),
    /// No key that was given opens it.
    NoMatch,
    /// A passphrase is needed, and none was given; or the other way round.
    OtherKind { passphrase: bool },
    /// The passphrase costs 2^n, and less is allowed.
    TooCostly(u8),
    /// The header or the content was changed or cut off.
    Changed,
}

/// To whom.
#[derive(Clone)]
pub(crate) enum To {
    Recipients(Vec<Recipient>),
    /// With the work factor: 2^n rounds, 2^n KiB of memory.
    Passphrase(String, u8),
}

/// Keys that may open a file.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    pub(crate) identities: Vec<Identity>,
    pub(crate) passphrase: Option<String>,
    /// The highest work factor that is borne.
    pub(crate) most_work: u8,
}

pub(super) const FILE_KEY: usize = 16;

/// Encrypts for somebody.
pub(crate) fn encrypt(data: &[u8], to: &To) -> Result<Vec<u8>, ring::error::Unspecified> {
    let random = SystemRandom::new();
    let mut file_key = [0; FILE_KEY];
    random.fill(&mut file_key)?;
    let stanzas: Vec<Stanza> = match to {
        To::Recipients(recipients) => recipients
            .iter()
            .map(|recipient| {
                let mut ephemeral = [0; 32];
                random.fill(&mut ephemeral)?;
                recipient.wrap(&file_key, ephemeral)
            })
            .collect::<Result<_, _>>()?,
        To::Passphrase(passphrase, work) => {
            let mut salt = [0; 16];
            random.fill(&mut salt)?;
            vec![
                keys::wrap_by_passphrase(&file_key, passphrase, &salt, *work)
                    .ok_or(ring::error::Unspecified)?,
            ]
        }
    };
    let mut nonce = [0; 16];
    random.fill(&mut nonce)?;
    let mut out = header::write(&stanzas, &file_key);
    out.extend(nonce);
    payload::seal(&hkdf(&file_key, &nonce, b"payload"), data, &mut out)
        .ok_or(ring::error::Unspecified)?;
    Ok(out)
}

/// Decrypts with the keys at hand; armoured or not.
pub(crate) fn decrypt(file: &[u8], keys: &Keys) -> Result<Vec<u8>, Broken> {
    let unwrapped = armor::open(file)?;
    let file = unwrapped.as_deref().unwrap_or(file);
    let (header, body) = Header::parse(file)?;
    let file_key = file_key(&header.stanzas, keys)?;
    header.check(&file_key)?;
    let (nonce, content) = body.split_at_checked(16).ok_or(Broken::Malformed("it is cut off"))?;
    payload::open(&hkdf(&file_key, nonce, b"payload"), content).ok_or(Broken::Changed)
}

fn file_key(stanzas: &[Stanza], keys: &Keys) -> Result<[u8; FILE_KEY], Broken> {
    let by_passphrase = stanzas.iter().any(|stanza| stanza.kind() == "scrypt");
    if by_passphrase && stanzas.len() > 1 {
        return Err(Broken::Malformed("a passphrase stands beside another recipient"));
    }
    // All of them first: one that is malformed makes the file malformed, whoever it is for.
    let mut wraps = Vec::new();
    for stanza in stanzas {
        wraps.extend(keys::Wrap::of(stanza)?);
    }
    if by_passphrase != keys.passphrase.is_some() && (by_passphrase || keys.identities.is_empty()) {
        return Err(Broken::OtherKind { passphrase: by_passphrase });
    }
    for wrap in &wraps {
        if let Some(key) = wrap.open(keys)? {
            return Ok(key);
        }
    }
    Err(Broken::NoMatch)
}

/// The text form of an encrypted file.
pub(crate) fn armored(file: &[u8]) -> String {
    armor::close(file)
}

/// HKDF-SHA-256 (RFC 5869), of which 32 bytes are one block.
fn hkdf(secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
    let extracted = mac(salt, &[secret]);
    mac(&extracted, &[info, &[1]])
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    // Any length is a key of HMAC; an empty salt is one of zeros.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
