//! `exec_http`: one HTTP request.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::files::RelPath;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::net::{
    BodyInput, Decode, Decoded, Fields, Outgoing, Overflow, Part, Received, StatusSet, address,
    excerpt, header_map, header_value, headers, idempotency, read_bounded, receive, send,
    status_failure,
};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// Sends a request.
pub(crate) struct ExecHttp;

/// The request, and what is expected of the answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The address, `http://…` or `https://…`. Needs a grant under `http`.
    url: String,
    /// The method; GET unless told otherwise.
    method: Option<String>,
    /// Added to the address's query. A list gives its name several times, `null` leaves it out.
    #[serde(default)]
    query: Fields,
    /// Headers of the request.
    #[serde(default)]
    headers: Fields,
    /// A body of JSON.
    #[serde(default, deserialize_with = "present")]
    json: Option<Value>,
    /// A body as a web form sends it.
    form: Option<Fields>,
    /// A body of text; a map or a list is sent as JSON.
    body: Option<Value>,
    /// A body of bytes, as base64.
    body_base64: Option<String>,
    /// A body of parts, as forms with files send it.
    multipart: Option<Vec<Part>>,
    /// Who asks.
    auth: Option<Auth>,
    /// The longest the whole exchange may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
    /// Statuses that are fine: `200`, `"2xx"`, `"200-204"`, or a list. Left out: all below 400.
    #[serde(default)]
    expect_status: StatusSet,
    /// Whether redirects are followed. Each target needs a grant too.
    #[serde(default = "yes")]
    follow_redirects: bool,
    /// How many redirects are followed.
    #[serde(default = "ten")]
    #[schemars(range(max = 100))]
    max_redirects: u32,
    /// The largest answer, decompressed. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
    /// What the answer's body is given as.
    #[serde(default)]
    decode: Decode,
    /// Keeps the answer's body in this file instead of giving it. Needs a grant to write it.
    save_to: Option<RelPath>,
    /// Whether the service's certificate must be valid.
    #[serde(default = "yes")]
    tls_verify: bool,
    /// The proxy to go through: `http://proxy:3128`, `socks5://proxy:1080`. Needs a grant as
    /// `http://proxy:3128`.
    proxy: Option<String>,
    /// Whether a `traceparent` header tells the execution's trace.
    #[serde(default)]
    traceparent: bool,
}

/// Who asks: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(crate) enum Auth {
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        #[serde(default)]
        password: String,
    },
    /// A token.
    Bearer(String),
}

fn yes() -> bool {
    true
}

