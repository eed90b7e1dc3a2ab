//! From a file to an address, never whole in memory.

use crate::blocking;
use crate::context::Cx;
use crate::files::{CHUNK, Opened, RelPath, hex};
use crate::input::ByteSize;
use crate::net::{Outgoing, StatusSet, excerpt, send_body, status_failure};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use jalm_kernel::failure::Failure;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

/// What is sent, and how.
pub(crate) struct Shipment {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) from: RelPath,
    pub(crate) content_type: String,
    /// As a part of this name in a form; else the file is the body.
    pub(crate) field: Option<String>,
    pub(crate) most: ByteSize,
    pub(crate) expected: StatusSet,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) answer: Vec<u8>,
}

pub(crate) async fn ship(cx: &Cx, mut job: Shipment) -> Result<Sent, Failure> {
    let opened = cx.shared.files.open_read(cx.access()?, job.from.clone(), job.most).await?;
    let length = opened.length;
    let hash = Arc::new(Mutex::new((Sha256::new(), 0)));
    let content = content(opened, Arc::clone(&hash));
    let (before, after) = match &job.field {
        None => (String::new(), String::new()),
        Some(field) => {
            // Its like cannot be in the file, but by a chance that nobody meets.
            let boundary = format!("jalm-{}", uuid::Uuid::new_v4().simple());
            let name = job.from.as_str().rsplit('/').next().unwrap_or_default();
            let kind = format!("multipart/form-data; boundary={boundary}");
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                quoted(field),
                quoted(name),
                job.content_type
            );
            job.content_type = kind;
            (head, format!("\r\n--{boundary}--\r\n"))
        }
    };
    let total = length + (before.len() + after.len()) as u64;
    let whole = |text: String| {
        stream::iter((!text.is_empty()).then(|| Ok::<_, std::io::Error>(Bytes::from(text))))
    };
    let body = reqwest::Body::wrap_stream(whole(before).chain(content).chain(whole(after)));
    let kind = HeaderValue::from_str(&job.content_type).map_err(Failure::bug)?;
    job.headers.entry(CONTENT_TYPE).or_insert(kind);
    // Many stores take no body of unknown length.
    job.headers.insert(CONTENT_LENGTH, HeaderValue::from(total));
    let request = Outgoing {
        method: job.method,
        url: job.url.clone(),
        headers: job.headers,
        body: None,
        redirects: 0,
        tls_verify: true,
        proxy: None,
    };
    let response = send_body(&cx.shared.net, &cx.access()?, &request, body).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let answer = excerpt(response).await;
    if !job.expected.contains(status.as_u16()) {
        return Err(status_failure(&job.url, status, &headers, &answer));
    }
    let (hash, bytes) = hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if bytes != length {
        return Err(Failure::transient(
            "upload_cut",
            format!(
                "`{}` took only {bytes} of {length} bytes of the file",
                crate::net::shown(&job.url)
            ),
        )
        .hint("the service answered before it had read the file; see its answer"));
    }
    Ok(Sent { status, headers, bytes, sha256: hex(&hash.finalize()), answer })
}

/// The file in pieces; what has gone out is counted and hashed.
fn content(
    opened: Opened,
    hash: Arc<Mutex<(Sha256, u64)>>,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let left = opened.length;
    stream::unfold((Some(opened), left), move |(opened, left)| {
        let hash = Arc::clone(&hash);
        async move {
            let mut opened = opened?;
            if left == 0 {
                return None;
            }
            let read = blocking::run(move |_| {
                let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
                let count = opened.file.read(&mut chunk).map_err(|error| opened.failed(&error))?;
                chunk.truncate(count);
                Ok((opened, chunk))
            })
            .await;
            match read {
                Ok((_, chunk)) if chunk.is_empty() => Some((
                    Err(std::io::Error::other("the file became shorter while it was sent")),
                    (None, 0),
                )),
                Ok((opened, chunk)) => {
                    let mut state = hash.lock().unwrap_or_else(PoisonError::into_inner);
                    state.0.update(&chunk);
                    state.1 += chunk.len() as u64;
                    let left = left - chunk.len() as u64;
                    Some((Ok(Bytes::from(chunk)), (Some(opened), left)))
                }
                Err(failure) => Some((Err(std::io::Error::other(failure.message)), (None, 0))),
            }
        }
    })
}

/// As HTML says for names in forms.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
