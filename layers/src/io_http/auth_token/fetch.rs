//! Tokens of an OAuth 2.0 server.

use super::{AuthToken, Grant, OAuth2, Output};
use crate::atom::Atom;
use crate::context::{Cx, now};
use crate::input::bad;
use crate::net::address;
use crate::oauth::{Client, post};
use jalm_kernel::failure::Failure;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const ATOM: &str = AuthToken::CARD.name;
/// A token that is about to expire is of no use.
const MARGIN: i64 = 30;
const KEPT: usize = 1024;

type Slot = Arc<tokio::sync::Mutex<Option<Output>>>;

/// Tokens that were got before, by the digest of everything that was asked with, the secret too:
/// who does not know the secret gets no token.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<[u8; 32], Slot>>);

impl Kept {
    fn slot(&self, key: [u8; 32]) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT && !slots.contains_key(&key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

pub(super) async fn fetch(cx: &Cx, input: OAuth2) -> Result<Output, Failure> {
    let form = form(&input)?;
    // Also for what is kept: another intent may have no grant for it.
    cx.access()?.http(&address(ATOM, &input.token_url)?)?;
    let client = Client {
        id: &input.client_id,
        secret: input.client_secret.as_deref(),
        by: input.client_auth,
    };
    if !input.cache || input.grant != Grant::ClientCredentials {
        return read(&post(cx, ATOM, &input.token_url, form, Some(client), None).await?);
    }
    let slot = cx.shared.tokens.slot(digest(&input, &form));
    // One asks, the others wait for the answer.
    let mut kept = slot.lock().await;
    let seconds = now().0.div_euclid(1000);
    if let Some(token) = kept.as_ref()
        && let Some(expires) = token.expires_at
        && expires - MARGIN > seconds
    {
        return Ok(Output { expires_in: Some(expires - seconds), cached: true, ..token.clone() });
    }
    let token = read(&post(cx, ATOM, &input.token_url, form, Some(client), None).await?)?;
    *kept = Some(token.clone()).filter(|token| token.expires_at.is_some());
    Ok(token)
}

fn form(input: &OAuth2) -> Result<Vec<(String, String)>, Failure> {
    let mut form = Vec::new();
    let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
    let required = |name: &str, value: &Option<String>, grant: &str| {
        value.clone().filter(|value| !value.is_empty()).ok_or_else(|| {
            bad(ATOM, &format!("oauth2.{name}"), format!("grant `{grant}` needs it"))
                .hint(format!("add `{name}`"))
        })
    };
    match input.grant {
        Grant::ClientCredentials => add("grant_type", "client_credentials"),
        Grant::RefreshToken => {
            add("grant_type", "refresh_token");
            add(
                "refresh_token",
                &required("refresh_token", &input.refresh_token, "refresh_token")?,
            );
        }
        Grant::Password => {
            add("grant_type", "password");
            add("username", &required("username", &input.username, "password")?);
            add("password", &required("password", &input.password, "password")?);
        }
    }
    match &input.scope {
        None | Some(Value::Null) => {}
        Some(Value::String(scope)) => add("scope", scope),
        Some(Value::Array(scopes)) if scopes.iter().all(Value::is_string) => {
            add("scope", &scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
        }
        Some(_) => {
            return Err(bad(
                ATOM,
                "oauth2.scope",
                "it is neither text nor a list of texts".to_owned(),
            )
            .hint("write `scope: \"read write\"`"));
        }
    }
    for (name, value) in &input.parameters {
        if [
            "grant_type",
            "client_id",
            "client_secret",
            "scope",
            "refresh_token",
            "username",
            "password",
        ]
        .contains(&name.as_str())
        {
            return Err(bad(
                ATOM,
                &format!("oauth2.parameters.{name}"),
                "it has a key of its own".to_owned(),
            )
            .hint("write it beside `parameters`"));
        }
        add(name, value);
    }
    Ok(form)
}

fn digest(input: &OAuth2, form: &[(String, String)]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let secret = input.client_secret.as_deref().unwrap_or_default();
    let by = format!("{:?}", input.client_auth);
    let fixed = [input.token_url.as_str(), input.client_id.as_str(), secret, by.as_str()];
    for text in fixed
        .into_iter()
        .chain(form.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]))
    {
        // With its length, so that no two lists of texts are the same text.
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

fn read(answer: &Map<String, Value>) -> Result<Output, Failure> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(token) = text("access_token") else {
        return Err(Failure::permanent("oauth_refused", "the server answered without a token")
            .hint("check that `token_url` is the address of its token endpoint"));
    };
    // Some servers write the number as text.
    let expires_in = answer
        .get("expires_in")
        .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
        .filter(|seconds| *seconds >= 0);
    let expires_at = expires_in.map(|seconds| now().0.div_euclid(1000).saturating_add(seconds));
    Ok(Output {
        token,
        token_type: text("token_type"),
        expires_at,
        expires_in,
        scope: text("scope"),
        refresh_token: text("refresh_token"),
        id_token: text("id_token"),
        cached: false,
    })
}