fn ten() -> u32 {
    10
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// `json: null` is a body too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The answer. Of `json`, `text` and `body_base64` the one is there that the body is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The status: 200.
    status: u16,
    /// Whether the status is in 200–299.
    ok: bool,
    /// The address that answered, after redirects; without user and password.
    url: String,
    /// The answer's headers by lower-case name; a list where a header came several times.
    headers: Map<String, Value>,
    /// The length of the body, decompressed.
    bytes: u64,
    /// The body, when it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// The body, when it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The body, when it is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    /// The file that holds the body, when `save_to` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_to: Option<String>,
    /// SHA-256 of the saved body, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl Atom for ExecHttp {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "exec_http",
        layer: Layer::IoHttp,
        summary: "Sends an HTTP request and gives the answer.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::High,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn effect_of(input: &Value) -> Effect {
        match input["method"].as_str() {
            None if input["method"].is_null() => Effect::Read,
            Some(method) if is_safe(method.trim()) => Effect::Read,
            None | Some(_) => Effect::Write,
        }
    }

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("method", Some(text)) => method(text).map(|_| ()),
            ("url", Some(text)) => address(Self::CARD.name, text).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Read JSON from a service",
                setup: vec![Setup::Http {
                    method: "GET",
                    path: "/orders/42",
                    status: 200,
                    body: json!({ "id": 42, "total": 9.5 }),
                }],
                input: json!({ "url": "https://api.example.com/orders/42", "query": { "full": true } }),
                expect: json!({ "status": 200, "ok": true, "json": { "id": 42, "total": 9.5 } }),
            },
            Example {
                title: "Send JSON, and expect that it was created",
                setup: vec![Setup::Http {
                    method: "POST",
                    path: "/orders",
                    status: 201,
                    body: json!({ "id": 43 }),
                }],
                input: json!({
                    "method": "POST",
                    "url": "https://api.example.com/orders",
                    "json": { "sku": "apple", "qty": 3 },
                    "auth": { "bearer": "token" },
                    "expect_status": 201,
                }),
                expect: json!({ "status": 201, "json": { "id": 43 } }),
            },
        ]
    }

    async fn run(cx: Cx, mut input: Input) -> Result<Output, Failure> {
        let limit = input.timeout.map_or(cx.timeout, |span| span.0.min(cx.timeout));
        let shown = input.url.split('?').next().unwrap_or_default().to_owned();
        let exchange = async move {
            let request = outgoing(&cx, &mut input).await?;
            exchange(&cx, request, input).await
        };
        // The future is large, and atoms wait side by side in their thousands.
        tokio::time::timeout(limit, Box::pin(exchange)).await.map_err(|_| {
            Failure::transient("http_timeout", format!("`{shown}` did not answer within {limit:?}"))
                .hint("allow it more with `timeout`, or try again with `retry`")
        })?
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { status, ok, url, headers, bytes, json, text, body_base64, saved_to, sha256 } =
            output;
        let mut map = Map::new();
        map.insert("status".to_owned(), status.into());
        map.insert("ok".to_owned(), ok.into());
        map.insert("url".to_owned(), url.into());
        map.insert("headers".to_owned(), Value::Object(headers));
        map.insert("bytes".to_owned(), bytes.into());
        let rest = [
            ("json", json),
            ("text", text.map(Value::String)),
            ("body_base64", body_base64.map(Value::String)),
            ("saved_to", saved_to.map(Value::String)),
            ("sha256", sha256.map(Value::String)),
        ];
        for (key, value) in rest {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        }
        Ok(Value::Object(map))
    }
}

