//! `send_slack`: a message in Slack, by an incoming webhook or as an app.
//!
//! As an app it speaks the Web API: `chat.postMessage`, and for files `files.getUploadURLExternal`,
//! the upload, and `files.completeUploadExternal`. Slack cannot be run here: the tests check each
//! request against the documented API with a server of their own. Slack knows no idempotency keys,
//! so that a call whose answer was lost is not repeated by itself.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{TimeSpan, bad};
use crate::net::BodyInput;
use crate::service::{Ask, Attachment, Said, ask, endpoint, place, put, secret_header};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

mod upload;

/// Sends a message.
pub(crate) struct SendSlack;

/// The message, and who sends it where: `webhook_url`, or `token` and `channel`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The address of an incoming webhook, best `{{ secrets.NAME }}`. Needs grants under `http`
    /// for `https://hooks.slack.com` and `notify: [slack]`.
    webhook_url: Option<String>,
    /// An app's token, best `{{ secrets.NAME }}`. Needs grants under `http` for
    /// `https://slack.com` (and `https://files.slack.com` for files) and `notify: [slack]`.
    token: Option<String>,
    /// The channel's id; with `token`.
    channel: Option<String>,
    /// The text; with `blocks`, what notifications show; with `files`, what stands beside them.
    text: Option<String>,
    /// The message as Block Kit has it.
    blocks: Option<Vec<Value>>,
    /// The `ts` of the message whose thread it belongs to.
    thread_ts: Option<String>,
    /// Whether an answer in a thread is shown in the channel too.
    #[serde(default)]
    reply_broadcast: bool,
    /// Files; with `token`.
    #[serde(default)]
    files: Vec<Attachment>,
    /// The name under which the app writes; with `token`.
    username: Option<String>,
    /// The app's picture as an emoji, such as `:robot_face:`; with `token`.
    icon_emoji: Option<String>,
    /// Whether links are shown with a preview.
    unfurl_links: Option<bool>,
    /// Another server of the Web API. Left out: `https://slack.com/api`.
    base_url: Option<String>,
    /// The longest each request may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
}

/// The message as it was taken.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The channel's id; not told by webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// The message's id, for `thread_ts`; not told by webhooks and for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<String>,
    /// The ids of the files.
    file_ids: Vec<String>,
}

impl Atom for SendSlack {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "send_slack",
        layer: Layer::NotifyMq,
        summary: "Sends a message or files to Slack, by a webhook or as an app.",
        effect: Effect::Write,
        retry: RetrySafety::Never,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Tell a channel through its webhook",
                setup: vec![Setup::Http {
                    method: "POST",
                    path: "/services/T0/B0/x",
                    status: 200,
                    body: Value::Null,
                }],
                input: json!({
                    "webhook_url": "https://api.example.com/services/T0/B0/x",
                    "text": "deployed",
                }),
                expect: json!({}),
            },
            Example {
                title: "Answer in a thread as an app",
                setup: vec![Setup::Http {
                    method: "POST",
                    path: "/api/chat.postMessage",
                    status: 200,
                    body: json!({ "ok": true, "channel": "C1", "ts": "1700000000.000200" }),
                }],
                input: json!({
                    "token": "xoxb-1",
                    "channel": "C1",
                    "text": "deployed",
                    "thread_ts": "1700000000.000100",
                    "base_url": "https://api.example.com/api",
                }),
                expect: json!({ "channel": "C1", "ts": "1700000000.000200" }),
            },
        ]
    }

    async fn run(cx: Cx, mut input: Input) -> Result<Output, Failure> {
        cx.access()?.notify("slack")?;
        let atom = Self::CARD.name;
        if input.text.is_none() && input.blocks.is_none() && input.files.is_empty() {
            return Err(bad(atom, "text", "there is nothing to send".to_owned())
                .hint("give `text`, `blocks` or `files`"));
        }
        match (input.webhook_url.take(), input.token.take()) {
            (Some(url), None) => by_webhook(&cx, &input, &url).await,
            (None, Some(token)) => {
                let channel = input.channel.clone().ok_or_else(|| {
                    bad(atom, "channel", "it is required and is missing".to_owned())
                        .hint("add `channel`: the channel's id")
                })?;
                let files = std::mem::take(&mut input.files);
                let app = App { cx: &cx, token: &token, input: &input };
                if files.is_empty() {
                    return app.post(&channel).await;
                }
                upload::send(&app, &channel, files).await
            }
            (Some(_), Some(_)) => Err(bad(atom, "token", "`webhook_url` is given too".to_owned())
                .hint("leave one of them out")),
            (None, None) => {
                Err(bad(atom, "webhook_url", "nobody is named who sends it".to_owned())
                    .hint("give `webhook_url`, or `token` and `channel`"))
            }
        }
    }
}

