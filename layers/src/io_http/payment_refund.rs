//! `payment_refund`: gives money back.
//!
//! It makes a refund by Stripe's API. The call's key is its Idempotency-Key: a call that is repeated
//! after a crash gives nothing back twice. Stripe cannot be run here: the tests check each request
//! against the documented API with a server of their own.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::bad;
use crate::net::Fields;
use crate::payments::{Account, amount, metadata, request};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Gives money back.
pub(crate) struct PaymentRefund;

/// What is given back, and of which payment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Who asks: the account with Stripe.
    stripe: Account,
    /// The payment: `pi_…`, or its charge: `ch_…`.
    payment: String,
    /// How much, in the currency's smallest unit. Left out: all that is left.
    amount: Option<u64>,
    /// Why.
    reason: Option<Reason>,
    /// Kept with the refund.
    #[serde(default)]
    metadata: Fields,
    /// The key under which Stripe does it once. Left out: the key of this very step.
    idempotency_key: Option<String>,
}

/// Why money is given back.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// It was paid twice.
    Duplicate,
    /// The customer did not pay it.
    Fraudulent,
    /// The customer asked for it.
    RequestedByCustomer,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::RequestedByCustomer => "requested_by_customer",
        }
    }
}

/// The refund as it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The refund's id: `re_…`.
    id: String,
    /// `succeeded`, `pending`, `requires_action`, `failed` or `canceled`.
    status: String,
    /// How much, in the currency's smallest unit.
    amount: i64,
    /// The currency.
    currency: String,
    /// The payment.
    payment: String,
}

impl Atom for PaymentRefund {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "payment_refund",
        layer: Layer::IoHttp,
        summary: "Gives a payment back through Stripe, wholly or in part, once.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Low,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Give a part of a payment back",
            setup: vec![Setup::Http {
                method: "POST",
                path: "/v1/refunds",
                status: 200,
                body: json!({ "id": "re_1", "status": "succeeded", "amount": 250, "currency": "eur" }),
            }],
            input: json!({
                "stripe": { "secret_key": "sk_test_1", "base_url": "https://api.example.com" },
                "payment": "pi_1",
                "amount": 250,
                "reason": "requested_by_customer",
            }),
            expect: json!({ "id": "re_1", "status": "succeeded", "amount": 250 }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let atom = Self::CARD.name;
        let name = match input.payment.split_once('_') {
            Some(("pi", _)) => "payment_intent",
            Some(("ch" | "py", _)) => "charge",
            Some(_) | None => {
                return Err(bad(atom, "payment", "it is no payment's id".to_owned())
                    .hint("give the `id` that `payment_process` gave: `pi_…`"));
            }
        };
        let mut form = vec![(name.to_owned(), input.payment.clone())];
        if let Some(given) = input.amount {
            form.push(("amount".to_owned(), amount(atom, given)?));
        }
        form.extend(input.reason.map(|why| ("reason".to_owned(), why.name().to_owned())));
        metadata(&mut form, input.metadata);
        let (form, key) = (Some(Fields(form)), input.idempotency_key.as_deref());
        let said = request(&cx, atom, &input.stripe, "/v1/refunds", form, key).await?;
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        Ok(Output {
            id: text("id"),
            status: text("status"),
            amount: said["amount"].as_i64().unwrap_or_default(),
            currency: text("currency"),
            payment: input.payment,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Stub, World};
    use serde_json::Value;

    fn refund(base: &str, payment: &str) -> Value {
        json!({ "stripe": { "secret_key": "sk_1", "base_url": base }, "payment": payment })
    }

    #[tokio::test]
    async fn a_refund_is_a_form_under_the_steps_key() {
        let (world, stub) = (World::new(), Stub::start().await);
        let answer = r#"{"id":"re_1","status":"pending","amount":1250,"currency":"eur"}"#;
        stub.on("/v1/refunds", Reply::status(200).body(answer));
        let mut input = refund(&stub.url(""), "pi_1");
        input["amount"] = json!(5);
        input["reason"] = json!("duplicate");
        input["metadata"] = json!({ "a": "b" });
        let output = world.run("payment_refund", input).await.unwrap();
        assert_eq!((&output["status"], &output["payment"]), (&json!("pending"), &json!("pi_1")));
        world.run("payment_refund", refund(&stub.url(""), "ch_1")).await.unwrap();
        let seen = stub.seen();
        assert_eq!(seen[0].body, "payment_intent=pi_1&amount=5&reason=duplicate&metadata%5Ba%5D=b");
        assert_eq!(seen[0].headers["idempotency-key"], "jalm-test-0");
        assert_eq!(seen[1].body, "charge=ch_1");
    }

    #[tokio::test]
    async fn wrong_inputs_and_refusals_say_what_to_do() {
        let (world, stub) = (World::new(), Stub::start().await);
        let answer = json!({ "error": { "type": "invalid_request_error", "code": "charge_already_refunded", "message": "already refunded" } });
        stub.on("/v1/refunds", Reply::status(400).body(answer.to_string()));
        let base = stub.url("");
        let mut free = refund(&base, "pi_1");
        free["amount"] = json!(0);
        let mut odd = refund(&base, "pi_1");
        odd["reason"] = json!("mood");
        world
            .refuses(
                "payment_refund",
                &[
                    (json!({ "payment": "pi_1" }), "`stripe`", "add"),
                    (refund(&base, "cus_1"), "`payment`", "payment_process"),
                    (free, "`amount`", "smallest unit"),
                    (odd, "`mood`", "duplicate"),
                    (refund(&base, "pi_1"), "already refunded", "mend"),
                ],
            )
            .await;
    }
}
