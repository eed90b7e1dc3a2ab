//! `send_telegram`: a message of a Telegram bot.
//!
//! It speaks the Bot API (`sendMessage`, `sendDocument`, `sendPhoto`). Telegram cannot be run here:
//! the tests check each request against the documented API with a server of their own. Telegram
//! knows no idempotency keys, so that a call whose answer was lost is not repeated by itself.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::net::{BodyInput, Part};
use crate::service::{Ask, Attachment, ask, endpoint, put, segment};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::Method;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Sends a message of a bot.
pub(crate) struct SendTelegram;

/// The message: `text`, a `document` or a `photo`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The bot's token, best `{{ secrets.NAME }}`. Needs grants under `http` for
    /// `https://api.telegram.org` and `notify: [telegram]`.
    token: String,
    /// The chat: its number, or `@name` of a public channel.
    chat_id: ChatId,
    /// The text; with a document or a photo, its caption.
    text: Option<String>,
    /// How the text is marked up. Left out: not at all.
    parse_mode: Option<ParseMode>,
    /// A file of any kind.
    document: Option<Attachment>,
    /// A picture.
    photo: Option<Attachment>,
    /// Buttons and the like, as the Bot API's `reply_markup` has them.
    reply_markup: Option<Map<String, Value>>,
    /// The topic of a forum.
    message_thread_id: Option<i64>,
    /// The id of the message that this one answers.
    reply_to: Option<i64>,
    /// Whether it arrives without a sound.
    #[serde(default)]
    silent: bool,
    /// Whether it can be neither forwarded nor saved.
    #[serde(default)]
    protect_content: bool,
    /// Whether links are shown with a preview.
    #[serde(default = "yes")]
    link_preview: bool,
    /// Another Bot API server. Left out: `https://api.telegram.org`.
    base_url: Option<String>,
    /// The longest it may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
}

/// A chat's number or name.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum ChatId {
    /// Its number.
    Number(i64),
    /// Its name.
    Name(String),
}

/// Telegram's ways to mark text up.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
enum ParseMode {
    /// HTML.
    #[serde(rename = "HTML")]
    Html,
    /// Markdown, in its newer form.
    MarkdownV2,
    /// Markdown, in its older form.
    Markdown,
}

fn yes() -> bool {
    true
}

/// The message as it was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The message's id in its chat.
    message_id: i64,
    /// The chat's number.
    chat_id: i64,
    /// When, in seconds since 1970.
    date: i64,
}

/// The most a bot may upload, and the most of a picture.
const LARGEST_DOCUMENT: ByteSize = ByteSize::mib(50);
const LARGEST_PHOTO: ByteSize = ByteSize::mib(10);

impl Atom for SendTelegram {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "send_telegram",
        layer: Layer::NotifyMq,
        summary: "Sends a message, a file or a picture as a Telegram bot.",
        effect: Effect::Write,
        retry: RetrySafety::Never,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Tell a chat that a build is done",
            setup: vec![Setup::Http {
                method: "POST",
                path: "/bot123:abc/sendMessage",
                status: 200,
                body: json!({
                    "ok": true,
                    "result": { "message_id": 7, "chat": { "id": -1001 }, "date": 1_700_000_000 },
                }),
            }],
            input: json!({
                "token": "123:abc",
                "chat_id": "@builds",
                "text": "<b>done</b>",
                "parse_mode": "HTML",
                "base_url": "https://api.example.com",
            }),
            expect: json!({ "message_id": 7, "chat_id": -1001 }),
        }]
    }

    async fn run(cx: Cx, mut input: Input) -> Result<Output, Failure> {
        let atom = Self::CARD.name;
        cx.access()?.notify("telegram")?;
        let (method, body) = message(&cx, &mut input).await?;
        let token = segment(atom, "token", &input.token)?;
        let url = endpoint(
            atom,
            input.base_url.as_deref(),
            "https://api.telegram.org",
            &format!("/bot{token}/{method}"),
        )?;
        let said = ask(
            &cx,
            Ask {
                atom,
                service: "Telegram",
                method: Method::POST,
                url,
                headers: HeaderMap::new(),
                body,
                timeout: input.timeout,
                repeatable: false,
                secrets: &[token],
            },
        )
        .await?;
        let result = &said.body["result"];
        match (result["message_id"].as_i64(), result["chat"]["id"].as_i64()) {
            (Some(message_id), Some(chat_id)) if said.status.is_success() => {
                let date = result["date"].as_i64().unwrap_or_default();
                Ok(Output { message_id, chat_id, date })
            }
            _ => {
                let reason = said.body["description"].as_str();
                let reason = reason.map_or_else(|| said.text(), str::to_owned);
                let pause = said.body["parameters"]["retry_after"].as_u64();
                Err(said.refusal(&reason, pause.map(|seconds| seconds.saturating_mul(1000))))
            }
        }
    }
}

