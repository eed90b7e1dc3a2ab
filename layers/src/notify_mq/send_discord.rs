//! `send_discord`: a message in Discord, by a webhook or as a bot.
//!
//! Discord cannot be run here: the tests check each request against the documented API (version
//! 10) with a server of their own. A bot's message carries a nonce made of the call's key, by which
//! Discord drops a repetition within minutes; a webhook has no such thing, so that a call whose
//! answer was lost is not repeated by itself.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::net::{BodyInput, Part};
use crate::service::{Ask, Attachment, ask, endpoint, place, put, secret_header, segment};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Sends a message.
pub(crate) struct SendDiscord;

/// The message, and who sends it where: `webhook_url`, or `token` and `channel_id`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The address of a webhook, best `{{ secrets.NAME }}`. Needs grants under `http` for
    /// `https://discord.com` and `notify: [discord]`.
    webhook_url: Option<String>,
    /// A bot's token, best `{{ secrets.NAME }}`. Needs grants under `http` for
    /// `https://discord.com` and `notify: [discord]`.
    token: Option<String>,
    /// The channel's id, or that of a thread; with `token`.
    channel_id: Option<String>,
    /// The text, of at most 2000 characters.
    content: Option<String>,
    /// At most ten embeds, as Discord's API has them.
    #[serde(default)]
    embeds: Vec<Map<String, Value>>,
    /// At most ten files.
    #[serde(default)]
    files: Vec<Attachment>,
    /// Buttons and menus, as Discord's API has them.
    components: Option<Vec<Value>>,
    /// The thread of the webhook's channel; with `webhook_url`.
    thread_id: Option<String>,
    /// Starts a thread of this name in a forum; with `webhook_url`.
    thread_name: Option<String>,
    /// The id of the message that this one answers; with `token`.
    reply_to: Option<String>,
    /// The name that is shown; with `webhook_url`.
    username: Option<String>,
    /// The picture that is shown; with `webhook_url`.
    avatar_url: Option<String>,
    /// Who may be told of being named, as Discord's API has it. Left out: nobody.
    allowed_mentions: Option<Map<String, Value>>,
    /// Another server of the API. Left out: `https://discord.com/api/v10`.
    base_url: Option<String>,
    /// The longest it may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
}

/// The message as it was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The message's id.
    message_id: String,
    /// The id of its channel or thread.
    channel_id: String,
}

const AGENT: &str =
    concat!("DiscordBot (", env!("CARGO_PKG_REPOSITORY"), ", ", env!("CARGO_PKG_VERSION"), ")");
const LARGEST: ByteSize = ByteSize::mib(25);

impl Atom for SendDiscord {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "send_discord",
        layer: Layer::NotifyMq,
        summary: "Sends a message or files to Discord, by a webhook or as a bot.",
        effect: Effect::Write,
        retry: RetrySafety::Never,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Low,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Tell a channel through its webhook",
            setup: vec![Setup::Http {
                method: "POST",
                path: "/api/webhooks/1/x",
                status: 200,
                body: json!({ "id": "99", "channel_id": "5" }),
            }],
            input: json!({
                "webhook_url": "https://api.example.com/api/webhooks/1/x",
                "content": "deployed",
                "embeds": [{ "title": "v1.2", "color": 65280 }],
            }),
            expect: json!({ "message_id": "99", "channel_id": "5" }),
        }]
    }

    async fn run(cx: Cx, mut input: Input) -> Result<Output, Failure> {
        cx.access()?.notify("discord")?;
        check(&input)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let (url, secret) = target(&input, &mut headers)?;
        let nonce = input.token.is_some().then(|| nonce(&cx.key));
        let body = body(&cx, &mut input, nonce).await?;
        let said = ask(
            &cx,
            Ask {
                atom: Self::CARD.name,
                service: "Discord",
                method: Method::POST,
                url,
                headers,
                body,
                timeout: input.timeout,
                repeatable: false,
                secrets: &[&secret],
            },
        )
        .await?;
        let text = |key: &str| said.body[key].as_str().map(str::to_owned);
        match (text("id"), text("channel_id")) {
            (Some(message_id), Some(channel_id)) if said.status.is_success() => {
                Ok(Output { message_id, channel_id })
            }
            _ => {
                let seconds = said.body["retry_after"].as_f64();
                let pause = seconds
                    .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
                let pause = pause.and_then(|pause| u64::try_from(pause.as_millis()).ok());
                Err(said.refusal(&text("message").unwrap_or_else(|| said.text()), pause))
            }
        }
    }
}

