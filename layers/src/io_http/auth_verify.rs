//! `auth_verify`: whether a token, a password or a header is what it should be.
//!
//! It fails unless told to report, so that a forgotten `when` lets nobody in.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{TimeSpan, bad};
use crate::oauth::ClientAuth;
use crate::tokens::{Algorithm, Refused};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

mod by_jwt;
mod by_password;
mod by_server;

/// Verifies who somebody is.
pub(crate) struct AuthVerify;

/// What is verified: exactly one of `jwt`, `introspect`, `password` and `basic`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// A signed JSON Web Token.
    jwt: Option<Jwt>,
    /// Any token, by asking the server that issued it (RFC 7662).
    introspect: Option<Introspect>,
    /// A password and its hash.
    password: Option<Password>,
    /// An `Authorization` header of HTTP basic authentication.
    basic: Option<Basic>,
    /// What happens when it is not what it should be.
    #[serde(default)]
    on_invalid: OnInvalid,
}

/// What happens when it is not what it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnInvalid {
    /// The step fails with `auth_invalid`; the reason is in the failure's `detail.reason`.
    #[default]
    Fail,
    /// The step completes with `valid: false` and the reason.
    Report,
}

/// A signed JSON Web Token, and what is expected of it. The key is one of `secret`, `public_key`,
/// `jwks` and `jwks_url`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Jwt {
    /// The token; `Bearer ` in front of it does no harm.
    token: String,
    /// A shared secret, for HS256, HS384 and HS512.
    secret: Option<String>,
    /// Whether `secret` is base64 of the secret's bytes.
    #[serde(default)]
    secret_base64: bool,
    /// A public key in PEM: RSA, P-256, P-384 or Ed25519.
    public_key: Option<String>,
    /// A set of keys, or one key, as JSON (RFC 7517).
    jwks: Option<Value>,
    /// The address of the issuer's set of keys. Needs a grant under `http`. It is fetched once and
    /// kept for as long as its answer says, and fetched again when a token names a new key.
    jwks_url: Option<String>,
    /// Algorithms that are accepted: RS256, ES256… Left out: all that the key is for.
    algorithms: Option<Vec<Algorithm>>,
    /// Who must have issued it: one name, or a list of which one fits.
    issuer: Option<OneOrMany>,
    /// For whom it must be: one name, or a list of which one fits.
    audience: Option<OneOrMany>,
    /// Whom it must be about.
    subject: Option<String>,
    /// Scopes that it must have.
    #[serde(default)]
    scopes: Vec<String>,
    /// Claims that must be there. `[exp]` unless told otherwise.
    #[serde(default = "exp")]
    required: Vec<String>,
    /// By how much clocks may differ. 60 s unless told otherwise, at most an hour.
    #[serde(default = "minute")]
    leeway: TimeSpan,
    /// How long ago it may have been issued.
    max_age: Option<TimeSpan>,
}

/// One name or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

fn exp() -> Vec<String> {
    vec!["exp".to_owned()]
}

fn minute() -> TimeSpan {
    TimeSpan(Duration::from_mins(1))
}

/// A token, and the server that knows it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Introspect {
    /// The token.
    token: String,
    /// The address of the server's introspection endpoint. Needs a grant under `http`.
    url: String,
    /// What kind of token it is: `access_token`, `refresh_token`.
    token_type_hint: Option<String>,
    /// The name under which the server knows us.
    client_id: Option<String>,
    /// Our password there.
    client_secret: Option<String>,
    /// How we say who we are.
    #[serde(default)]
    client_auth: ClientAuth,
    /// A token of our own, instead of name and password.
    bearer: Option<String>,
    /// Who must have issued it.
    issuer: Option<OneOrMany>,
    /// For whom it must be.
    audience: Option<OneOrMany>,
    /// Scopes that it must have.
    #[serde(default)]
    scopes: Vec<String>,
}

/// A password, and its hash.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Password {
    /// The password as it was typed.
    password: String,
    /// The hash that is kept: a PHC string of argon2id, scrypt or pbkdf2, or one of bcrypt.
    hash: String,
}

/// A header of HTTP basic authentication, and who may come in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Basic {
    /// The `Authorization` header: `Basic …`.
    header: String,
    /// Names, and the hashes of their passwords.
    users: BTreeMap<String, String>,
}

