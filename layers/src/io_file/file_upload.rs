//! `file_upload`: a file to an address, or to another place below the file root.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::files::RelPath;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::io_http::exec_http::{Auth, credentials};
use crate::net::{Fields, StatusSet, header_value, headers, idempotency};
use crate::transfer::{Remote, Sent, Shipment, content_type, copy, ship};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, ETAG, LOCATION};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Uploads a file.
pub(crate) struct FileUpload;

/// Which file, and where it goes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The file: a path from the file root.
    from: RelPath,
    /// Where it goes: an address `https://…`, which needs a grant under `http`, or a path from the
    /// file root, which needs a grant to write it.
    to: String,
    /// How it is sent.
    #[serde(default)]
    method: How,
    /// Sends it as the part of this name in a form, as web pages do; `method` is then `POST`. Left
    /// out: the file is the body.
    field: Option<String>,
    /// What it is. Left out: what its name's ending says.
    content_type: Option<String>,
    /// Further headers.
    #[serde(default)]
    headers: Fields,
    /// Who sends it.
    auth: Option<Auth>,
    /// Statuses that are fine: `200`, `"2xx"`, `"200-204"`, or a list. Left out: `2xx`.
    expect_status: Option<StatusSet>,
    /// Larger files are refused. 1 GiB unless told otherwise.
    #[serde(default = "one_gib")]
    max_bytes: ByteSize,
    /// The longest it may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
}

/// How a file is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum How {
    /// The file is what is at the address from then on.
    #[default]
    Put,
    /// The service decides where it is kept.
    Post,
    /// It replaces a part.
    Patch,
}

fn one_gib() -> ByteSize {
    ByteSize::mib(1024)
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Where it is: the `Location` of the answer if there is one, else `to`.
    location: String,
    /// The file's length.
    bytes: u64,
    /// Its SHA-256, in hex.
    sha256: String,
    /// What it was sent as.
    content_type: String,
    /// The service's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The version's mark, as the service says.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// The first 4 KiB of the service's answer: JSON if it is that, else text.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Value>,
}

impl Atom for FileUpload {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "file_upload",
        layer: Layer::IoFile,
        summary: "Uploads a file to an address.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("to", Some(text)) => Remote::parse(Self::CARD.name, "to", text).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "To a service",
                setup: vec![
                    Setup::File { path: "reports/today.csv", content: "sku,qty\napple,3\n" },
                    Setup::Http {
                        method: "PUT",
                        path: "/files/today.csv",
                        status: 201,
                        body: json!({ "id": 7 }),
                    },
                ],
                input: json!({ "from": "reports/today.csv", "to": "https://api.example.com/files/today.csv" }),
                expect: json!({ "status": 201, "bytes": 16, "content_type": "text/csv; charset=utf-8", "answer": { "id": 7 } }),
            },
            Example {
                title: "As a form's file",
                setup: vec![
                    Setup::File { path: "photo.png", content: "not really" },
                    Setup::Http { method: "POST", path: "/photos", status: 200, body: Value::Null },
                ],
                input: json!({ "from": "photo.png", "to": "https://api.example.com/photos", "field": "file", "auth": { "bearer": "token" } }),
                expect: json!({ "status": 200, "bytes": 10, "content_type": "image/png" }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let limit = input.timeout.map_or(cx.timeout, |span| span.0.min(cx.timeout));
        let shown = input.to.split('?').next().unwrap_or_default().to_owned();
        tokio::time::timeout(limit, Box::pin(upload(&cx, input))).await.map_err(|_| {
            Failure::transient(
                "http_timeout",
                format!("`{shown}` had not taken the file within {limit:?}"),
            )
            .hint("allow it more with `timeout`, or try again with `retry`")
        })?
    }
}

async fn upload(cx: &Cx, input: Input) -> Result<Output, Failure> {
    let atom = FileUpload::CARD.name;
    let content_type =
        input.content_type.clone().unwrap_or_else(|| content_type(input.from.as_str()).to_owned());
    header_value(atom, "content_type", &content_type)?;
    let url = match Remote::parse(atom, "to", &input.to)? {
        Remote::Local(to) => {
            if input.field.is_some() || input.auth.is_some() || !input.headers.0.is_empty() {
                return Err(bad(
                    atom,
                    "to",
                    "`field`, `auth` and `headers` are for addresses".to_owned(),
                )
                .hint("leave them out for a copy below the file root"));
            }
            let location = to.to_string();
            let written = copy(cx, input.from, to, input.max_bytes, false, None).await?;
            return Ok(Output {
                location,
                bytes: written.bytes,
                sha256: written.sha256,
                content_type,
                status: None,
                etag: None,
                answer: None,
            });
        }
        Remote::Http(url) => url,
    };
    let method = match (input.method, &input.field) {
        (_, Some(_)) | (How::Post, None) => Method::POST,
        (How::Put, None) => Method::PUT,
        (How::Patch, None) => Method::PATCH,
    };
    let mut headers = headers(atom, &input.headers)?;
    if let Some(auth) = &input.auth {
        headers.insert(AUTHORIZATION, credentials(atom, auth)?);
    }
    idempotency(cx, &mut headers)?;
    let job = Shipment {
        method,
        url: url.clone(),
        headers,
        from: input.from,
        content_type: content_type.clone(),
        field: input.field,
        most: input.max_bytes,
        expected: input.expect_status.unwrap_or_else(StatusSet::success),
    };
    let Sent { status, headers, bytes, sha256, answer } = ship(cx, job).await?;
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &reqwest::header::HeaderValue| value.to_str().ok())
            .map(str::to_owned)
    };
    let location = text(LOCATION)
        .and_then(|place| url.join(&place).ok())
        .map_or_else(|| input.to.clone(), |place| place.to_string());
    let answer = (!answer.is_empty()).then(|| {
        serde_json::from_slice(&answer)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&answer).into_owned()))
    });
    Ok(Output {
        location,
        bytes,
        sha256,
        content_type,
        status: Some(status.as_u16()),
        etag: text(ETAG),
        answer,
    })
}

#[cfg(test)]
mod tests;