fn check(input: &Input) -> Result<(), Failure> {
    let atom = SendDiscord::CARD.name;
    let length = input.content.as_deref().map_or(0, |text| text.chars().count());
    if length > 2000 {
        return Err(bad(
            atom,
            "content",
            format!("it has {length} characters; Discord takes 2000"),
        )
        .hint("shorten it, or send it as a file"));
    }
    for (key, count) in [("embeds", input.embeds.len()), ("files", input.files.len())] {
        if count > 10 {
            return Err(bad(atom, key, format!("there are {count}; Discord takes 10"))
                .hint("send the others in a step of their own"));
        }
    }
    let components = input.components.as_ref().is_none_or(Vec::is_empty);
    if length == 0 && input.embeds.is_empty() && input.files.is_empty() && components {
        return Err(bad(atom, "content", "there is nothing to send".to_owned())
            .hint("give `content`, `embeds`, `components` or `files`"));
    }
    let (webhook, bot) = (input.webhook_url.is_some(), input.token.is_some());
    if webhook && bot {
        return Err(bad(atom, "token", "`webhook_url` is given too".to_owned())
            .hint("leave one of them out"));
    }
    let of_webhooks = [
        ("thread_id", input.thread_id.is_some()),
        ("thread_name", input.thread_name.is_some()),
        ("username", input.username.is_some()),
        ("avatar_url", input.avatar_url.is_some()),
    ];
    let of_bots =
        [("channel_id", input.channel_id.is_some()), ("reply_to", input.reply_to.is_some())];
    let (others, who) = if bot { (&of_webhooks[..], "a bot") } else { (&of_bots[..], "a webhook") };
    match others.iter().find(|(_, given)| *given) {
        Some((key, _)) if webhook || bot => {
            Err(bad(atom, key, format!("{who} does not take it")).hint("leave it out"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Where it goes, and what of it is secret.
fn target(input: &Input, headers: &mut HeaderMap) -> Result<(Url, String), Failure> {
    let atom = SendDiscord::CARD.name;
    if let Some(address) = &input.webhook_url {
        let mut url = place(atom, "webhook_url", address)?;
        // Only an awaited message is answered with its id.
        url.query_pairs_mut().append_pair("wait", "true");
        if let Some(thread) = &input.thread_id {
            url.query_pairs_mut().append_pair("thread_id", thread);
        }
        return Ok((url, address.clone()));
    }
    let (Some(token), Some(channel)) = (&input.token, &input.channel_id) else {
        let missing = if input.token.is_some() { "channel_id" } else { "webhook_url" };
        return Err(bad(atom, missing, "it is required and is missing".to_owned())
            .hint("give `webhook_url`, or `token` and `channel_id`"));
    };
    let path = format!("/channels/{}/messages", segment(atom, "channel_id", channel)?);
    let url = endpoint(atom, input.base_url.as_deref(), "https://discord.com/api/v10", &path)?;
    headers.insert(AUTHORIZATION, secret_header(atom, "token", &format!("Bot {token}"))?);
    Ok((url, token.clone()))
}

/// At most 25 characters, the same for each attempt.
fn nonce(key: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    URL_SAFE_NO_PAD.encode(&Sha256::digest(key)[..18])
}

async fn body(cx: &Cx, input: &mut Input, nonce: Option<String>) -> Result<BodyInput, Failure> {
    let mut map = Map::new();
    put(&mut map, "content", input.content.take().map(Value::from));
    let embeds: Vec<Value> = input.embeds.drain(..).map(Value::Object).collect();
    put(&mut map, "embeds", (!embeds.is_empty()).then_some(Value::Array(embeds)));
    put(&mut map, "components", input.components.take().map(Value::Array));
    put(&mut map, "thread_name", input.thread_name.take().map(Value::from));
    put(&mut map, "username", input.username.take().map(Value::from));
    put(&mut map, "avatar_url", input.avatar_url.take().map(Value::from));
    // Nobody is told unless the author says so: data from outside may hold `@everyone`.
    let mentions =
        input.allowed_mentions.take().map_or_else(|| json!({ "parse": [] }), Value::Object);
    put(&mut map, "allowed_mentions", Some(mentions));
    let reply = input.reply_to.take().map(|id| json!({ "message_id": id }));
    put(&mut map, "message_reference", reply);
    if let Some(nonce) = nonce {
        map.insert("nonce".to_owned(), nonce.into());
        map.insert("enforce_nonce".to_owned(), true.into());
    }
    let files = std::mem::take(&mut input.files);
    if files.is_empty() {
        return Ok(BodyInput { json: Some(Value::Object(map)), ..BodyInput::default() });
    }
    let (mut parts, mut names) = (Vec::new(), Vec::new());
    for (index, file) in files.into_iter().enumerate() {
        let at = format!("files[{index}]");
        let file = file.read(cx, SendDiscord::CARD.name, &at, LARGEST).await?;
        names.push(json!({ "id": index, "filename": file.filename }));
        parts.push(file.into_part(&at));
    }
    map.insert("attachments".to_owned(), Value::Array(names));
    parts.insert(0, Part::field("payload_json", Value::Object(map)));
    Ok(BodyInput { multipart: Some(parts), ..BodyInput::default() })
}

#[cfg(test)]
mod tests;
