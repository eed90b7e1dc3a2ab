//! `notify_sms`: a text message to a phone, and how it fared.
//!
//! It speaks Twilio's API of messages, which other providers offer too. Twilio cannot be run here:
//! the tests check each request against the documented API with a server of their own. Twilio knows
//! no idempotency keys, so that a call whose answer was lost is not repeated by itself.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{TimeSpan, bad};
use crate::net::{BodyInput, Fields};
use crate::service::{Ask, ask, endpoint, secret_header, segment};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Sends a text message.
pub(crate) struct NotifySms;

/// A message to send: `to`, `body`, and `from` or `messaging_service_sid`. Or `status_of`: a
/// message that was sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The account: `AC…`. Needs grants under `http` for `https://api.twilio.com` and
    /// `notify: [sms]`.
    account_sid: String,
    /// The account's token, or the secret of `api_key`; best `{{ secrets.NAME }}`.
    auth_token: String,
    /// An API key that asks for the account: `SK…`.
    api_key: Option<String>,
    /// The number it goes to, such as `+4915112345678`.
    to: Option<String>,
    /// The number or name it comes from.
    from: Option<String>,
    /// The messaging service that chooses the number.
    messaging_service_sid: Option<String>,
    /// The text, of at most 1600 characters.
    body: Option<String>,
    /// Addresses of pictures to send along.
    #[serde(default)]
    media_urls: Vec<String>,
    /// The address that is told how the message fares.
    status_callback: Option<String>,
    /// The id of a message that was sent: nothing is sent, its status is asked.
    status_of: Option<String>,
    /// Another server of the API. Left out: `https://api.twilio.com`.
    base_url: Option<String>,
    /// The longest it may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
}

/// The message.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its id, for `status_of`.
    sid: String,
    /// `queued`, `accepted`, `sent`, `delivered`, `undelivered`, `failed`, …
    status: String,
    /// Into how many text messages it was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<u64>,
    /// Why it was not delivered, as the provider's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<i64>,
}

impl Atom for NotifySms {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "notify_sms",
        layer: Layer::NotifyMq,
        summary: "Sends a text message to a phone, or tells how one fared.",
        effect: Effect::Write,
        retry: RetrySafety::Never,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Low,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn effect_of(input: &Value) -> Effect {
        if input["status_of"].is_string() { Effect::Read } else { Effect::Write }
    }

