//! Against a server that notes each request; signatures against those made here.

use super::{Webhook, signature};
use crate::testing::{Reply, Stub, World};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write;

const BODY: &str =
    r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}"#;

fn sign(secret: &str, time: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn webhook(signature: &str, secret: Value, body: &str) -> Webhook {
    serde_json::from_value(json!({ "body": body, "signature": signature, "secret": secret }))
        .unwrap()
}

#[test]
fn a_signature_must_fit_and_be_fresh() {
    let good = sign("whsec_a", "1000", BODY);
    let one = || json!("whsec_a");
    let both = json!(["whsec_new", "whsec_a"]);
    for (header, secret, body, now, code) in [
        (format!("t=1000,v1={good}"), one(), BODY, 1000, None),
        (format!("t=1000, v1={good},v0=ff"), both, BODY, 1300, None),
        (format!("t=1000,v1=00,v1={good}"), one(), BODY, 700, None),
        (format!("t=1000,v1={good}"), one(), BODY, 1301, Some("signature_expired")),
        (format!("t=1000,v1={good}"), one(), BODY, 699, Some("signature_expired")),
        (format!("t=1001,v1={good}"), one(), BODY, 1000, Some("signature_invalid")),
        (format!("t=1000,v1={good}"), json!("whsec_b"), BODY, 1000, Some("signature_invalid")),
        (format!("t=1000,v1={good}"), one(), "{}", 1000, Some("signature_invalid")),
        (format!("t=1000,v0={good}"), one(), BODY, 1000, Some("signature_invalid")),
        (format!("v1={good}"), one(), BODY, 1000, Some("signature_invalid")),
        ("é".to_owned(), one(), BODY, 1000, Some("signature_invalid")),
        (format!("t=1000,v1={good}"), json!([]), BODY, 1000, Some("bad_input")),
        (format!("t=1000,v1={good}"), json!(""), BODY, 1000, Some("bad_input")),
    ] {
        let found = signature::event(&webhook(&header, secret, body), now);
        assert_eq!(found.as_ref().err().map(|failure| &*failure.code), code, "{header} {now}");
        if let Ok(output) = found {
            assert_eq!(output.event.as_deref(), Some("payment_intent.succeeded"));
            assert_eq!(
                (output.id.as_str(), output.object),
                ("evt_1", Some(json!({ "id": "pi_1" })))
            );
        }
    }
}

#[tokio::test]
async fn a_payment_is_compared_with_what_it_must_be() {
    let (world, stub) = (World::new(), Stub::start().await);
    let payment = json!({ "id": "x", "status": "succeeded", "amount": 5, "currency": "eur", "customer": "cus_1" });
    let session =
        json!({ "id": "x", "status": "complete", "payment_status": "unpaid", "amount_total": 5 });
    for (path, body) in [
        ("/v1/payment_intents/pi_1", &payment),
        ("/v1/charges/ch_1", &payment),
        ("/v1/refunds/re_1", &payment),
        ("/v1/checkout/sessions/cs_1", &session),
    ] {
        stub.on(path, Reply::status(200).body(body.to_string()));
    }
    for (id, expect, mismatches) in [
        ("pi_1", json!({ "amount": 5, "currency": "EUR", "customer": "cus_1" }), json!([])),
        ("pi_1", json!({ "amount": 6, "currency": "usd" }), json!(["amount", "currency"])),
        ("ch_1", json!({ "customer": "cus_2" }), json!(["customer"])),
        ("re_1", json!({ "status": "pending" }), json!(["status"])),
        ("cs_1", json!({ "amount": 5 }), json!(["status"])),
    ] {
        let input = json!({
            "stripe": { "secret_key": "sk_1", "base_url": stub.url("") }, "payment": id,
            "expect": expect,
        });
        let output = world.run("payment_verify", input).await.unwrap();
        assert_eq!(output["mismatches"], mismatches, "{id}");
        assert_eq!(output["verified"], mismatches == json!([]), "{id}");
    }
    let seen = &stub.seen()[0];
    assert_eq!(
        (seen.method.as_str(), &seen.headers["authorization"]),
        ("GET", &"Bearer sk_1".parse().unwrap())
    );
    assert!(!seen.headers.contains_key("idempotency-key"));
}

#[tokio::test]
async fn wrong_inputs_are_refused_before_anything_is_sent() {
    let stripe = json!({ "secret_key": "sk", "base_url": "http://127.0.0.1:1" });
    let hook = json!({ "body": "{}", "signature": "t=1,v1=00", "secret": "s" });
    World::new()
        .refuses(
            "payment_verify",
            &[
                (json!({}), "nothing to verify", "`webhook`"),
                (json!({ "payment": "pi_1" }), "`stripe`", "add"),
                (
                    json!({ "payment": "pi_1", "webhook": hook, "stripe": stripe }),
                    "`webhook`",
                    "two",
                ),
                (json!({ "payment": "cus_1", "stripe": stripe }), "`payment`", "`pi_"),
                (json!({ "payment": "pi_../x", "stripe": stripe }), "`payment`", "copy"),
                (json!({ "webhook": { "body": "{}" } }), "`webhook.signature`", "add"),
                (json!({ "webhook": hook }), "no signature fits", "byte by byte"),
            ],
        )
        .await;
}
