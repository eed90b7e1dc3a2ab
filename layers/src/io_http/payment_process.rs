//! `payment_process`: takes a payment.
//!
//! It makes a payment intent by Stripe's API. The call's key is its Idempotency-Key: a call that is
//! repeated after a crash charges nobody twice. Stripe cannot be run here: the tests check each
//! request against the documented API with a server of their own.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::bad;
use crate::net::Fields;
use crate::payments::{Account, amount, metadata, request};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Takes a payment.
pub(crate) struct PaymentProcess;

/// The payment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Who asks: the account with Stripe.
    stripe: Account,
    /// How much, in the currency's smallest unit: 1250 is 12.50 euros.
    amount: u64,
    /// The currency: `eur`.
    currency: String,
    /// What it is paid with: `pm_…`.
    payment_method: Option<String>,
    /// The customer: `cus_…`.
    customer: Option<String>,
    /// Whether it is paid now; otherwise the intent waits for the customer.
    #[serde(default = "yes")]
    confirm: bool,
    /// When the money is taken.
    #[serde(default)]
    capture: Capture,
    /// Whether the customer is absent, so that nothing can be asked of them.
    #[serde(default)]
    off_session: bool,
    /// Where the customer comes back to after the bank's page. Left out: methods that need such a
    /// page are refused.
    return_url: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The address that gets a receipt.
    receipt_email: Option<String>,
    /// What the customer's statement says at its end.
    statement_descriptor_suffix: Option<String>,
    /// Kept with the payment.
    #[serde(default)]
    metadata: Fields,
    /// The key under which Stripe does it once. Left out: the key of this very step.
    idempotency_key: Option<String>,
}

/// When the money is taken.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Capture {
    /// At once.
    #[default]
    Automatic,
    /// Later, within days; until then it is only held.
    Manual,
}

fn yes() -> bool {
    true
}

/// The payment as it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The payment's id: `pi_…`.
    id: String,
    /// `succeeded`, `processing`, `requires_action`, `requires_capture`, …
    status: String,
    /// Whether the money is taken.
    paid: bool,
    /// How much, in the currency's smallest unit.
    amount: i64,
    /// The currency.
    currency: String,
    /// The page on which the customer must agree, if one must.
    #[serde(skip_serializing_if = "Option::is_none")]
    action_url: Option<String>,
}

impl Atom for PaymentProcess {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "payment_process",
        layer: Layer::IoHttp,
        summary: "Takes a payment through Stripe, once.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Charge a card",
            setup: vec![Setup::Http {
                method: "POST",
                path: "/v1/payment_intents",
                status: 200,
                body: json!({ "id": "pi_1", "status": "succeeded", "amount": 1250, "currency": "eur" }),
            }],
            input: json!({
                "stripe": { "secret_key": "sk_test_1", "base_url": "https://api.example.com" },
                "amount": 1250,
                "currency": "eur",
                "payment_method": "pm_card_visa",
            }),
            expect: json!({ "id": "pi_1", "paid": true, "amount": 1250 }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let (form, key) = (form(&input)?, input.idempotency_key.as_deref());
        let atom = Self::CARD.name;
        let path = "/v1/payment_intents";
        let said = request(&cx, atom, &input.stripe, path, Some(form), key).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let status = text(&said["status"]);
        Ok(Output {
            id: text(&said["id"]),
            paid: status == "succeeded",
            status,
            amount: said["amount"].as_i64().unwrap_or_default(),
            currency: text(&said["currency"]),
            action_url: said["next_action"]["redirect_to_url"]["url"].as_str().map(str::to_owned),
        })
    }
}

