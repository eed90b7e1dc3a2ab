//! Keys that sign.

use super::algorithm::Family;
use super::{Algorithm, BadKey, der, key, pem};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RsaKeyPair,
};

/// A key that signs under one algorithm.
pub(crate) struct SignKey {
    algorithm: Algorithm,
    kind: Kind,
}

enum Kind {
    Secret(ring::hmac::Key),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

const HINT: &str = "give a private key in PEM as `openssl genpkey` writes it: RSA of 2048 bits or more, P-256, P-384 or Ed25519, not encrypted";

impl SignKey {
    /// A shared secret, at least as long as the hash (RFC 7518 §3.2).
    pub(crate) fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, BadKey> {
        let hint = "make one with `openssl rand -base64 64`; other algorithms need `private_key`";
        let Some(hmac) = algorithm.hmac() else {
            return Err(BadKey::new(
                format!("{} does not sign with a shared secret", algorithm.name()),
                hint,
            ));
        };
        let least = hmac.digest_algorithm().output_len();
        if secret.len() < least {
            return Err(BadKey::new(
                format!("{} needs a secret of {least} bytes or more", algorithm.name()),
                hint,
            ));
        }
        Ok(Self { algorithm, kind: Kind::Secret(ring::hmac::Key::new(hmac, secret)) })
    }

    /// A private key in PEM.
    pub(crate) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, BadKey> {
        let wrong = |what: &str| BadKey::new(what, HINT);
        let (label, bytes) =
            pem::read(text).ok_or_else(|| wrong("it is not PEM, or it is encrypted"))?;
        let unfit = || wrong(&format!("it is not a private key that {} takes", algorithm.name()));
        let kind = match (algorithm.family(), label.as_str()) {
            (Family::Secret, _) => {
                return Err(BadKey::new(
                    format!("{} signs with a shared secret", algorithm.name()),
                    "give `secret` instead",
                ));
            }
            (_, "ENCRYPTED PRIVATE KEY") => return Err(wrong("it is encrypted")),
            (Family::Rsa, "PRIVATE KEY") => {
                Kind::Rsa(RsaKeyPair::from_pkcs8(&bytes).map_err(|_| unfit())?)
            }
            (Family::Rsa, "RSA PRIVATE KEY") => {
                Kind::Rsa(RsaKeyPair::from_der(&bytes).map_err(|_| unfit())?)
            }
            (Family::P256, _) => Kind::Ec(
                ec(&ECDSA_P256_SHA256_FIXED_SIGNING, key::P256_OID, &label, &bytes)
                    .ok_or_else(unfit)?,
            ),
            (Family::P384, _) => Kind::Ec(
                ec(&ECDSA_P384_SHA384_FIXED_SIGNING, key::P384_OID, &label, &bytes)
                    .ok_or_else(unfit)?,
            ),
            (Family::Ed25519, "PRIVATE KEY") => Kind::Ed25519(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).map_err(|_| unfit())?,
            ),
            (Family::Rsa | Family::Ed25519, _) => return Err(unfit()),
        };
        Ok(Self { algorithm, kind })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let random = SystemRandom::new();
        Ok(match &self.kind {
            Kind::Secret(key) => ring::hmac::sign(key, message).as_ref().to_vec(),
            Kind::Rsa(pair) => {
                let padding = self.algorithm.rsa_padding().ok_or(ring::error::Unspecified)?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature)?;
                signature
            }
            Kind::Ec(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Kind::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }
}

fn ec(
    algorithm: &'static EcdsaSigningAlgorithm,
    curve: &[u8],
    label: &str,
    bytes: &[u8],
) -> Option<EcdsaKeyPair> {
    let random = SystemRandom::new();
    match label {
        "PRIVATE KEY" => EcdsaKeyPair::from_pkcs8(algorithm, bytes, &random).ok(),
        // SEC 1: version, the secret, [0] the curve, [1] the point.
        "EC PRIVATE KEY" => {
            let mut rest = bytes;
            let mut rest = der::take(&mut rest, der::SEQUENCE)?;
            der::number(&mut rest)?;
            let secret = der::take(&mut rest, der::OCTETS)?;
            let mut named = der::take(&mut rest, 0xa0)?;
            if der::take(&mut named, der::OID)? != curve {
                return None;
            }
            let mut point = der::take(&mut rest, 0xa1)?;
            EcdsaKeyPair::from_private_key_and_public_key(
                algorithm,
                secret,
                der::bits(&mut point)?,
                &random,
            )
            .ok()
        }
        _ => None,
    }
}