/// Who it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether it is what it should be.
    valid: bool,
    /// Who: the subject of a token, the name of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// What a valid token claims, or what its server answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Map<String, Value>>,
    /// The scopes of a valid token.
    scopes: Vec<String>,
    /// When a valid token expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<f64>,
    /// Why it is not valid: `token_expired`, `signature_invalid`, `issuer_refused`, `audience_refused`,
    /// `algorithm_refused`, `key_unknown`, `claim_missing`, `claim_refused`, `scope_missing`,
    /// `token_malformed`, `token_not_yet_valid`, `token_inactive`, `password_wrong`, `header_malformed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// What a check that succeeded has found.
#[derive(Debug, Default)]
struct Found {
    subject: Option<String>,
    claims: Option<Map<String, Value>>,
}

/// A check ends well, badly, or cannot be made.
type Outcome = Result<Result<Found, Refused>, Failure>;

fn refuse(reason: &'static str, message: &str) -> Refused {
    Refused { reason, message: message.to_owned() }
}

impl Atom for AuthVerify {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "auth_verify",
        layer: Layer::IoHttp,
        summary: "Verifies a token, a password or an Authorization header.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::High,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn effect_of(input: &Value) -> Effect {
        let network = !input["introspect"].is_null() || !input["jwt"]["jwks_url"].is_null();
        let known =
            ["jwt", "introspect", "password", "basic"].iter().any(|key| !input[*key].is_null());
        if network || !known || input["jwt"].is_string() { Effect::Read } else { Effect::None }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A token with a shared secret",
                setup: vec![],
                input: json!({ "jwt": {
                    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJzY29wZSI6InJlYWQgd3JpdGUiLCJleHAiOjQxMDI0NDQ4MDB9.87u3qql9dJnOzjPbN99lCWjPI8UPyyKhGXeQoe20DhA",
                    "secret": "0123456789abcdef0123456789abcdef",
                    "scopes": ["read"],
                } }),
                expect: json!({ "valid": true, "subject": "ann", "scopes": ["read", "write"] }),
            },
            Example {
                title: "A token, by asking the server that issued it",
                setup: vec![Setup::Http {
                    method: "POST",
                    path: "/introspect",
                    status: 200,
                    body: json!({ "active": true, "sub": "ann", "scope": "read" }),
                }],
                input: json!({ "introspect": {
                    "url": "https://api.example.com/introspect", "token": "opaque", "client_id": "jalm", "client_secret": "secret",
                } }),
                expect: json!({ "valid": true, "subject": "ann" }),
            },
            Example {
                title: "A password that is wrong, told instead of failing",
                setup: vec![],
                input: json!({
                    "password": { "password": "wrong horse", "hash": "$argon2id$v=19$m=64,t=1,p=1$RExP4wzHBVVgut+0ygePpw$1ov3UhPRsSIYs8/JWj/nMEyXRjrVsjAm46v+bDOa4zg" },
                    "on_invalid": "report",
                }),
                expect: json!({ "valid": false, "reason": "password_wrong" }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { jwt, introspect, password, basic, on_invalid } = input;
        let limit = cx.timeout;
        let outcome = async {
            match (jwt, introspect, password, basic) {
                (Some(jwt), None, None, None) => by_jwt::verify(&cx, jwt).await,
                (None, Some(introspect), None, None) => by_server::verify(&cx, introspect).await,
                (None, None, Some(password), None) => by_password::verify(password).await,
                (None, None, None, Some(basic)) => by_password::verify_basic(basic).await,
                _ => Err(bad(Self::CARD.name, "", "exactly one thing can be verified".to_owned())
                    .hint("write one of `jwt`, `introspect`, `password` and `basic`")),
            }
        };
        let outcome = tokio::time::timeout(limit, Box::pin(outcome)).await.map_err(|_| {
            Failure::transient(
                "http_timeout",
                format!("the server did not answer within {limit:?}"),
            )
            .hint("allow it more with `timeout`, or try again with `retry`")
        })??;
        match outcome {
            Ok(Found { subject, claims }) => {
                let scopes = claims.as_ref().map(crate::tokens::scopes).unwrap_or_default();
                let expires_at = claims.as_ref().and_then(|claims| claims.get("exp")).and_then(Value::as_f64);
                Ok(Output { valid: true, subject, claims, scopes, expires_at, reason: None, message: None })
            }
            Err(Refused { reason, message }) if on_invalid == OnInvalid::Report => Ok(Output {
                valid: false,
                subject: None,
                claims: None,
                scopes: Vec::new(),
                expires_at: None,
                reason: Some(reason),
                message: Some(message),
            }),
            Err(Refused { reason, message }) => Err(Failure::permanent("auth_invalid", message)
                .hint("let the caller in with valid credentials only; `on_invalid: report` lets the intent answer by `output.valid`")
                .detail(json!({ "reason": reason }))),
        }
    }
}

#[cfg(test)]
mod tests;
