//! Sets of public keys (RFC 7517).

use super::{Algorithm, VerifyKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// One key of a set.
#[derive(Clone)]
pub(crate) struct Jwk {
    pub(crate) kid: Option<String>,
    /// The only algorithm it is for, if it says so.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) key: VerifyKey,
}

/// Keys that check signatures.
#[derive(Clone, Default)]
pub(crate) struct KeySet {
    pub(super) keys: Vec<Jwk>,
}

/// More are no set of keys.
const MOST: usize = 256;

impl KeySet {
    /// A key without a name.
    pub(crate) fn one(key: VerifyKey) -> Self {
        Self { keys: vec![Jwk { kid: None, algorithm: None, key }] }
    }

    /// A set, or a single key. Keys that are for something else are left out, as the standard
    /// says; shared secrets too unless `secrets`: what can be fetched is no secret.
    pub(crate) fn parse(value: &Value, secrets: bool) -> Result<Self, String> {
        let listed = match (value.get("keys"), value.get("kty")) {
            (Some(Value::Array(keys)), _) => keys.as_slice(),
            (None, Some(_)) => std::slice::from_ref(value),
            _ => return Err("it is not a set of keys: a list under `keys` is expected".to_owned()),
        };
        let keys: Vec<Jwk> =
            listed.iter().take(MOST).filter_map(|key| parse(key, secrets)).collect();
        if keys.is_empty() {
            return Err("it holds no key that can be used to check signatures".to_owned());
        }
        Ok(Self { keys })
    }

    pub(crate) fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }
}

fn parse(value: &Value, secrets: bool) -> Option<Jwk> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let bytes = |key: &str| URL_SAFE_NO_PAD.decode(text(key)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    if let Some(Value::Array(uses)) = value.get("key_ops")
        && !uses.iter().any(|usage| usage == "verify")
    {
        return None;
    }
    let point = |length: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), &y].concat())
    };
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let strip = |bytes: Vec<u8>| {
                bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>()
            };
            VerifyKey::Rsa { n: strip(bytes("n")?), e: strip(bytes("e")?) }
        }
        ("EC", Some("P-256")) => VerifyKey::P256(point(32)?),
        ("EC", Some("P-384")) => VerifyKey::P384(point(48)?),
        ("OKP", Some("Ed25519")) => VerifyKey::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
        ("oct", _) if secrets => VerifyKey::Secret(bytes("k").filter(|k| !k.is_empty())?),
        _ => return None,
    };
    let algorithm = match text("alg") {
        // One that is not known is for an algorithm that is not known.
        Some(name) => Some(Algorithm::named(name)?),
        None => None,
    };
    Some(Jwk { kid: text("kid").map(str::to_owned), algorithm, key })
}
