//! What a token claims, and whether that is what is expected (RFC 7519 §4).

use super::Refused;
use serde_json::{Map, Value};

/// What is expected of the claims.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Any of these.
    pub(crate) issuers: Vec<String>,
    /// Any of these.
    pub(crate) audiences: Vec<String>,
    pub(crate) subject: Option<String>,
    /// All of these must be there.
    pub(crate) required: Vec<String>,
    /// All of these must be in `scope` or `scp`.
    pub(crate) scopes: Vec<String>,
    /// Seconds by which clocks may differ.
    pub(crate) leeway: f64,
    /// Seconds since `iat`, at most.
    pub(crate) max_age: Option<f64>,
}

/// Checks the claims at the time `now`, in seconds since 1970.
pub(crate) fn check(
    claims: &Map<String, Value>,
    expected: &Expected,
    now: f64,
) -> Result<(), Refused> {
    for name in &expected.required {
        if claims.get(name).is_none_or(Value::is_null) {
            return Err(Refused::new("claim_missing", format!("the token has no `{name}`")));
        }
    }
    times(claims, expected, now)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let other = |name: &str, what: &str| {
        Err(Refused::new(
            match name {
                "iss" => "issuer_refused",
                "aud" => "audience_refused",
                _ => "claim_refused",
            },
            format!("the token's `{name}` {what}"),
        ))
    };
    if !expected.issuers.is_empty()
        && !text("iss").is_some_and(|iss| expected.issuers.iter().any(|known| known == iss))
    {
        return other("iss", "is not the expected issuer");
    }
    if !expected.audiences.is_empty() {
        let for_us = |aud: &Value| {
            aud.as_str().is_some_and(|aud| expected.audiences.iter().any(|known| known == aud))
        };
        let fits = match claims.get("aud") {
            Some(Value::Array(list)) => list.iter().any(for_us),
            Some(one) => for_us(one),
            None => false,
        };
        if !fits {
            return other("aud", "does not name the expected audience");
        }
    }
    if let Some(subject) = &expected.subject
        && text("sub") != Some(subject)
    {
        return other("sub", "is not the expected subject");
    }
    let given = scopes(claims);
    match expected.scopes.iter().find(|scope| !given.contains(scope)) {
        Some(missing) => Err(Refused::new(
            "scope_missing",
            format!("the token does not have the scope `{missing}`"),
        )),
        None => Ok(()),
    }
}

fn times(claims: &Map<String, Value>, expected: &Expected, now: f64) -> Result<(), Refused> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(Refused::new(
                "token_malformed",
                format!("the token's `{name}` is not a number of seconds"),
            )),
        },
    };
    let leeway = expected.leeway;
    if time("exp")?.is_some_and(|exp| now >= exp + leeway) {
        return Err(Refused::new("token_expired", "the token has expired"));
    }
    if time("nbf")?.is_some_and(|nbf| now + leeway < nbf) {
        return Err(Refused::new("token_not_yet_valid", "the token is not valid yet"));
    }
    let issued = time("iat")?;
    if issued.is_some_and(|iat| now + leeway < iat) {
        return Err(Refused::new("token_not_yet_valid", "the token was issued in the future"));
    }
    match (expected.max_age, issued) {
        (Some(most), Some(iat)) if now > iat + most + leeway => {
            Err(Refused::new("token_expired", "the token is older than `max_age`"))
        }
        (Some(_), None) => {
            Err(Refused::new("claim_missing", "the token has no `iat`, which `max_age` needs"))
        }
        _ => Ok(()),
    }
}

/// The scopes that a token has.
pub(crate) fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    let given = claims.get("scope").or_else(|| claims.get("scp"));
    match given {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
