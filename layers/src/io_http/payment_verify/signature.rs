//! The signature of a message.

use super::{Output, PaymentVerify, Secrets, Webhook};
use crate::atom::Atom;
use crate::input::bad;
use hmac::{Hmac, KeyInit, Mac};
use jalm_kernel::failure::Failure;
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;

/// The event that a message holds, where its signature is right and fresh at `now`.
pub(super) fn event(webhook: &Webhook, now: i64) -> Result<Output, Failure> {
    let atom = PaymentVerify::CARD.name;
    let secrets = match &webhook.secret {
        Secrets::One(secret) => std::slice::from_ref(secret),
        Secrets::Several(secrets) => secrets,
    };
    if secrets.is_empty() || secrets.iter().any(String::is_empty) {
        return Err(bad(atom, "webhook.secret", "it is empty".to_owned())
            .hint("copy the endpoint's secret: `whsec_…`"));
    }
    let pairs = || webhook.signature.split(',').filter_map(|part| part.trim().split_once('='));
    let time = pairs().find(|(name, _)| *name == "t").map(|(_, value)| value);
    let Some((time, seconds)) = time.and_then(|time| Some((time, time.parse::<i64>().ok()?)))
    else {
        return Err(Failure::permanent("signature_invalid", "the signature names no time")
            .hint("pass on the `Stripe-Signature` header as it came in"));
    };
    let fits = |signature: &[u8]| {
        secrets.iter().any(|secret| {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
                return false;
            };
            mac.update(time.as_bytes());
            mac.update(b".");
            mac.update(webhook.body.as_bytes());
            // Compared in constant time.
            mac.verify_slice(signature).is_ok()
        })
    };
    let signed = pairs()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, value)| unhex(value))
        .any(|signature| fits(&signature));
    if !signed {
        return Err(Failure::permanent("signature_invalid", "no signature fits the body")
            .hint("pass on the body byte by byte as it came in, and check the endpoint's secret"));
    }
    let tolerance = webhook.tolerance.map_or(Duration::from_mins(5), |span| span.0);
    if now.abs_diff(seconds) > tolerance.as_secs() {
        let age = now.saturating_sub(seconds);
        return Err(Failure::permanent("signature_expired", format!("the message is {age} s old"))
            .hint("it may be a repetition by somebody else; check this machine's clock, or raise `tolerance`"));
    }
    let event: Value = serde_json::from_str(&webhook.body).map_err(|error| {
        bad(atom, "webhook.body", format!("it is not JSON: {error}"))
            .hint("pass on the body as it came in")
    })?;
    Ok(Output {
        verified: true,
        id: event["id"].as_str().unwrap_or_default().to_owned(),
        event: event["type"].as_str().map(str::to_owned),
        object: event["data"].get("object").cloned(),
        ..Output::default()
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