async fn exchange(cx: &Cx, request: Outgoing, input: Input) -> Result<Output, Failure> {
    let response = send(&cx.shared.net, &cx.access()?, request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut url = response.url().clone();
    if !input.expect_status.contains(status.as_u16()) {
        let body = excerpt(response).await;
        return Err(status_failure(&url, status, &headers, &body));
    }
    let received = match input.save_to {
        Some(path) => Received::Saved(receive(cx, response, path, input.max_bytes).await?),
        None => {
            let body = read_bounded(response, input.max_bytes, Overflow::Refuse).await?;
            let bytes = body.len() as u64;
            Received::Decoded(bytes, Decoded::of(&url, &headers, body, input.decode)?)
        }
    };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let (bytes, decoded, saved) = match received {
        Received::Saved(saved) => (saved.bytes, Decoded::default(), Some(saved)),
        Received::Decoded(bytes, decoded) => (bytes, decoded, None),
    };
    let (saved_to, sha256) = saved.map(|saved| (saved.path, saved.sha256)).unzip();
    Ok(Output {
        status: status.as_u16(),
        ok: status.is_success(),
        url: url.into(),
        headers: header_map(&headers),
        bytes,
        json: decoded.json,
        text: decoded.text,
        body_base64: decoded.body_base64,
        saved_to,
        sha256,
    })
}

async fn outgoing(cx: &Cx, input: &mut Input) -> Result<Outgoing, Failure> {
    let mut url = address(ExecHttp::CARD.name, &input.url)?;
    if !input.query.0.is_empty() {
        url.query_pairs_mut().extend_pairs(&input.query.0);
    }
    let body = BodyInput {
        json: input.json.take(),
        form: input.form.take(),
        body: input.body.take().filter(|body| !body.is_null()),
        body_base64: input.body_base64.take(),
        multipart: input.multipart.take(),
    };
    let method = match &input.method {
        Some(text) => method(text)?,
        None if body.is_empty() => Method::GET,
        None => {
            return Err(bad("exec_http", "method", "a request with a body needs it".to_owned())
                .hint("write `method: POST`, or the one that is meant"));
        }
    };
    let files = read_files(cx, body.multipart.as_deref().unwrap_or_default()).await?;
    let body = body.into_body("exec_http", files)?;
    let mut headers = headers("exec_http", &input.headers)?;
    if let Some(kind) = body.as_ref().and_then(|body| body.content_type.as_deref())
        && !headers.contains_key(CONTENT_TYPE)
    {
        headers.insert(CONTENT_TYPE, header_value("exec_http", "content-type", kind)?);
    }
    if let Some(auth) = &input.auth {
        headers.insert(AUTHORIZATION, credentials(ExecHttp::CARD.name, auth)?);
    }
    if !is_safe(method.as_str()) {
        idempotency(cx, &mut headers)?;
    }
    if input.traceparent && !headers.contains_key("traceparent") {
        headers.insert("traceparent", header_value("exec_http", "traceparent", &cx.traceparent())?);
    }
    let proxy = input.proxy.as_deref().map(|text| {
        Url::parse(text).map_err(|error| {
            bad("exec_http", "proxy", format!("it is not an address: {error}"))
                .hint("write it like `http://proxy.example.com:3128`")
        })
    });
    Ok(Outgoing {
        method,
        url,
        headers,
        body: body.map(|body| body.bytes),
        redirects: if input.follow_redirects { input.max_redirects } else { 0 },
        tls_verify: input.tls_verify,
        proxy: proxy.transpose()?,
    })
}

async fn read_files(cx: &Cx, parts: &[Part]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut files = Vec::new();
    for path in parts.iter().filter_map(|part| part.file.clone()) {
        files.push(cx.shared.files.read(cx.access()?, path, ByteSize::mib(64)).await?);
    }
    Ok(files)
}

fn is_safe(method: &str) -> bool {
    ["GET", "HEAD", "OPTIONS"].iter().any(|safe| safe.eq_ignore_ascii_case(method))
}

fn method(text: &str) -> Result<Method, Failure> {
    let name = text.trim().to_ascii_uppercase();
    Method::from_bytes(name.as_bytes()).ok().filter(|method| *method != Method::CONNECT).ok_or_else(
        || {
            bad("exec_http", "method", format!("`{text}` is not an HTTP method"))
                .hint("write GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS")
        },
    )
}

pub(crate) fn credentials(atom: &str, auth: &Auth) -> Result<HeaderValue, Failure> {
    use base64::Engine;
    let text = match auth {
        Auth::Basic { username, password } => {
            let pair = format!("{username}:{password}");
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        Auth::Bearer(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        bad(atom, "auth.bearer", "it holds a line break or another control character".to_owned())
            .hint("check the token for a line break at its end")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;

    #[test]
    fn the_method_decides_what_it_does_to_the_world() {
        for (input, effect) in [
            (json!({ "url": "x" }), Effect::Read),
            (json!({ "method": "get" }), Effect::Read),
            (json!({ "method": " HEAD " }), Effect::Read),
            (json!({ "method": "OPTIONS" }), Effect::Read),
            (json!({ "method": "POST" }), Effect::Write),
            (json!({ "method": 7 }), Effect::Write),
        ] {
            assert_eq!(ExecHttp::effect_of(&input), effect, "{input}");
        }
    }

    #[test]
    fn what_is_known_before_the_run_is_refused_before_the_run() {
        let check = catalog().entry("exec_http").unwrap().spec.check_literal;
        assert!(check("url", &json!("https://api.example.com/x")).is_ok());
        let failure = check("url", &json!("api.example.com")).unwrap_err();
        assert!(failure.message.starts_with("it is not an address"), "{failure:?}");
        assert!(check("method", &json!("GE T")).unwrap_err().hint.unwrap().contains("GET"));
        let failure = check("ulr", &json!(1)).unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `url`?"));
    }
}
