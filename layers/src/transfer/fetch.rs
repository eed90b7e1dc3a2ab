//! From an address to a file, going on where a broken connection stopped.

use super::copy::check;
use crate::blocking;
use crate::context::Cx;
use crate::files::{Pending, RelPath};
use crate::input::ByteSize;
use crate::net::{
    Outgoing, StatusSet, excerpt, send, shown, status_failure, too_large, wire_failure,
};
use jalm_kernel::failure::Failure;
use reqwest::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Method, Response, Url};
use std::sync::Arc;

/// Pieces that are collected before a thread writes them.
const PIECE: usize = 1024 * 1024;

/// What is fetched.
pub(crate) struct Fetch {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) to: RelPath,
    pub(crate) most: ByteSize,
    pub(crate) sha256: Option<String>,
    pub(crate) create_only: bool,
    /// How often a broken connection is taken up again.
    pub(crate) resumes: u32,
    /// Bytes to fetch: the first, and the last if not all.
    pub(crate) range: Option<(u64, Option<u64>)>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) content_type: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) url: Url,
    pub(crate) resumed: u32,
}

/// What stays the same while a file does.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let etag = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
    etag.or_else(|| headers.get(LAST_MODIFIED)).cloned()
}

pub(crate) async fn fetch(cx: &Cx, job: Fetch) -> Result<Fetched, Failure> {
    let first = job.range.map_or(0, |(first, _)| first);
    let mut response = ask(cx, &job, job.range, None).await?;
    let (mut pending, mut received, mut resumed) = (begin(cx, &job).await?, 0_u64, 0);
    let mut about = response.headers().clone();
    if job.range.is_some() {
        ranged(&response, first)?;
    }
    loop {
        let error = match drain(&job, &mut response, pending, &mut received).await? {
            (whole, None) => {
                pending = whole;
                break;
            }
            (part, Some(error)) => {
                pending = part;
                error
            }
        };
        // Only a server that knows the same file again can go on with it.
        let can =
            about.get(ACCEPT_RANGES).is_some_and(|unit| unit == "bytes") || job.range.is_some();
        let Some(same) =
            validator(&about).filter(|_| can && error.retryable && resumed < job.resumes)
        else {
            return Err(error);
        };
        resumed += 1;
        let rest = (first + received, job.range.and_then(|(_, last)| last));
        response = ask(cx, &job, Some(rest), Some(same)).await?;
        if response.status().as_u16() == 206 {
            ranged(&response, rest.0)?;
        } else {
            // It has changed: from the start.
            drop(pending);
            pending = begin(cx, &job).await?;
            received = 0;
            about = response.headers().clone();
        }
    }
    check(job.sha256.as_deref(), &pending.digest(), &shown(&job.url))?;
    let create_only = job.create_only;
    let written = blocking::run(move |abort| pending.finish(create_only, abort)).await?;
    let text = |value: Option<&HeaderValue>| {
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    Ok(Fetched {
        bytes: written.bytes,
        sha256: written.sha256,
        content_type: text(about.get(CONTENT_TYPE)),
        etag: text(about.get(ETAG)),
        url: response.url().clone(),
        resumed,
    })
}

async fn begin(cx: &Cx, job: &Fetch) -> Result<Pending, Failure> {
    cx.shared.files.begin(cx.access()?, job.to.clone(), Arc::clone(&cx.key), cx.attempt).await
}

async fn ask(
    cx: &Cx,
    job: &Fetch,
    range: Option<(u64, Option<u64>)>,
    same: Option<HeaderValue>,
) -> Result<Response, Failure> {
    let mut headers = job.headers.clone();
    // A range counts bytes as they are sent.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some((first, last)) = range {
        let text =
            format!("bytes={first}-{}", last.map(|last| last.to_string()).unwrap_or_default());
        headers.insert(RANGE, HeaderValue::from_str(&text).map_err(Failure::bug)?);
    }
    if let Some(same) = same {
        headers.insert(IF_RANGE, same);
    }
    let request = Outgoing {
        method: Method::GET,
        url: job.url.clone(),
        headers,
        body: None,
        redirects: 10,
        tls_verify: true,
        proxy: None,
    };
    let response = send(&cx.shared.net, &cx.access()?, request).await?;
    let status = response.status();
    if !StatusSet::success().contains(status.as_u16()) {
        let (url, headers) = (response.url().clone(), response.headers().clone());
        return Err(status_failure(&url, status, &headers, &excerpt(response).await));
    }
    if response.content_length().is_some_and(|length| length > job.most.0) {
        return Err(too_large(response.url(), job.most));
    }
    Ok(response)
}

/// Whether the answer begins where it was asked to.
fn ranged(response: &Response, first: u64) -> Result<(), Failure> {
    let given = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let start = given
        .strip_prefix("bytes ")
        .and_then(|rest| rest.split('-').next())
        .and_then(|start| start.parse().ok());
    if response.status().as_u16() == 206 && start == Some(first) {
        return Ok(());
    }
    Err(Failure::permanent(
        "range_refused",
        format!("`{}` does not give a part of the file", shown(response.url())),
    )
    .hint("leave `range` out; the server gives whole files only"))
}

/// Writes what comes until the end or until the connection breaks.
async fn drain(
    job: &Fetch,
    response: &mut Response,
    mut pending: Pending,
    received: &mut u64,
) -> Result<(Pending, Option<Failure>), Failure> {
    let mut piece =
        Vec::with_capacity(PIECE.min(
            response.content_length().map_or(PIECE, |it| usize::try_from(it).unwrap_or(PIECE)),
        ));
    loop {
        let (chunk, error) = match response.chunk().await {
            Ok(chunk) => (chunk, None),
            Err(error) => (None, Some(wire_failure(response.url(), error))),
        };
        let ended = chunk.is_none();
        if let Some(chunk) = chunk {
            *received += chunk.len() as u64;
            if *received > job.most.0 {
                return Err(too_large(response.url(), job.most));
            }
            piece.extend_from_slice(&chunk);
        }
        if ended || piece.len() >= PIECE {
            let ready = std::mem::take(&mut piece);
            pending = blocking::run(move |abort| {
                pending.add(&ready, abort)?;
                Ok(pending)
            })
            .await?;
        }
        if ended {
            return Ok((pending, error));
        }
    }
}
