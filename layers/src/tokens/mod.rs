//! JSON Web Tokens (RFC 7515, 7517, 7518, 7519): keys, signatures, claims.
//!
//! **Invariants.** A secret and a public key are different kinds of keys, and each takes only its
//! own algorithms: a token cannot choose how it is checked. `none` is no algorithm here. Nothing
//! that is secret, nor a token, goes into an error.

mod algorithm;
mod claims;
mod der;
mod jwk;
mod jwt;
mod key;
mod pem;
mod sign;

pub(crate) use algorithm::Algorithm;
pub(crate) use claims::{Expected, check, scopes};
pub(crate) use jwk::KeySet;
pub(crate) use jwt::{Token, encode};
pub(crate) use key::VerifyKey;
pub(crate) use sign::SignKey;

/// Why a token is refused: a stable reason, and words without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Refused {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Why a key cannot be used: what is wrong, and what to give instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadKey {
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

impl BadKey {
    fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}
