//! Keys that check signatures.

use super::algorithm::Family;
use super::{Algorithm, BadKey, der, pem};
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey,
};

/// A key that checks signatures.
#[derive(Clone)]
pub(crate) enum VerifyKey {
    Secret(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

pub(super) const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(super) const P256_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
pub(super) const P384_OID: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];

impl VerifyKey {
    /// A public key in PEM.
    pub(crate) fn from_pem(text: &str) -> Result<Self, BadKey> {
        let wrong = |what: &str| {
            BadKey::new(
                what,
                "give a public key in PEM: RSA, P-256, P-384 or Ed25519, as `openssl pkey -pubout` writes it",
            )
        };
        let (label, bytes) = pem::read(text).ok_or_else(|| wrong("it is not PEM"))?;
        match label.as_str() {
            "PUBLIC KEY" => Self::from_spki(&bytes)
                .ok_or_else(|| wrong("it is a kind of key that is not supported")),
            "RSA PUBLIC KEY" => Self::rsa(&bytes).ok_or_else(|| wrong("it is damaged")),
            "CERTIFICATE" => Err(BadKey::new(
                "it is a certificate",
                "take its key out with `openssl x509 -pubkey -noout`",
            )),
            label if label.contains("PRIVATE") => Err(BadKey::new(
                "it is a private key",
                "checking needs the public one: `openssl pkey -pubout`",
            )),
            _ => Err(wrong("it is not a public key")),
        }
    }

    fn rsa(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut rest = der::take(&mut rest, der::SEQUENCE)?;
        let (n, e) = (der::number(&mut rest)?, der::number(&mut rest)?);
        Some(Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    fn from_spki(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut rest = der::take(&mut rest, der::SEQUENCE)?;
        let mut kind = der::take(&mut rest, der::SEQUENCE)?;
        let oid = der::take(&mut kind, der::OID)?;
        let key = der::bits(&mut rest)?;
        match oid {
            RSA_OID | RSA_PSS_OID => Self::rsa(key),
            ED25519_OID if key.len() == 32 => Some(Self::Ed25519(key.to_vec())),
            EC_OID => match der::take(&mut kind, der::OID)? {
                P256_OID if key.len() == 65 => Some(Self::P256(key.to_vec())),
                P384_OID if key.len() == 97 => Some(Self::P384(key.to_vec())),
                _ => None,
            },
            _ => None,
        }
    }

    fn family(&self) -> Family {
        match self {
            Self::Secret(_) => Family::Secret,
            Self::Rsa { .. } => Family::Rsa,
            Self::P256(_) => Family::P256,
            Self::P384(_) => Family::P384,
            Self::Ed25519(_) => Family::Ed25519,
        }
    }

    /// Whether it is the kind of key that the algorithm takes.
    pub(super) fn takes(&self, algorithm: Algorithm) -> bool {
        algorithm.family() == self.family()
    }

    /// Whether the signature is by this key's owner, under this algorithm.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.takes(algorithm) {
            return false;
        }
        match self {
            Self::Secret(secret) => algorithm.hmac().is_some_and(|hmac| {
                let key = ring::hmac::Key::new(hmac, secret);
                ring::hmac::verify(&key, message, signature).is_ok()
            }),
            Self::Rsa { n, e } => algorithm.rsa().is_some_and(|parameters| {
                PublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::P384(point) => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }
}