/// The method of the Bot API, and what it is given.
async fn message(cx: &Cx, input: &mut Input) -> Result<(&'static str, BodyInput), Failure> {
    let atom = SendTelegram::CARD.name;
    let (method, file) = match (input.document.take(), input.photo.take()) {
        (Some(_), Some(_)) => {
            return Err(bad(atom, "photo", "`document` is given too".to_owned())
                .hint("send them in two steps"));
        }
        (Some(file), None) => ("sendDocument", Some(("document", file, LARGEST_DOCUMENT))),
        (None, Some(file)) => ("sendPhoto", Some(("photo", file, LARGEST_PHOTO))),
        (None, None) => ("sendMessage", None),
    };
    let text = input.text.as_deref().filter(|text| !text.is_empty());
    let most = if file.is_some() { 1024 } else { 4096 };
    // Markup does not count, so that only plain text can be measured here.
    let length = text.map_or(0, |text| text.encode_utf16().count());
    if input.parse_mode.is_none() && length > most {
        return Err(bad(
            atom,
            "text",
            format!("it has {length} characters; Telegram takes {most}"),
        )
        .hint("shorten it, or send it as a `document`"));
    }
    let mut fields = Map::new();
    fields
        .insert("chat_id".to_owned(), serde_json::to_value(&input.chat_id).map_err(Failure::bug)?);
    put(&mut fields, if file.is_some() { "caption" } else { "text" }, text.map(Value::from));
    put(&mut fields, "parse_mode", input.parse_mode.map(|mode| json!(mode)));
    put(&mut fields, "message_thread_id", input.message_thread_id.map(Value::from));
    put(&mut fields, "reply_parameters", input.reply_to.map(|id| json!({ "message_id": id })));
    put(&mut fields, "reply_markup", input.reply_markup.take().map(Value::Object));
    put(&mut fields, "disable_notification", input.silent.then_some(Value::Bool(true)));
    put(&mut fields, "protect_content", input.protect_content.then_some(Value::Bool(true)));
    let Some((name, file, most)) = file else {
        if text.is_none() {
            return Err(bad(atom, "text", "there is nothing to send".to_owned())
                .hint("give `text`, `document` or `photo`"));
        }
        let preview = (!input.link_preview).then(|| json!({ "is_disabled": true }));
        put(&mut fields, "link_preview_options", preview);
        let json = Some(Value::Object(fields));
        return Ok((method, BodyInput { json, ..BodyInput::default() }));
    };
    let file = file.read(cx, atom, name, most).await?;
    let mut parts: Vec<Part> =
        fields.into_iter().map(|(name, value)| Part::field(&name, value)).collect();
    parts.push(file.into_part(name));
    Ok((method, BodyInput { multipart: Some(parts), ..BodyInput::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Stub, World};

    fn taken() -> Reply {
        Reply::status(200).body(r#"{"ok":true,"result":{"message_id":1,"chat":{"id":5},"date":9}}"#)
    }

    #[tokio::test]
    async fn a_message_is_as_the_bot_api_wants_it() {
        let (world, stub) = (World::new(), Stub::start().await);
        stub.on("/bot1:t/sendMessage", taken());
        let input = json!({
            "token": "1:t", "chat_id": 5, "text": "hi", "parse_mode": "MarkdownV2", "silent": true,
            "link_preview": false, "reply_to": 3, "message_thread_id": 4, "protect_content": true,
            "reply_markup": { "inline_keyboard": [[{ "text": "a", "url": "https://a.example" }]] },
            "base_url": stub.url("/"),
        });
        let output = world.run("send_telegram", input).await.unwrap();
        assert_eq!(output, json!({ "message_id": 1, "chat_id": 5, "date": 9 }));
        let seen = &stub.seen()[0];
        assert_eq!(seen.headers["content-type"], "application/json");
        assert_eq!(
            serde_json::from_slice::<Value>(&seen.body).unwrap(),
            json!({
                "chat_id": 5, "text": "hi", "parse_mode": "MarkdownV2",
                "disable_notification": true, "protect_content": true, "message_thread_id": 4,
                "link_preview_options": { "is_disabled": true },
                "reply_parameters": { "message_id": 3 },
                "reply_markup": { "inline_keyboard": [[{ "text": "a", "url": "https://a.example" }]] },
            })
        );
    }

    #[tokio::test]
    async fn files_and_pictures_go_as_parts_with_their_caption() {
        let (world, stub) = (World::new(), Stub::start().await);
        for (key, method) in [("document", "sendDocument"), ("photo", "sendPhoto")] {
            stub.on(&format!("/bot1:t/{method}"), taken());
            let input = json!({
                "token": "1:t", "chat_id": "@c", "text": "see", "base_url": stub.url(""),
                key: { "text": "a,b", "filename": "x.csv", "content_type": "text/csv" },
            });
            world.run("send_telegram", input).await.unwrap();
            let seen = stub.seen().pop().unwrap();
            let body = String::from_utf8_lossy(&seen.body).into_owned();
            for part in [
                "name=\"chat_id\"\r\n\r\n@c".to_owned(),
                "name=\"caption\"\r\n\r\nsee".to_owned(),
                format!("name=\"{key}\"; filename=\"x.csv\"\r\nContent-Type: text/csv\r\n\r\na,b"),
            ] {
                assert!(body.contains(&part), "{body}");
            }
        }
    }

    #[tokio::test]
    async fn refusals_say_when_to_come_again_and_never_tell_the_token() {
        let (world, stub) = (World::new(), Stub::start().await);
        let input =
            json!({ "token": "1:sEcret", "chat_id": 5, "text": "hi", "base_url": stub.url("") });
        for (status, body, code, pause) in [
            (
                429,
                json!({ "description": "Too Many Requests", "parameters": { "retry_after": 7 } }),
                "rate_limited",
                Some(7000),
            ),
            (
                400,
                json!({ "description": "Bad Request: chat not found /bot1:sEcret" }),
                "service_refused",
                None,
            ),
            (401, json!({ "description": "Unauthorized" }), "service_denied", None),
            (502, json!("bad gateway"), "service_down", None),
        ] {
            stub.on("/bot1:sEcret/sendMessage", Reply::status(status).body(body.to_string()));
            let failure = world.run("send_telegram", input.clone()).await.unwrap_err();
            assert_eq!((&*failure.code, failure.retry_after), (code, pause));
            assert_eq!(failure.retryable, matches!(status, 429 | 502));
            assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
        }
        let down = json!({ "token": "1:sEcret", "chat_id": 5, "text": "hi", "base_url": "http://127.0.0.1:1" });
        let failure = world.run("send_telegram", down).await.unwrap_err();
        assert_eq!((&*failure.code, failure.retryable), ("http_connect", true));
        assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
    }

    #[tokio::test]
    async fn wrong_inputs_are_refused_before_anything_is_sent() {
        let file = json!({ "text": "a", "filename": "a" });
        let with = |more: Value| {
            let mut input = json!({ "token": "1:t", "chat_id": 5 });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        World::new()
            .refuses(
                "send_telegram",
                &[
                    (json!({ "chat_id": 1 }), "`token`", "add `token`"),
                    (with(json!({})), "nothing to send", "`document`"),
                    (with(json!({ "token": "a/../b", "text": "x" })), "`token`", "copy it"),
                    (with(json!({ "text": "x".repeat(4097) })), "4097", "shorten"),
                    (with(json!({ "document": file, "photo": file })), "`photo`", "two steps"),
                    (with(json!({ "photo": { "filename": "a" } })), "exactly one", "`base64`"),
                    (with(json!({ "photo": { "text": "a" } })), "`photo.filename`", "add"),
                    (with(json!({ "text": "x", "base_url": "ftp://x" })), "`base_url`", "https"),
                    (with(json!({ "text": "x", "parse_mode": "html" })), "`html`", "HTML"),
                ],
            )
            .await;
    }
}
