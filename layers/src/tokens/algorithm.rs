//! Signature algorithms (RFC 7518 §3, RFC 8037).

use ring::rsa::RsaParameters;
use ring::signature::{self as ring_signature, RsaEncoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A signature algorithm, as tokens name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Which keys an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Secret,
    Rsa,
    P256,
    P384,
    Ed25519,
}

const ALL: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDsa,
];

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The name must be exact: `None`, `nOnE` and `hs256` are nothing.
    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Secret,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => {
                Family::Rsa
            }
            Self::ES256 => Family::P256,
            Self::ES384 => Family::P384,
            Self::EdDsa => Family::Ed25519,
        }
    }

    pub(super) fn hmac(self) -> Option<ring::hmac::Algorithm> {
        match self {
            Self::HS256 => Some(ring::hmac::HMAC_SHA256),
            Self::HS384 => Some(ring::hmac::HMAC_SHA384),
            Self::HS512 => Some(ring::hmac::HMAC_SHA512),
            Self::RS256
            | Self::RS384
            | Self::RS512
            | Self::PS256
            | Self::PS384
            | Self::PS512
            | Self::ES256
            | Self::ES384
            | Self::EdDsa => None,
        }
    }

    /// How RSA verifies; keys of less than 2048 bits are refused by it.
    pub(super) fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::RS256 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => Some(&ring_signature::RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Some(&ring_signature::RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Some(&ring_signature::RSA_PSS_2048_8192_SHA512),
            Self::HS256 | Self::HS384 | Self::HS512 | Self::ES256 | Self::ES384 | Self::EdDsa => {
                None
            }
        }
    }

    /// How RSA signs.
    pub(super) fn rsa_padding(self) -> Option<&'static dyn RsaEncoding> {
        match self {
            Self::RS256 => Some(&ring_signature::RSA_PKCS1_SHA256),
            Self::RS384 => Some(&ring_signature::RSA_PKCS1_SHA384),
            Self::RS512 => Some(&ring_signature::RSA_PKCS1_SHA512),
            Self::PS256 => Some(&ring_signature::RSA_PSS_SHA256),
            Self::PS384 => Some(&ring_signature::RSA_PSS_SHA384),
            Self::PS512 => Some(&ring_signature::RSA_PSS_SHA512),
            Self::HS256 | Self::HS384 | Self::HS512 | Self::ES256 | Self::ES384 | Self::EdDsa => {
                None
            }
        }
    }
}
