//! `notify_webhook`: an event for a service that waits for it.
//!
//! Signed as Standard Webhooks says: HMAC-SHA256 over `id.timestamp.body`. The id is the call's
//! idempotency key, so that a receiver can tell a repeated delivery from a new event.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::{Cx, now};
use crate::input::{TimeSpan, bad};
use crate::net::{
    Fields, Outgoing, StatusSet, address, excerpt, headers, idempotency, send, status_failure,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

/// Delivers an event.
pub(crate) struct NotifyWebhook;

/// The event, and where it goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The address, `http://…` or `https://…`. Needs grants under `http` and `notify: [webhook]`.
    url: String,
    /// What is told: any JSON value.
    payload: Value,
    /// The kind of event. With it the body is `{"event": …, "payload": …}`, without it the body
    /// is the payload itself.
    event: Option<String>,
    /// Signs the delivery: `whsec_` and base64, or any text.
    secret: Option<String>,
    /// Further headers.
    #[serde(default)]
    headers: Fields,
    /// The longest the delivery may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
    /// Statuses that are fine: `200`, `"2xx"`, `"200-204"`, or a list. Left out: `2xx`.
    expect_status: Option<StatusSet>,
    /// Whether the service's certificate must be valid.
    #[serde(default = "yes")]
    tls_verify: bool,
}

fn yes() -> bool {
    true
}

/// How it was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The service's status.
    status: u16,
    /// The id under which the event was delivered; the same for each attempt.
    message_id: String,
}

impl Atom for NotifyWebhook {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "notify_webhook",
        layer: Layer::IoHttp,
        summary: "Delivers an event to a webhook, signed if wanted.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("url", Some(text)) => address(Self::CARD.name, text).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Tell a service about an order",
            setup: vec![Setup::Http {
                method: "POST",
                path: "/hooks/orders",
                status: 204,
                body: Value::Null,
            }],
            input: json!({
                "url": "https://api.example.com/hooks/orders",
                "event": "order.paid",
                "payload": { "id": 42 },
                "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            }),
            expect: json!({ "status": 204 }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let access = cx.access()?;
        access.notify("webhook")?;
        let request = outgoing(&cx, &input)?;
        let limit = input.timeout.map_or(cx.timeout, |span| span.0.min(cx.timeout));
        let expected = input.expect_status.unwrap_or_else(StatusSet::success);
        let delivery = async {
            let response = send(&cx.shared.net, &access, request).await?;
            let status = response.status();
            if expected.contains(status.as_u16()) {
                return Ok(Output { status: status.as_u16(), message_id: cx.key.to_string() });
            }
            let (url, headers) = (response.url().clone(), response.headers().clone());
            Err(status_failure(&url, status, &headers, &excerpt(response).await))
        };
        tokio::time::timeout(limit, Box::pin(delivery)).await.map_err(|_| {
            Failure::transient(
                "http_timeout",
                format!("the webhook did not answer within {limit:?}"),
            )
            .hint("allow it more with `timeout`, or try again with `retry`")
        })?
    }
}

fn outgoing(cx: &Cx, input: &Input) -> Result<Outgoing, Failure> {
    let body = match &input.event {
        Some(event) => serde_json::to_vec(&json!({ "event": event, "payload": input.payload })),
        None => serde_json::to_vec(&input.payload),
    }
    .map_err(Failure::bug)?;
    let mut headers = headers(NotifyWebhook::CARD.name, &input.headers)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    idempotency(cx, &mut headers)?;
    if let Some(secret) = &input.secret {
        let seconds = now().0 / 1000;
        let signature = sign(&key(secret)?, &cx.key, seconds, &body)?;
        for (name, value) in [
            ("webhook-id", cx.key.to_string()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ] {
            headers.insert(name, HeaderValue::from_str(&value).map_err(Failure::bug)?);
        }
    }
    Ok(Outgoing {
        method: Method::POST,
        url: address(NotifyWebhook::CARD.name, &input.url)?,
        headers,
        body: Some(body.into()),
        // A redirected delivery would arrive as a GET, or where nobody meant it to go.
        redirects: 0,
        tls_verify: input.tls_verify,
        proxy: None,
    })
}

/// The bytes of a secret.
fn key(secret: &str) -> Result<Vec<u8>, Failure> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            bad(
                NotifyWebhook::CARD.name,
                "secret",
                "what follows `whsec_` is not base64".to_owned(),
            )
            .hint("copy the secret as the service shows it")
        }),
        None => Ok(secret.as_bytes().to_vec()),
    }
}

fn sign(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Result<String, Failure> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Failure::bug)?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_cut_off_is_refused() {
        assert!(key("whsec_?").unwrap_err().message.contains("`secret`"));
        assert_eq!(key("plain").unwrap(), b"plain");
    }
}
