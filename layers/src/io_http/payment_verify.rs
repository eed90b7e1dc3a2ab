//! `payment_verify`: whether a payment is what it should be, and whether a message of Stripe is its.
//!
//! A payment is asked for by Stripe's API. A message's `Stripe-Signature` is checked as Stripe
//! documents it: HMAC-SHA256 over `time.body`, not older than a tolerance. Stripe cannot be run
//! here: the tests check each request against the documented API with a server of their own.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{TimeSpan, bad};
use crate::payments::{Account, request};
use crate::service::segment;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod signature;

/// Verifies payments and messages about them.
pub(crate) struct PaymentVerify;

/// What is verified: `payment` with `stripe`, or `webhook`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Who asks: the account with Stripe; with `payment`.
    stripe: Option<Account>,
    /// The payment (`pi_…`), charge (`ch_…`), refund (`re_…`) or checkout session (`cs_…`).
    payment: Option<String>,
    /// What the payment must be.
    expect: Option<Expected>,
    /// A message that came in.
    webhook: Option<Webhook>,
}

/// What a payment must be; what is left out may be anything.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// How much, in the currency's smallest unit.
    amount: Option<i64>,
    /// The currency.
    currency: Option<String>,
    /// The status. Left out: `succeeded`; for checkout sessions `complete`.
    status: Option<String>,
    /// The customer: `cus_…`.
    customer: Option<String>,
}

/// A message as it came in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// The body exactly as it came in, as text.
    body: String,
    /// The `Stripe-Signature` header.
    signature: String,
    /// The endpoint's secret: `whsec_…`; a list while it is being changed. Best
    /// `{{ secrets.NAME }}`.
    secret: Secrets,
    /// How old it may be. Left out: `5m`.
    tolerance: Option<TimeSpan>,
}

/// One secret, or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Secrets {
    /// One.
    One(String),
    /// Any of them.
    Several(Vec<String>),
}

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether the payment is what it must be; for a message always true, others are failures.
    verified: bool,
    /// What is not as expected: `status`, `amount`, `currency`, `customer`.
    mismatches: Vec<&'static str>,
    /// The id of the payment or of the event.
    id: String,
    /// The payment's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// How much, in the currency's smallest unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    /// The currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// The event's kind: `payment_intent.succeeded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// The object that the event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Value>,
}

impl Atom for PaymentVerify {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "payment_verify",
        layer: Layer::IoHttp,
        summary: "Verifies a payment, or the signature of a message from Stripe.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Check that an order is paid in full",
            setup: vec![Setup::Http {
                method: "GET",
                path: "/v1/payment_intents/pi_1",
                status: 200,
                body: json!({ "id": "pi_1", "status": "succeeded", "amount": 1250, "currency": "eur" }),
            }],
            input: json!({
                "stripe": { "secret_key": "sk_test_1", "base_url": "https://api.example.com" },
                "payment": "pi_1",
                "expect": { "amount": 1250, "currency": "eur" },
            }),
            expect: json!({ "verified": true, "status": "succeeded", "mismatches": [] }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let atom = Self::CARD.name;
        let Input { stripe, payment, expect, webhook } = input;
        match (payment, webhook) {
            (Some(payment), None) => {
                let account = stripe.ok_or_else(|| {
                    bad(atom, "stripe", "it is required and is missing".to_owned())
                        .hint("add `stripe`: the account with Stripe")
                })?;
                retrieve(&cx, &account, &payment, expect.unwrap_or_default()).await
            }
            (None, Some(webhook)) => signature::event(&webhook, crate::context::now().0 / 1000),
            (Some(_), Some(_)) => Err(bad(atom, "webhook", "`payment` is given too".to_owned())
                .hint("verify them in two steps")),
            (None, None) => Err(bad(atom, "payment", "there is nothing to verify".to_owned())
                .hint("give `payment` with `stripe`, or `webhook`")),
        }
    }
}

async fn retrieve(
    cx: &Cx,
    account: &Account,
    payment: &str,
    expect: Expected,
) -> Result<Output, Failure> {
    let atom = PaymentVerify::CARD.name;
    let id = segment(atom, "payment", payment)?;
    let (kind, usual) = match id.split_once('_') {
        Some(("pi", _)) => ("/v1/payment_intents", "succeeded"),
        Some(("ch" | "py", _)) => ("/v1/charges", "succeeded"),
        Some(("re" | "pyr", _)) => ("/v1/refunds", "succeeded"),
        Some(("cs", _)) => ("/v1/checkout/sessions", "complete"),
        Some(_) | None => {
            return Err(bad(atom, "payment", "it is no payment's id".to_owned())
                .hint("give an id such as `pi_…`, `ch_…`, `re_…` or `cs_…`"));
        }
    };
    let said = request(cx, atom, account, &format!("{kind}/{id}"), None, None).await?;
    let text = |key: &str| said[key].as_str().map(str::to_owned);
    let (status, currency, customer) = (text("status"), text("currency"), text("customer"));
    let amount = said["amount"].as_i64().or_else(|| said["amount_total"].as_i64());
    let wanted = expect.status.as_deref().unwrap_or(usual);
    // A session can be complete while its payment is still under way.
    let unpaid = said["payment_status"].as_str() == Some("unpaid") && expect.status.is_none();
    let mut mismatches = Vec::new();
    if status.as_deref() != Some(wanted) || unpaid {
        mismatches.push("status");
    }
    if expect.amount.is_some() && expect.amount != amount {
        mismatches.push("amount");
    }
    let same = |wanted: &str| currency.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(wanted));
    if expect.currency.as_deref().is_some_and(|wanted| !same(wanted)) {
        mismatches.push("currency");
    }
    if expect.customer.is_some() && expect.customer != customer {
        mismatches.push("customer");
    }
    Ok(Output {
        verified: mismatches.is_empty(),
        mismatches,
        id: id.to_owned(),
        status,
        amount,
        currency,
        customer,
        event: None,
        object: None,
    })
}

#[cfg(test)]
mod tests;