fn form(input: &Input) -> Result<Fields, Failure> {
    let atom = PaymentProcess::CARD.name;
    let currency = input.currency.trim().to_ascii_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(bad(atom, "currency", "it is no currency".to_owned())
            .hint("write its three letters, such as `eur`"));
    }
    let method = input.payment_method.is_some();
    if input.confirm && !method && input.customer.is_none() {
        return Err(bad(atom, "payment_method", "it is required and is missing".to_owned())
            .hint("add `payment_method`, or let the customer choose with `confirm: false`"));
    }
    let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut form = vec![
        ("amount".to_owned(), amount(atom, input.amount)?),
        ("currency".to_owned(), currency),
        owned("confirm", if input.confirm { "true" } else { "false" }),
        owned("automatic_payment_methods[enabled]", "true"),
    ];
    for (name, value) in [
        ("payment_method", &input.payment_method),
        ("customer", &input.customer),
        ("return_url", &input.return_url),
        ("description", &input.description),
        ("receipt_email", &input.receipt_email),
        ("statement_descriptor_suffix", &input.statement_descriptor_suffix),
    ] {
        form.extend(value.as_deref().map(|value| owned(name, value)));
    }
    if input.confirm && input.return_url.is_none() {
        form.push(owned("automatic_payment_methods[allow_redirects]", "never"));
    }
    if input.off_session {
        form.push(owned("off_session", "true"));
    }
    if matches!(input.capture, Capture::Manual) {
        form.push(owned("capture_method", "manual"));
    }
    metadata(&mut form, input.metadata.clone());
    Ok(Fields(form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Stub, World};

    fn payment(base: &str) -> Value {
        json!({
            "stripe": { "secret_key": "sk_sEcret", "base_url": base },
            "amount": 1250, "currency": "EUR", "payment_method": "pm_1",
        })
    }

    #[tokio::test]
    async fn a_payment_is_a_form_under_the_steps_key() {
        let (world, stub) = (World::new(), Stub::start().await);
        let answer = r#"{"id":"pi_1","status":"requires_action","amount":1250,"currency":"eur",
            "client_secret":"hidden","next_action":{"redirect_to_url":{"url":"https://b.example"}}}"#;
        stub.on("/v1/payment_intents", Reply::status(200).body(answer));
        let mut input = payment(&stub.url(""));
        input["metadata"] = json!({ "order": 42 });
        input["capture"] = json!("manual");
        input["stripe"]["on_behalf_of"] = json!("acct_1");
        let output = world.run("payment_process", input).await.unwrap();
        assert_eq!(
            output,
            json!({
                "id": "pi_1", "status": "requires_action", "paid": false, "amount": 1250,
                "currency": "eur", "action_url": "https://b.example",
            })
        );
        let seen = &stub.seen()[0];
        assert_eq!(seen.headers["authorization"], "Bearer sk_sEcret");
        assert_eq!(seen.headers["idempotency-key"], "jalm-test-0");
        assert_eq!(seen.headers["stripe-account"], "acct_1");
        assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
        let form: Vec<(String, String)> = {
            let mut url = reqwest::Url::parse("http://x/").unwrap();
            url.set_query(Some(std::str::from_utf8(&seen.body).unwrap()));
            url.query_pairs().into_owned().collect()
        };
        let expected = [
            ("amount", "1250"),
            ("currency", "eur"),
            ("confirm", "true"),
            ("automatic_payment_methods[enabled]", "true"),
            ("payment_method", "pm_1"),
            ("automatic_payment_methods[allow_redirects]", "never"),
            ("capture_method", "manual"),
            ("metadata[order]", "42"),
        ];
        assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[tokio::test]
    async fn a_declined_card_is_final_and_a_busy_service_is_not() {
        let (world, stub) = (World::new(), Stub::start().await);
        let error = |kind: &str, code: &str| {
            json!({ "error": {
                "type": kind, "code": code, "decline_code": "insufficient_funds",
                "message": "no sk_sEcret", "payment_intent": { "id": "pi_1" },
            } })
        };
        for (status, kind, header, code, again) in [
            (402, "card_error", "", "card_declined", false),
            (400, "invalid_request_error", "", "service_refused", false),
            (400, "idempotency_error", "", "service_refused", false),
            (401, "invalid_request_error", "", "service_denied", false),
            (409, "invalid_request_error", "", "service_busy", true),
            (409, "invalid_request_error", "false", "service_busy", false),
            (429, "invalid_request_error", "", "rate_limited", true),
            (500, "api_error", "", "service_down", true),
        ] {
            let reply = Reply::status(status)
                .header("stripe-should-retry", header)
                .header("retry-after", "3")
                .body(error(kind, "x").to_string());
            stub.on("/v1/payment_intents", reply);
            let failure = world.run("payment_process", payment(&stub.url(""))).await.unwrap_err();
            assert_eq!((&*failure.code, failure.retryable), (code, again), "{failure:?}");
            let told = failure.detail.as_ref().unwrap();
            assert_eq!(
                (&told["decline_code"], &told["payment"]),
                (&json!("insufficient_funds"), &json!("pi_1"))
            );
            assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
            if matches!(status, 429 | 500) {
                assert_eq!(failure.retry_after, Some(3000));
            }
        }
    }

    #[tokio::test]
    async fn wrong_inputs_are_refused_before_anything_is_sent() {
        let with = |key: &str, value: Value| {
            let mut input = payment("http://127.0.0.1:1");
            input[key] = value;
            input
        };
        World::new()
            .refuses(
                "payment_process",
                &[
                    (json!({}), "`stripe`", "add"),
                    (with("stripe", json!({})), "`stripe.secret_key`", "add"),
                    (with("amount", json!(0)), "`amount`", "smallest unit"),
                    (with("amount", json!(-5)), "`amount`", "smallest unit"),
                    (with("currency", json!("euro")), "`currency`", "`eur`"),
                    (with("payment_method", Value::Null), "`payment_method`", "`confirm: false`"),
                    (
                        with("stripe", json!({ "secret_key": "a\nb" })),
                        "`stripe.secret_key`",
                        "line",
                    ),
                    (
                        with("stripe", json!({ "secret_key": "a", "base_url": "x" })),
                        "`base_url`",
                        "https",
                    ),
                ],
            )
            .await;
    }
}
