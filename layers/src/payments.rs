//! Stripe's API: how it is asked, and what its refusals mean.

use crate::context::Cx;
use crate::input::{TimeSpan, bad};
use crate::net::{BodyInput, Fields, header_value};
use crate::service::{Ask, Said, ask, endpoint, secret_header};
use jalm_kernel::failure::Failure;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Who asks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    /// The secret key: `sk_…` or `rk_…`, best `{{ secrets.NAME }}`. Needs a grant under `http` for
    /// `https://api.stripe.com`.
    pub(crate) secret_key: String,
    /// The connected account it is done for: `acct_…`.
    pub(crate) on_behalf_of: Option<String>,
    /// The API's version, such as `2024-06-20`. Left out: that of the account.
    pub(crate) api_version: Option<String>,
    /// Another server of the API. Left out: `https://api.stripe.com`.
    pub(crate) base_url: Option<String>,
    /// The longest it may take; the step's own `timeout` counts as well.
    pub(crate) timeout: Option<TimeSpan>,
}

/// Asks for the object at a path. With a form it is a POST under a key, by which Stripe answers a
/// repetition as it answered the first time.
pub(crate) async fn request(
    cx: &Cx,
    atom: &'static str,
    account: &Account,
    path: &str,
    form: Option<Fields>,
    key: Option<&str>,
) -> Result<Value, Failure> {
    let url = endpoint(atom, account.base_url.as_deref(), "https://api.stripe.com", path)?;
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", account.secret_key);
    headers.insert(AUTHORIZATION, secret_header(atom, "stripe.secret_key", &bearer)?);
    if let Some(connected) = &account.on_behalf_of {
        headers.insert("stripe-account", header_value(atom, "stripe.on_behalf_of", connected)?);
    }
    if let Some(version) = &account.api_version {
        headers.insert("stripe-version", header_value(atom, "stripe.api_version", version)?);
    }
    let method = if form.is_some() { Method::POST } else { Method::GET };
    if form.is_some() {
        let key = key.unwrap_or(&cx.key);
        headers.insert("idempotency-key", header_value(atom, "idempotency_key", key)?);
    }
    let said = ask(
        cx,
        Ask {
            atom,
            service: "Stripe",
            method,
            url,
            headers,
            body: BodyInput { form, ..BodyInput::default() },
            timeout: account.timeout,
            repeatable: true,
            secrets: &[&account.secret_key],
        },
    )
    .await?;
    if said.status.is_success() && said.body["id"].is_string() {
        return Ok(said.body);
    }
    Err(refusal(&said))
}

/// A card that is declined stays declined; a busy or locked object may be asked for again.
fn refusal(said: &Said) -> Failure {
    let error = &said.body["error"];
    let text = |key: &str| error[key].as_str().unwrap_or_default();
    let (kind, code) = (text("type"), text("code"));
    let message = if text("message").is_empty() { said.text() } else { text("message").to_owned() };
    let mut failure = said.refusal(&message, None);
    let status = said.status.as_u16();
    if kind == "card_error" || status == 402 {
        failure.code = "card_declined".into();
        failure.hint = Some("ask for another card or payment method; `detail` says why".to_owned());
    } else if status == 409 {
        failure.code = "service_busy".into();
        failure.retryable = true;
        failure.hint = Some("another request works on it; try again with `retry`".to_owned());
    }
    // Where Stripe itself says whether another attempt makes sense, it knows better.
    match said.headers.get("stripe-should-retry").map(HeaderValue::as_bytes) {
        Some(b"true") => failure.retryable = true,
        Some(b"false") => failure.retryable = false,
        Some(_) | None => {}
    }
    if !failure.retryable {
        failure.retry_after = None;
    }
    failure.detail(json!({
        "service": "Stripe",
        "status": status,
        "type": kind,
        "code": code,
        "decline_code": text("decline_code"),
        "param": text("param"),
        "payment": error["payment_intent"]["id"],
    }))
}

/// An amount in the currency's smallest unit.
pub(crate) fn amount(atom: &str, amount: u64) -> Result<String, Failure> {
    if (1..=99_999_999_999).contains(&amount) {
        return Ok(amount.to_string());
    }
    Err(bad(atom, "amount", format!("{amount} is no amount"))
        .hint("write it in the currency's smallest unit: 1250 is 12.50 euros"))
}

/// `metadata[key]`, as forms of Stripe nest.
pub(crate) fn metadata(form: &mut Vec<(String, String)>, fields: Fields) {
    form.extend(fields.0.into_iter().map(|(name, value)| (format!("metadata[{name}]"), value)));
}
