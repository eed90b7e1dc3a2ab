//! `file_download`: a file from an address, or from another place below the file root.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::Cx;
use crate::files::RelPath;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::io_http::exec_http::{Auth, credentials};
use crate::net::{Fields, headers};
use crate::transfer::{Fetch, Fetched, Remote, content_type, copy, fetch};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use reqwest::header::AUTHORIZATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Downloads a file.
pub(crate) struct FileDownload;

/// Which file, and where it goes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Where it is: an address `https://…`, which needs a grant under `http`, or a path from the file
    /// root, which needs a grant to read it.
    from: String,
    /// Where it goes: a path from the file root. Missing folders are made; the file appears when it
    /// is whole.
    to: RelPath,
    /// What happens to a file that is there already.
    #[serde(default)]
    mode: Mode,
    /// The SHA-256 that it must have, in hex. With any other the step fails and nothing is written.
    sha256: Option<String>,
    /// Larger files are refused. 1 GiB unless told otherwise.
    #[serde(default = "one_gib")]
    max_bytes: ByteSize,
    /// Only a part of it.
    range: Option<Range>,
    /// How often a broken connection is taken up where it stopped, if the service can do that. 3
    /// unless told otherwise.
    #[serde(default = "three")]
    #[schemars(range(max = 100))]
    resume: u32,
    /// Headers of the request.
    #[serde(default)]
    headers: Fields,
    /// Who asks.
    auth: Option<Auth>,
    /// The longest it may take; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Its content is replaced.
    #[default]
    Overwrite,
    /// It is left alone and the step fails, unless it holds the very same content.
    Create,
}

/// A part of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Range {
    /// The first byte, counted from 0.
    first: u64,
    /// The last byte; all that follows when it is left out.
    last: Option<u64>,
}

fn one_gib() -> ByteSize {
    ByteSize::mib(1024)
}

fn three() -> u32 {
    3
}

/// The file.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its path.
    path: String,
    /// Its length.
    bytes: u64,
    /// Its SHA-256, in hex.
    sha256: String,
    /// What it is, as the service or the name's ending says.
    content_type: String,
    /// The address that answered, after redirects.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The version's mark, as the service says.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// How often a broken connection was taken up again.
    resumed: u32,
}

impl Atom for FileDownload {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "file_download",
        layer: Layer::IoFile,
        summary: "Downloads a file from an address.",
        effect: Effect::Write,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Network,
        frequency: Frequency::Medium,
        blocker: Blocker::Network,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("from", Some(text)) => Remote::parse(Self::CARD.name, "from", text).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "From a service",
                setup: vec![Setup::Http {
                    method: "GET",
                    path: "/reports/today",
                    status: 200,
                    body: json!({ "rows": 3 }),
                }],
                input: json!({ "from": "https://api.example.com/reports/today", "to": "reports/today.json" }),
                expect: json!({ "path": "reports/today.json", "bytes": 10, "content_type": "application/json" }),
            },
            Example {
                title: "A copy",
                setup: vec![Setup::File { path: "a.txt", content: "hello\n" }],
                input: json!({
                    "from": "a.txt", "to": "backup/a.txt",
                    "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
                }),
                expect: json!({ "path": "backup/a.txt", "bytes": 6 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        if let Some(digest) = &input.sha256
            && !(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(bad(Self::CARD.name, "sha256", "it is not 64 hex digits".to_owned())
                .hint("`sha256sum FILE` shows it"));
        }
        if let Some(Range { first, last: Some(last) }) = input.range
            && last < first
        {
            return Err(bad(Self::CARD.name, "range.last", "it is before `first`".to_owned())
                .hint("bytes count from 0"));
        }
        let limit = input.timeout.map_or(cx.timeout, |span| span.0.min(cx.timeout));
        let shown = input.from.split('?').next().unwrap_or_default().to_owned();
        tokio::time::timeout(limit, Box::pin(download(&cx, input))).await.map_err(|_| {
            Failure::transient("http_timeout", format!("`{shown}` was not here within {limit:?}"))
                .hint("allow it more with `timeout`, or try again with `retry`")
        })?
    }
}

async fn download(cx: &Cx, input: Input) -> Result<Output, Failure> {
    let path = input.to.to_string();
    let create_only = input.mode == Mode::Create;
    match Remote::parse(FileDownload::CARD.name, "from", &input.from)? {
        Remote::Local(from) => {
            if input.range.is_some() || input.auth.is_some() || !input.headers.0.is_empty() {
                return Err(bad(
                    FileDownload::CARD.name,
                    "from",
                    "`range`, `auth` and `headers` are for addresses".to_owned(),
                )
                .hint("leave them out for a copy below the file root"));
            }
            let content_type = content_type(from.as_str()).to_owned();
            let written =
                copy(cx, from, input.to, input.max_bytes, create_only, input.sha256).await?;
            Ok(Output {
                path,
                bytes: written.bytes,
                sha256: written.sha256,
                content_type,
                url: None,
                etag: None,
                resumed: 0,
            })
        }
        Remote::Http(url) => {
            let mut headers = headers(FileDownload::CARD.name, &input.headers)?;
            if let Some(auth) = &input.auth {
                headers.insert(AUTHORIZATION, credentials(FileDownload::CARD.name, auth)?);
            }
            let job = Fetch {
                url,
                headers,
                to: input.to,
                most: input.max_bytes,
                sha256: input.sha256,
                create_only,
                resumes: input.resume.min(100),
                range: input.range.map(|range| (range.first, range.last)),
            };
            let Fetched { bytes, sha256, content_type: kind, etag, url, resumed } =
                fetch(cx, job).await?;
            let content_type = kind.unwrap_or_else(|| content_type(&path).to_owned());
            Ok(Output { path, bytes, sha256, content_type, url: Some(url.into()), etag, resumed })
        }
    }
}

#[cfg(test)]
mod tests;
