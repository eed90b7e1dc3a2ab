//! Tokens of one's own.

use super::{AuthToken, Jwt, Output};
use crate::atom::Atom;
use crate::content::decode;
use crate::context::now;
use crate::input::bad;
use crate::tokens::{BadKey, SignKey, encode};
use jalm_kernel::failure::Failure;
use serde_json::{Map, Value};
use std::time::Duration;

const ATOM: &str = AuthToken::CARD.name;
const LONGEST: Duration = Duration::from_hours(400 * 24);

pub(super) fn issue(jwt: Jwt) -> Result<Output, Failure> {
    if jwt.expires_in.0 > LONGEST || jwt.expires_in.0 < Duration::from_secs(1) {
        return Err(bad(ATOM, "jwt.expires_in", "it is not between 1 s and 400 days".to_owned())
            .hint("a token that lasts cannot be taken back; refresh short ones"));
    }
    let key = key(&jwt)?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let issued = now().0.div_euclid(1000);
    let expires = issued.saturating_add(seconds(jwt.expires_in.0));
    let mut claims = jwt.claims;
    let standard = [
        ("iss", jwt.issuer.map(Value::String)),
        ("sub", jwt.subject.map(Value::String)),
        ("aud", jwt.audience),
        ("nbf", jwt.not_before.map(|span| issued.saturating_add(seconds(span.0)).into())),
        ("iat", Some(issued.into())),
        ("exp", Some(expires.into())),
    ];
    for (name, value) in standard {
        let Some(value) = value else { continue };
        if claims.contains_key(name) {
            return Err(bad(
                ATOM,
                &format!("jwt.claims.{name}"),
                "the step sets this claim itself".to_owned(),
            )
            .hint("use `issuer`, `subject`, `audience`, `expires_in` and `not_before`"));
        }
        claims.insert(name.to_owned(), value);
    }
    let header = jwt
        .key_id
        .map(|kid| ("kid".to_owned(), Value::String(kid)))
        .into_iter()
        .collect::<Map<_, _>>();
    let token = encode(header, &claims, &key).map_err(Failure::bug)?;
    Ok(Output {
        token,
        token_type: Some("Bearer".to_owned()),
        expires_at: Some(expires),
        expires_in: Some(seconds(jwt.expires_in.0)),
        ..Output::default()
    })
}

fn key(jwt: &Jwt) -> Result<SignKey, Failure> {
    let refused = |path: &str, BadKey { what, hint }: BadKey| bad(ATOM, path, what).hint(hint);
    match (&jwt.secret, &jwt.private_key) {
        (Some(secret), None) => {
            let bytes = if jwt.secret_base64 {
                decode(ATOM, "jwt.secret", secret)?
            } else {
                secret.clone().into_bytes()
            };
            SignKey::secret(jwt.algorithm, &bytes).map_err(|wrong| refused("jwt.secret", wrong))
        }
        (None, Some(pem)) => {
            SignKey::from_pem(jwt.algorithm, pem).map_err(|wrong| refused("jwt.private_key", wrong))
        }
        _ => Err(bad(ATOM, "jwt", "exactly one key signs".to_owned())
            .hint("give `secret` for HS256, HS384 and HS512, else `private_key`")),
    }
}
