//! One file of the pages: how it is kept and how it is answered.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::io::Read;

/// What a page may do: run and fetch what this server serves, nothing else. Both tools write
/// styles into the page; Redoc searches in a worker made of a blob, Swagger UI has images as data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) struct Asset {
    pub(crate) path: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) body: Body,
}

/// How the bytes are kept.
pub(crate) enum Body {
    /// As they are: small files of our own.
    Plain(&'static [u8]),
    /// Compressed, as they also travel.
    Gzip(&'static [u8]),
}

impl Asset {
    /// The whole answer to a `GET` or `HEAD` with these headers.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let mut response = if is_known(headers, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.whole(headers)
        };
        let is_page = self.kind.starts_with("text/html");
        // A page is asked for again each time, so that a new version of the server shows at once.
        let cache = if is_page { "no-cache" } else { "public, max-age=86400" };
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::ETAG, &tag);
        set(header::CACHE_CONTROL, cache);
        set(header::VARY, "accept-encoding");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if is_page {
            set(header::CONTENT_SECURITY_POLICY, POLICY);
            set(header::REFERRER_POLICY, "no-referrer");
        }
        response
    }

    fn whole(&self, headers: &HeaderMap) -> Response {
        let kind = (header::CONTENT_TYPE, self.kind);
        match self.body {
            Body::Plain(bytes) => ([kind], bytes).into_response(),
            Body::Gzip(bytes) if takes_gzip(headers) => {
                ([kind, (header::CONTENT_ENCODING, "gzip")], bytes).into_response()
            }
            Body::Gzip(bytes) => match unpack(bytes) {
                Ok(bytes) => ([kind], bytes).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            },
        }
    }

    /// Weak, since it is the same for both encodings.
    fn tag(&self) -> String {
        match self.body {
            Body::Plain(bytes) => format!("W/\"{:x}\"", fnv(bytes)),
            Body::Gzip(bytes) => {
                // Ends with a checksum and the length of what is inside (RFC 1952 §2.3.1).
                let trailer = bytes.last_chunk().map_or(0, |trailer| u64::from_be_bytes(*trailer));
                format!("W/\"{trailer:x}\"")
            }
        }
    }
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut whole)?;
    Ok(whole)
}

/// The elements of a header that is a list.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    list(headers, header::IF_NONE_MATCH).any(|one| one == "*" || opaque(one) == opaque(tag))
}

/// Whether gzip is named with a weight above 0, or anything is taken (RFC 9110 §12.5.3).
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let weight = |wanted: &str| {
        list(headers, header::ACCEPT_ENCODING).find_map(|one| {
            let (coding, rest) = one.split_once(';').unwrap_or((one, ""));
            let rest = rest.trim().to_ascii_lowercase();
            let weight = rest.strip_prefix("q=").map_or(Some(1.0), |text| text.parse::<f32>().ok());
            coding.trim().eq_ignore_ascii_case(wanted).then(|| weight.unwrap_or(0.0))
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}
