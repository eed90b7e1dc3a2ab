//! Sending a file: compressed if the client takes that, not at all if it has it.

use crate::assets::Asset;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::io::Read;

/// What the pages may do. Inline styles are what both tools are made of; Redoc searches in a
/// worker that it makes from a blob; `data:` images are the icons of Swagger UI.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const SECURITY: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(crate) fn answer(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let tag = tag(asset.bytes);
    let mut response = if known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if asset.gzip && !takes_gzip(headers) {
        match unpacked(asset.bytes) {
            Ok(bytes) => bytes.into_response(),
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    } else {
        let mut response = Bytes::from_static(asset.bytes).into_response();
        if asset.gzip {
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    // Kept, but asked about each time: another version of the binary has other files.
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    for (name, value) in SECURITY {
        out.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A weak tag: the compressed and the plain form have the same. The last eight bytes of a gzip
/// file are checksum and length of its content; other files are small enough to sum up each time.
fn tag(bytes: &[u8]) -> String {
    let hash = match bytes.last_chunk() {
        Some(trailer) if bytes.starts_with(&[0x1f, 0x8b]) => u64::from_be_bytes(*trailer),
        _ => bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }),
    };
    format!("W/\"{hash:016x}\"")
}

fn known(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| sent.split(',').any(|one| one.trim() == tag || one.trim() == "*"))
}

/// Whether `Accept-Encoding` names gzip (or anything) and does not refuse it with `q=0`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

fn unpacked(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len() * 4);
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ASSETS;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn get(path: &str, name: HeaderName, value: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(path).header(name, value).body(Body::empty()).unwrap();
        let (parts, body) = crate::router().oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn a_large_file_is_sent_packed_to_those_who_take_it() {
        let path = "/assets/swagger-ui.css";
        let (_, packed, small) = get(path, header::ACCEPT_ENCODING, "br, gzip;q=0.8").await;
        assert_eq!(packed[header::CONTENT_ENCODING], "gzip");
        for encodings in ["identity", "gzip;q=0", "br"] {
            let (_, plain, large) = get(path, header::ACCEPT_ENCODING, encodings).await;
            assert!(!plain.contains_key(header::CONTENT_ENCODING), "{encodings}");
            assert_eq!(unpacked(&small).unwrap(), large, "{encodings}");
            assert_eq!(plain[header::ETAG], packed[header::ETAG]);
        }
    }

    #[tokio::test]
    async fn a_known_file_is_not_sent_again() {
        for asset in ASSETS {
            let (status, headers, _) = get(asset.path, header::ACCEPT_ENCODING, "gzip").await;
            assert_eq!(status, StatusCode::OK, "{}", asset.path);
            let tag = headers[header::ETAG].to_str().unwrap();
            let (status, _, body) = get(asset.path, header::IF_NONE_MATCH, tag).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{}", asset.path);
            let (status, ..) = get(asset.path, header::IF_NONE_MATCH, "W/\"other\"").await;
            assert_eq!(status, StatusCode::OK, "{}", asset.path);
        }
    }

    #[tokio::test]
    async fn pages_name_only_files_that_are_there_and_only_this_server() {
        for page in ["/docs", "/redoc"] {
            let (_, headers, body) = get(page, header::ACCEPT, "text/html").await;
            assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("'none'"));
            let text = std::str::from_utf8(&body).unwrap();
            let named: Vec<&str> = ["src=\"", "href=\""]
                .into_iter()
                .flat_map(|start| text.split(start).skip(1))
                .map(|rest| rest.split('"').next().unwrap())
                .filter(|link| !matches!(*link, "data:," | "/openapi.json"))
                .collect();
            assert!(named.len() >= 3, "{named:?}");
            for link in named {
                assert!(ASSETS.iter().any(|asset| asset.path == link), "{page} names {link}");
            }
        }
    }
}
