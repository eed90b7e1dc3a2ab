//! By a token's own signature.

use super::{AuthVerify, Found, Jwt, Outcome};
use crate::atom::Atom;
use crate::content::decode;
use crate::context::{Cx, now};
use crate::input::bad;
use crate::tokens::{BadKey, Expected, KeySet, Token, VerifyKey, check};
use jalm_kernel::failure::Failure;
use std::sync::Arc;
use std::time::Duration;

const ATOM: &str = AuthVerify::CARD.name;

pub(super) async fn verify(cx: &Cx, jwt: Jwt) -> Outcome {
    if jwt.leeway.0 > Duration::from_hours(1) {
        return Err(bad(ATOM, "jwt.leeway", "it is more than an hour".to_owned())
            .hint("set the clocks; 60 s is plenty"));
    }
    if jwt.algorithms.as_ref().is_some_and(Vec::is_empty) {
        return Err(bad(ATOM, "jwt.algorithms", "it is empty, so that no token fits".to_owned())
            .hint("leave it out, or name one"));
    }
    let keys = given(&jwt)?.map(Arc::new);
    // Before anything is fetched for its sake.
    let token = match Token::parse(&jwt.token) {
        Ok(token) => token,
        Err(refused) => return Ok(Err(refused)),
    };
    let keys = match keys {
        Some(keys) => keys,
        None => {
            let url = jwt.jwks_url.as_deref().unwrap_or_default();
            cx.shared.jwks.keys(cx, ATOM, url, token.kid()).await?
        }
    };
    let expected = Expected {
        issuers: jwt.issuer.map(super::OneOrMany::list).unwrap_or_default(),
        audiences: jwt.audience.map(super::OneOrMany::list).unwrap_or_default(),
        subject: jwt.subject,
        required: jwt.required,
        scopes: jwt.scopes,
        leeway: jwt.leeway.0.as_secs_f64(),
        max_age: jwt.max_age.map(|span| span.0.as_secs_f64()),
    };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact")]
    let seconds = now().0 as f64 / 1000.0;
    Ok(token.verify(&keys, jwt.algorithms.as_deref()).and_then(|claims| {
        check(claims, &expected, seconds)?;
        let subject = claims.get("sub").and_then(|sub| sub.as_str()).map(str::to_owned);
        Ok(Found { subject, claims: Some(claims.clone()) })
    }))
}

/// The keys that the author gives; none when they are to be fetched.
fn given(jwt: &Jwt) -> Result<Option<KeySet>, Failure> {
    let refused = |path: &str, BadKey { what, hint }: BadKey| bad(ATOM, path, what).hint(hint);
    match (&jwt.secret, &jwt.public_key, &jwt.jwks, &jwt.jwks_url) {
        (Some(secret), None, None, None) => {
            let bytes = if jwt.secret_base64 {
                decode(ATOM, "jwt.secret", secret)?
            } else {
                secret.clone().into_bytes()
            };
            if bytes.is_empty() {
                return Err(
                    bad(ATOM, "jwt.secret", "it is empty".to_owned()).hint("is the secret set?")
                );
            }
            if bytes.starts_with(b"-----BEGIN") {
                return Err(bad(
                    ATOM,
                    "jwt.secret",
                    "it is a key in PEM, which anybody may know".to_owned(),
                )
                .hint("give it as `public_key`"));
            }
            Ok(Some(KeySet::one(VerifyKey::Secret(bytes))))
        }
        (None, Some(pem), None, None) => VerifyKey::from_pem(pem)
            .map(|key| Some(KeySet::one(key)))
            .map_err(|wrong| refused("jwt.public_key", wrong)),
        (None, None, Some(set), None) => KeySet::parse(set, true).map(Some).map_err(|what| {
            bad(ATOM, "jwt.jwks", what)
                .hint("give `{ keys: [...] }` with RSA, P-256, P-384, Ed25519 or oct keys")
        }),
        (None, None, None, Some(_)) => Ok(None),
        (None, None, None, None) => Err(bad(ATOM, "jwt", "there is no key".to_owned())
            .hint("give one of `secret`, `public_key`, `jwks` and `jwks_url`")),
        _ => Err(bad(ATOM, "jwt", "there is more than one key".to_owned())
            .hint("give one of `secret`, `public_key`, `jwks` and `jwks_url`")),
    }
}
