//! The compact form: header, claims, signature.

use super::{Algorithm, KeySet, Refused, SignKey};
use crate::parse::json::{Large, Options, Reader, Repeated};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Longer ones are not looked at.
const LONGEST: usize = 64 * 1024;
/// Keys that are tried when a token does not name its key.
const TRIED: usize = 16;

/// A token, taken apart and not yet believed.
pub(crate) struct Token<'a> {
    pub(crate) header: Map<String, Value>,
    algorithm: Algorithm,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

fn malformed(what: &str) -> Refused {
    Refused::new("token_malformed", format!("it is not a signed JSON Web Token: {what}"))
}

fn part(text: &str, name: &str) -> Result<Map<String, Value>, Refused> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| malformed(&format!("its {name} is not base64url")))?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| malformed(&format!("its {name} is not UTF-8")))?;
    // A key that stands twice means one thing to us and may mean another to somebody else.
    let options = Options { depth: 32, repeated: Repeated::Refuse, large: Large::Nearest };
    match Reader::new(text, options).only_value() {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(malformed(&format!("its {name} is not a JSON object with each key once"))),
    }
}

impl<'a> Token<'a> {
    /// Takes it apart; `Bearer ` in front of it is no harm.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refused> {
        let text = text.trim();
        let text = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("bearer ") => text[7..].trim_start(),
            _ => text,
        };
        if text.len() > LONGEST {
            return Err(malformed("it is longer than 64 KiB"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            let encrypted = parts.len() == 5;
            return Err(malformed(if encrypted {
                "it is an encrypted one"
            } else {
                "it has not three parts"
            }));
        };
        let header = part(header, "header")?;
        let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let Some(algorithm) = Algorithm::named(name) else {
            let shown = crate::parse::json::shorten(name);
            return Err(Refused::new(
                "algorithm_refused",
                format!("the token is signed with `{shown}`, which is never accepted"),
            ));
        };
        // What must be understood and is not.
        if header.contains_key("crit") || header.get("b64") == Some(&Value::Bool(false)) {
            return Err(malformed("its header demands an extension that is not supported"));
        }
        let claims = part(claims, "content")?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed("its signature is not base64url"))?;
        let signed = &text[..text.rfind('.').unwrap_or(0)];
        Ok(Self { header, algorithm, claims, signed, signature })
    }

    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The claims, once the signature is by one of these keys, under an accepted algorithm.
    pub(crate) fn verify(
        &self,
        keys: &KeySet,
        accepted: Option<&[Algorithm]>,
    ) -> Result<&Map<String, Value>, Refused> {
        if accepted.is_some_and(|accepted| !accepted.contains(&self.algorithm)) {
            let name = self.algorithm.name();
            return Err(Refused::new(
                "algorithm_refused",
                format!("the token is signed with {name}, which is not among `algorithms`"),
            ));
        }
        let by_kind = keys.keys.iter().filter(|jwk| {
            jwk.key.takes(self.algorithm) && jwk.algorithm.is_none_or(|only| only == self.algorithm)
        });
        let mut fitting = by_kind
            // A key without a name may be any.
            .filter(|jwk| {
                self.kid().is_none() || jwk.kid.is_none() || jwk.kid.as_deref() == self.kid()
            })
            .take(TRIED)
            .peekable();
        if fitting.peek().is_none() {
            if let Some(kid) = self
                .kid()
                .filter(|kid| !keys.has(kid) && keys.keys.iter().all(|jwk| jwk.kid.is_some()))
            {
                let shown = crate::parse::json::shorten(kid);
                return Err(Refused::new(
                    "key_unknown",
                    format!("the token is signed by the key `{shown}`, which is not known"),
                ));
            }
            let name = self.algorithm.name();
            return Err(Refused::new(
                "algorithm_refused",
                format!("the token is signed with {name}, which is not for the key that was given"),
            ));
        }
        if fitting
            .any(|jwk| jwk.key.verify(self.algorithm, self.signed.as_bytes(), &self.signature))
        {
            return Ok(&self.claims);
        }
        Err(Refused::new(
            "signature_invalid",
            "the token's signature is not by the key that was given",
        ))
    }
}

/// Makes a token.
pub(crate) fn encode(
    header: Map<String, Value>,
    claims: &Map<String, Value>,
    key: &SignKey,
) -> Result<String, String> {
    let mut full = Map::new();
    full.insert("alg".to_owned(), key.algorithm().name().into());
    full.insert("typ".to_owned(), "JWT".into());
    full.extend(header.into_iter().filter(|(name, _)| name != "alg"));
    let json = |map: &Map<String, Value>| {
        serde_json::to_vec(map)
            .map(|text| URL_SAFE_NO_PAD.encode(text))
            .map_err(|error| error.to_string())
    };
    let signed = format!("{}.{}", json(&full)?, json(claims)?);
    let signature = key.sign(signed.as_bytes()).map_err(|error| error.to_string())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
