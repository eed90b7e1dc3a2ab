//! Reading an answer's body, within bounds, and what it is.

use super::failure::{shown, wire_failure};
use crate::input::ByteSize;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, UTF_8};
use jalm_kernel::failure::Failure;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// How a body is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decode {
    /// As its media type says.
    #[default]
    Auto,
    /// As JSON; anything else is a failure.
    Json,
    /// As text.
    Text,
    /// As bytes, given as base64.
    Base64,
}

/// A body; exactly one is there, or none when the body is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) json: Option<Value>,
    pub(crate) text: Option<String>,
    pub(crate) body_base64: Option<String>,
}

/// What is left of a body that may be too long.
pub(crate) enum Overflow {
    /// Is a failure.
    Refuse,
    /// Is left out.
    Cut,
}

/// The body, of at most `most` bytes after decompression.
pub(crate) async fn read_bounded(
    mut response: Response,
    most: ByteSize,
    overflow: Overflow,
) -> Result<Vec<u8>, Failure> {
    let url = response.url().clone();
    let expected = response.content_length().unwrap_or(0);
    if expected > most.0 && matches!(overflow, Overflow::Refuse) {
        return Err(too_large(&url, most));
    }
    let mut body = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).min(most.len()));
    while let Some(chunk) = response.chunk().await.map_err(|error| wire_failure(&url, error))? {
        if body.len() + chunk.len() > most.len() {
            match overflow {
                Overflow::Refuse => return Err(too_large(&url, most)),
                Overflow::Cut => {
                    let room = most.len() - body.len();
                    body.extend_from_slice(&chunk[..room]);
                    return Ok(body);
                }
            }
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(crate) fn too_large(url: &Url, most: ByteSize) -> Failure {
    Failure::permanent("body_too_large", format!("`{}` answered more than {most}", shown(url)))
        .hint("raise `max_bytes`, or keep large answers in a file with `save_to`")
}

impl Decoded {
    /// Reads the body as `how` says.
    pub(crate) fn of(
        url: &Url,
        headers: &HeaderMap,
        body: Vec<u8>,
        how: Decode,
    ) -> Result<Self, Failure> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let kind = kind.to_ascii_lowercase();
        match how {
            Decode::Json => serde_json::from_slice(&body).map(Self::json).map_err(|error| {
                Failure::permanent(
                    "not_json",
                    format!("`{}` did not answer JSON: {error}", shown(url)),
                )
                .hint("leave `decode` out, or write `decode: text`")
            }),
            Decode::Text => Ok(Self::text(&kind, &body)),
            Decode::Base64 => Ok(Self::base64(&body)),
            Decode::Auto if body.is_empty() => Ok(Self::default()),
            Decode::Auto => Ok(Self::by_kind(&kind, body)),
        }
    }

    fn by_kind(kind: &str, body: Vec<u8>) -> Self {
        let media = kind.split(';').next().unwrap_or("").trim();
        if (media == "application/json" || media.ends_with("+json") || media == "text/json")
            && let Ok(value) = serde_json::from_slice(&body)
        {
            return Self::json(value);
        }
        let texts = [
            "application/xml",
            "application/javascript",
            "application/x-ndjson",
            "application/x-www-form-urlencoded",
            "application/yaml",
            "application/json",
        ];
        if media.starts_with("text/")
            || media.ends_with("+xml")
            || media.ends_with("+json")
            || kind.contains("charset=")
            || texts.contains(&media)
        {
            return Self::text(kind, &body);
        }
        // Nothing is said: what reads as text is text.
        if media.is_empty() {
            return match String::from_utf8(body) {
                Ok(text) => Self { text: Some(text), ..Self::default() },
                Err(error) => Self::base64(error.as_bytes()),
            };
        }
        Self::base64(&body)
    }

    fn json(value: Value) -> Self {
        Self { json: Some(value), ..Self::default() }
    }

    fn text(kind: &str, body: &[u8]) -> Self {
        let charset = kind.split("charset=").nth(1).and_then(|rest| rest.split(';').next());
        let encoding = charset
            .and_then(|label| Encoding::for_label(label.trim().trim_matches('"').as_bytes()))
            .unwrap_or(UTF_8);
        Self { text: Some(encoding.decode(body).0.into_owned()), ..Self::default() }
    }

    fn base64(body: &[u8]) -> Self {
        Self { body_base64: Some(STANDARD.encode(body)), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: &str, body: &[u8], expected: &Decoded) {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        }
        let url = Url::parse("http://x/").unwrap();
        let decoded = Decoded::of(&url, &headers, body.to_vec(), Decode::Auto).unwrap();
        assert_eq!(&decoded, expected, "{kind}");
    }

    #[test]
    fn the_media_type_decides() {
        let text = |text: &str| Decoded { text: Some(text.into()), ..Decoded::default() };
        check("application/json", b"{\"a\":1}", &Decoded::json(json!({"a": 1})));
        check("application/problem+json; charset=utf-8", b"[]", &Decoded::json(json!([])));
        check("application/json", b"not json", &text("not json"));
        check("text/html; charset=iso-8859-1", b"\xe9t\xe9", &text("été"));
        check("image/svg+xml", b"<svg/>", &text("<svg/>"));
        check("image/png", b"\x89PNG", &Decoded::base64(b"\x89PNG"));
        check("", b"plain", &text("plain"));
        check("", b"\xff", &Decoded::base64(b"\xff"));
        check("application/json", b"", &Decoded::default());
    }
}
