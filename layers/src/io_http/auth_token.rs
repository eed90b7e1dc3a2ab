//! `auth_token`: tokens: signed ones, those of an OAuth 2.0 server, random ones; hashes of
//! passwords.
//!
//! What it gives stands in the journal like every other output. Tokens should be short-lived.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::blocking;
use crate::context::Cx;
use crate::input::{TimeSpan, bad};
use crate::oauth::ClientAuth;
use crate::passwords;
use crate::sealing::STRETCHING;
use crate::tokens::Algorithm;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(crate) mod fetch;
mod issue;

/// Makes tokens.
pub(crate) struct AuthToken;

/// What is made: exactly one of `jwt`, `oauth2`, `hash_password` and `random`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// A signed JSON Web Token.
    jwt: Option<Jwt>,
    /// A token of an OAuth 2.0 server.
    oauth2: Option<OAuth2>,
    /// The hash of a password, by Argon2id.
    hash_password: Option<HashPassword>,
    /// Random bytes.
    random: Option<Random>,
}

/// A token, and the key that signs it: `secret` or `private_key`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Jwt {
    /// How it is signed.
    algorithm: Algorithm,
    /// A shared secret, for HS256 (32 bytes or more), HS384 (48) and HS512 (64).
    secret: Option<String>,
    /// Whether `secret` is base64 of the secret's bytes.
    #[serde(default)]
    secret_base64: bool,
    /// A private key in PEM, for the other algorithms; best `{{ secrets.NAME }}`.
    private_key: Option<String>,
    /// The key's name, for those who check it by a set of keys.
    key_id: Option<String>,
    /// What it claims, beside what the keys below say.
    #[serde(default)]
    claims: Map<String, Value>,
    /// Who issues it: claim `iss`.
    issuer: Option<String>,
    /// Whom it is about: claim `sub`.
    subject: Option<String>,
    /// For whom it is: claim `aud`; one name or a list.
    audience: Option<Value>,
    /// How long it is valid: claim `exp`. 15 minutes unless told otherwise; at most 400 days.
    #[serde(default = "quarter")]
    expires_in: TimeSpan,
    /// After how long it becomes valid: claim `nbf`.
    not_before: Option<TimeSpan>,
}

fn quarter() -> TimeSpan {
    TimeSpan(Duration::from_mins(15))
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Grant {
    /// For the client itself. The token is kept until shortly before it expires.
    #[default]
    ClientCredentials,
    /// By a refresh token.
    RefreshToken,
    /// By somebody's name and password.
    Password,
}

/// A token of an OAuth 2.0 server (RFC 6749).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OAuth2 {
    /// The address of the server's token endpoint. Needs a grant under `http`.
    token_url: String,
    /// How it is asked for.
    #[serde(default)]
    grant: Grant,
    /// The name under which the server knows us.
    client_id: String,
    /// Our password there.
    client_secret: Option<String>,
    /// How we say who we are.
    #[serde(default)]
    client_auth: ClientAuth,
    /// What the token is to be good for: words, or a list.
    scope: Option<Value>,
    /// For `refresh_token`: that token.
    refresh_token: Option<String>,
    /// For `password`: the name.
    username: Option<String>,
    /// For `password`: the password.
    password: Option<String>,
    /// Further parameters: `audience`, `resource`…
    #[serde(default)]
    parameters: std::collections::BTreeMap<String, String>,
    /// Whether a token that was got before may be given again while it lasts; only with
    /// `client_credentials`.
    #[serde(default = "yes")]
    cache: bool,
}

fn yes() -> bool {
    true
}

/// A password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HashPassword {
    /// The password.
    password: String,
    /// KiB of memory that hashing takes. 19456 unless told otherwise; at most 262144.
    #[serde(default = "memory")]
    #[schemars(range(min = 8, max = 262_144))]
    memory_kib: u32,
    /// How often it goes over the memory. 2 unless told otherwise.
    #[serde(default = "passes")]
    #[schemars(range(min = 1, max = 32))]
    passes: u32,
}

fn memory() -> u32 {
    19_456
}

fn passes() -> u32 {
    2
}

/// Random bytes, and how they are spelled.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Random {
    /// How many bytes. 32 unless told otherwise.
    #[serde(default = "thirty_two")]
    #[schemars(range(min = 16, max = 1024))]
    bytes: usize,
    /// How they are spelled.
    #[serde(default)]
    encoding: Spelling,
    /// What stands before them: `sk_`.
    #[serde(default)]
    prefix: String,
}

fn thirty_two() -> usize {
    32
}

/// How bytes are spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Spelling {
    /// Base64 for addresses, without padding.
    #[default]
    Base64Url,
    /// Base64.
    Base64,
    /// Lower-case hex.
    Hex,
}