    fn examples() -> Vec<Example> {
        let answer = |status: &str| json!({ "sid": "SM1", "status": status, "num_segments": "1", "error_code": null });
        vec![
            Example {
                title: "Send a code",
                setup: vec![Setup::Http {
                    method: "POST",
                    path: "/2010-04-01/Accounts/AC1/Messages.json",
                    status: 201,
                    body: answer("queued"),
                }],
                input: json!({
                    "account_sid": "AC1", "auth_token": "token",
                    "to": "+15005550006", "from": "+15005550001", "body": "Your code is 1234",
                    "base_url": "https://api.example.com",
                }),
                expect: json!({ "sid": "SM1", "status": "queued", "segments": 1 }),
            },
            Example {
                title: "Ask whether it arrived",
                setup: vec![Setup::Http {
                    method: "GET",
                    path: "/2010-04-01/Accounts/AC1/Messages/SM1.json",
                    status: 200,
                    body: answer("delivered"),
                }],
                input: json!({
                    "account_sid": "AC1", "auth_token": "token", "status_of": "SM1",
                    "base_url": "https://api.example.com",
                }),
                expect: json!({ "status": "delivered" }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        cx.access()?.notify("sms")?;
        let atom = Self::CARD.name;
        let account = segment(atom, "account_sid", &input.account_sid)?;
        let (method, path, body) = match &input.status_of {
            Some(sid) => {
                (Method::GET, format!("Messages/{}.json", segment(atom, "status_of", sid)?), None)
            }
            None => (Method::POST, "Messages.json".to_owned(), Some(form(&input)?)),
        };
        let path = format!("/2010-04-01/Accounts/{account}/{path}");
        let url = endpoint(atom, input.base_url.as_deref(), "https://api.twilio.com", &path)?;
        let user = input.api_key.as_deref().unwrap_or(account);
        let pair = STANDARD.encode(format!("{user}:{}", input.auth_token));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, secret_header(atom, "auth_token", &format!("Basic {pair}"))?);
        let said = ask(
            &cx,
            Ask {
                atom,
                service: "Twilio",
                repeatable: method == Method::GET,
                method,
                url,
                headers,
                body: BodyInput { form: body, ..BodyInput::default() },
                timeout: input.timeout,
                secrets: &[&input.auth_token],
            },
        )
        .await?;
        let text = |key: &str| said.body[key].as_str().map(str::to_owned);
        match (text("sid"), text("status")) {
            (Some(id), Some(status)) if said.status.is_success() => Ok(Output {
                sid: id,
                status,
                segments: said.body["num_segments"].as_str().and_then(|count| count.parse().ok()),
                error_code: said.body["error_code"].as_i64(),
            }),
            _ => {
                let reason = match (said.body["code"].as_i64(), said.body["message"].as_str()) {
                    (Some(code), Some(message)) => format!("{code} {message}"),
                    _ => said.text(),
                };
                Err(said.refusal(&reason, None))
            }
        }
    }
}

fn form(input: &Input) -> Result<Fields, Failure> {
    let atom = NotifySms::CARD.name;
    let missing = |key: &str, hint: &str| {
        bad(atom, key, "it is required and is missing".to_owned()).hint(hint.to_owned())
    };
    let to = input.to.as_deref().filter(|to| !to.is_empty());
    let to = to.ok_or_else(|| missing("to", "add `to`: the number, such as `+4915112345678`"))?;
    let mut form = vec![("To", to)];
    match (&input.from, &input.messaging_service_sid) {
        (Some(from), None) => form.push(("From", from)),
        (None, Some(sid)) => form.push(("MessagingServiceSid", sid)),
        (Some(_), Some(_)) => {
            return Err(bad(atom, "from", "`messaging_service_sid` is given too".to_owned())
                .hint("leave one of them out"));
        }
        (None, None) => return Err(missing("from", "give `from` or `messaging_service_sid`")),
    }
    let body = input.body.as_deref().unwrap_or_default();
    let length = body.chars().count();
    if length > 1600 {
        return Err(bad(atom, "body", format!("it has {length} characters; 1600 are the most"))
            .hint("shorten it, or send it in several steps"));
    }
    if body.is_empty() && input.media_urls.is_empty() {
        return Err(missing("body", "add `body`: the text"));
    }
    if !body.is_empty() {
        form.push(("Body", body));
    }
    form.extend(input.media_urls.iter().map(|url| ("MediaUrl", url.as_str())));
    form.extend(input.status_callback.iter().map(|url| ("StatusCallback", url.as_str())));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(Fields(form.into_iter().map(owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Stub, World};

    const SEND: &str = "/2010-04-01/Accounts/AC1/Messages.json";

    fn message(base: &str) -> Value {
        json!({
            "account_sid": "AC1", "auth_token": "sEcret", "to": "+1", "from": "+2",
            "body": "a & b", "media_urls": ["https://m.example/1"], "base_url": base,
        })
    }

    #[tokio::test]
    async fn a_message_is_a_form_as_the_api_wants_it() {
        let (world, stub) = (World::new(), Stub::start().await);
        let answer = r#"{"sid":"SM1","status":"failed","num_segments":"2","error_code":30003}"#;
        stub.on(SEND, Reply::status(201).body(answer));
        let output = world.run("notify_sms", message(&stub.url(""))).await.unwrap();
        assert_eq!(
            output,
            json!({ "sid": "SM1", "status": "failed", "segments": 2, "error_code": 30003 })
        );
        let seen = &stub.seen()[0];
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", SEND));
        assert_eq!(seen.headers["authorization"], "Basic QUMxOnNFY3JldA==");
        assert_eq!(
            seen.body,
            "To=%2B1&From=%2B2&Body=a+%26+b&MediaUrl=https%3A%2F%2Fm.example%2F1"
        );
    }

    #[tokio::test]
    async fn refusals_keep_their_pause_and_tell_no_secret() {
        let (world, stub) = (World::new(), Stub::start().await);
        for (status, answer, code, again) in [
            (429, r#"{"code":20429,"message":"Too many requests"}"#, "rate_limited", true),
            (400, r#"{"code":21211,"message":"Invalid 'To' sEcret"}"#, "service_refused", false),
            (401, r#"{"code":20003,"message":"Authenticate"}"#, "service_denied", false),
            (500, "", "service_down", true),
        ] {
            stub.on(SEND, Reply::status(status).header("retry-after", "2").body(answer));
            let failure = world.run("notify_sms", message(&stub.url(""))).await.unwrap_err();
            assert_eq!((&*failure.code, failure.retryable), (code, again), "{failure:?}");
            assert_eq!(failure.retry_after, again.then_some(2000));
            assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
        }
    }

    #[tokio::test]
    async fn wrong_inputs_are_refused_before_anything_is_sent() {
        let with = |key: &str, value: Value| {
            let mut input = message("http://127.0.0.1:1");
            input[key] = value;
            input
        };
        World::new()
            .refuses(
                "notify_sms",
                &[
                    (json!({}), "`account_sid`", "add"),
                    (with("to", Value::Null), "`to`", "add `to`"),
                    (with("from", Value::Null), "`from`", "`messaging_service_sid`"),
                    (with("messaging_service_sid", json!("MG")), "`from`", "leave one"),
                    (with("body", json!("x".repeat(1601))), "1601", "shorten"),
                    (with("account_sid", json!("AC/1")), "`account_sid`", "copy"),
                    (with("status_of", json!("")), "`status_of`", "copy"),
                    (with("base_url", json!("x")), "`base_url`", "https"),
                ],
            )
            .await;
    }

    #[test]
    fn asking_for_a_status_only_reads() {
        assert_eq!(NotifySms::effect_of(&json!({ "status_of": "SM1" })), Effect::Read);
        assert_eq!(NotifySms::effect_of(&json!({ "to": "+1" })), Effect::Write);
    }
}