async fn by_webhook(cx: &Cx, input: &Input, url: &str) -> Result<Output, Failure> {
    let atom = SendSlack::CARD.name;
    for (key, given) in [
        ("channel", input.channel.is_some()),
        ("files", !input.files.is_empty()),
        ("username", input.username.is_some()),
        ("icon_emoji", input.icon_emoji.is_some()),
    ] {
        if given {
            return Err(bad(atom, key, "a webhook does not take it".to_owned())
                .hint("leave it out, or send as an app with `token` and `channel`"));
        }
    }
    let said = ask(
        cx,
        Ask {
            atom,
            service: "Slack",
            method: Method::POST,
            url: place(atom, "webhook_url", url)?,
            headers: HeaderMap::new(),
            body: BodyInput { json: Some(Value::Object(message(input))), ..BodyInput::default() },
            timeout: input.timeout,
            repeatable: false,
            secrets: &[url],
        },
    )
    .await?;
    if said.status.is_success() {
        Ok(Output::default())
    } else {
        Err(said.refusal(&said.text(), None))
    }
}

fn message(input: &Input) -> Map<String, Value> {
    let mut map = Map::new();
    put(&mut map, "text", input.text.clone().map(Value::from));
    put(&mut map, "blocks", input.blocks.clone().map(Value::Array));
    put(&mut map, "thread_ts", input.thread_ts.clone().map(Value::from));
    put(&mut map, "reply_broadcast", input.reply_broadcast.then_some(Value::Bool(true)));
    put(&mut map, "username", input.username.clone().map(Value::from));
    put(&mut map, "icon_emoji", input.icon_emoji.clone().map(Value::from));
    put(&mut map, "unfurl_links", input.unfurl_links.map(Value::Bool));
    map
}

/// Who asks the Web API.
struct App<'a> {
    cx: &'a Cx,
    token: &'a str,
    input: &'a Input,
}

impl App<'_> {
    async fn post(&self, channel: &str) -> Result<Output, Failure> {
        let mut map = message(self.input);
        map.insert("channel".to_owned(), channel.into());
        let json = Some(Value::Object(map));
        let said =
            self.call("chat.postMessage", BodyInput { json, ..BodyInput::default() }).await?;
        let text = |key: &str| said.body[key].as_str().map(str::to_owned);
        Ok(Output { channel: text("channel"), ts: text("ts"), file_ids: Vec::new() })
    }

    /// Calls a method; an answer that is not `ok` is a failure.
    async fn call(&self, method: &str, body: BodyInput) -> Result<Said, Failure> {
        let atom = SendSlack::CARD.name;
        let path = format!("/{method}");
        let url = endpoint(atom, self.input.base_url.as_deref(), "https://slack.com/api", &path)?;
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.token);
        headers.insert(AUTHORIZATION, secret_header(atom, "token", &bearer)?);
        let said = self.ask(url, headers, body).await?;
        if said.status.is_success() && said.body["ok"] == true {
            return Ok(said);
        }
        let error = said.body["error"].as_str().map_or_else(|| said.text(), str::to_owned);
        Err(refusal(said, &error))
    }

    async fn ask(&self, url: Url, headers: HeaderMap, body: BodyInput) -> Result<Said, Failure> {
        let ask_for = Ask {
            atom: SendSlack::CARD.name,
            service: "Slack",
            method: Method::POST,
            url,
            headers,
            body,
            timeout: self.input.timeout,
            repeatable: false,
            secrets: &[self.token],
        };
        ask(self.cx, ask_for).await
    }
}

/// Slack refuses with status 200; what it means is in its word for the error.
fn refusal(mut said: Said, error: &str) -> Failure {
    if said.status.is_success() {
        let status = match error {
            "ratelimited" | "rate_limited" => 429,
            "invalid_auth"
            | "not_authed"
            | "token_expired"
            | "token_revoked"
            | "missing_scope"
            | "account_inactive"
            | "not_allowed_token_type" => 403,
            "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => 503,
            _ => 400,
        };
        said.status = reqwest::StatusCode::from_u16(status).unwrap_or(said.status);
    }
    said.refusal(error, None)
}

#[cfg(test)]
mod tests;