/// What was made.
#[derive(Debug, Default, Clone, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The token, or the hash.
    token: String,
    /// How it is to be used: `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    /// When it expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// In how many seconds it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    /// What it is good for, as the server says.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// A token to get the next one with.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// A token that says who somebody is.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// Whether it was got before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[serde(default)]
    cached: bool,
}

impl Atom for AuthToken {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "auth_token",
        layer: Layer::IoHttp,
        summary: "Issues, fetches or makes tokens, and hashes passwords.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn effect_of(input: &Value) -> Effect {
        let made = ["jwt", "hash_password", "random"].iter().any(|key| !input[*key].is_null());
        match (&input["oauth2"], made) {
            (Value::Null, true) => Effect::None,
            // One more of these changes nothing; a refresh token may be used up.
            (Value::Object(oauth), false)
                if oauth.get("grant").is_none_or(|grant| grant == "client_credentials") =>
            {
                Effect::Read
            }
            _ => Effect::Write,
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A signed token for an hour",
                setup: vec![],
                input: json!({ "jwt": {
                    "algorithm": "HS256", "secret": "0123456789abcdef0123456789abcdef",
                    "subject": "ann", "audience": "orders", "expires_in": "1h", "claims": { "scope": "read" },
                } }),
                expect: json!({ "expires_in": 3600 }),
            },
            Example {
                title: "A token for the runner itself, kept while it lasts",
                setup: vec![Setup::Http {
                    method: "POST",
                    path: "/token",
                    status: 200,
                    body: json!({ "access_token": "at-1", "token_type": "Bearer", "expires_in": 300 }),
                }],
                input: json!({ "oauth2": {
                    "token_url": "https://api.example.com/token", "client_id": "jalm", "client_secret": "secret", "scope": "orders:read",
                } }),
                expect: json!({ "token": "at-1", "token_type": "Bearer", "expires_in": 300 }),
            },
            Example {
                title: "A key to hand out",
                setup: vec![],
                input: json!({ "random": { "bytes": 24, "prefix": "sk_" } }),
                expect: json!({}),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { jwt, oauth2, hash_password, random } = input;
        match (jwt, oauth2, hash_password, random) {
            (Some(jwt), None, None, None) => issue::issue(jwt),
            (None, Some(oauth2), None, None) => {
                let limit = cx.timeout;
                tokio::time::timeout(limit, Box::pin(fetch::fetch(&cx, oauth2))).await.map_err(
                    |_| {
                        Failure::transient(
                            "http_timeout",
                            format!("the server did not answer within {limit:?}"),
                        )
                        .hint("allow it more with `timeout`, or try again with `retry`")
                    },
                )?
            }
            (None, None, Some(hash), None) => hashed(hash).await,
            (None, None, None, Some(random)) => made(&random),
            _ => Err(bad(Self::CARD.name, "", "exactly one thing can be made".to_owned())
                .hint("write one of `jwt`, `oauth2`, `hash_password` and `random`")),
        }
    }
}

async fn hashed(input: HashPassword) -> Result<Output, Failure> {
    let HashPassword { password, memory_kib, passes } = input;
    let refuse = |path: &str, what: &str, hint: &str| {
        Err(bad(AuthToken::CARD.name, path, what.to_owned()).hint(hint))
    };
    if password.is_empty() || password.len() > 4096 {
        return refuse(
            "hash_password.password",
            "it is empty, or longer than 4096 bytes",
            "ask for another one",
        );
    }
    if !(8..=262_144).contains(&memory_kib) {
        return refuse(
            "hash_password.memory_kib",
            "it is not between 8 and 262144",
            "leave it out for 19456",
        );
    }
    if !(1..=32).contains(&passes) {
        return refuse("hash_password.passes", "it is not between 1 and 32", "leave it out for 2");
    }
    let permit = STRETCHING.acquire().await.map_err(Failure::bug)?;
    let token = blocking::run(move |_| {
        // Held by the work itself, which goes on when the call is aborted.
        let _permit = permit;
        passwords::hash(&password, memory_kib, passes, 1)
    })
    .await?;
    Ok(Output { token, ..Output::default() })
}

fn made(input: &Random) -> Result<Output, Failure> {
    if !(16..=1024).contains(&input.bytes) {
        return Err(bad(
            AuthToken::CARD.name,
            "random.bytes",
            "it is not between 16 and 1024".to_owned(),
        )
        .hint("fewer than 16 can be guessed; leave it out for 32"));
    }
    let mut bytes = vec![0; input.bytes];
    SystemRandom::new().fill(&mut bytes).map_err(Failure::bug)?;
    let spelled = match input.encoding {
        Spelling::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
        Spelling::Base64 => STANDARD.encode(bytes),
        Spelling::Hex => crate::files::hex(&bytes),
    };
    Ok(Output { token: format!("{}{spelled}", input.prefix), ..Output::default() })
}

#[cfg(test)]
mod tests;
