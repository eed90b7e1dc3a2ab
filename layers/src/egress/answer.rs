//! What the proxy answers by itself.

use crate::net::NoWay;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use jalm_kernel::failure::Failure;

/// An answer from outside, or of the proxy itself.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

/// Longer words are for the body alone.
const LONGEST_REASON: usize = 400;

/// Why a request is not passed on. The words stand in the reason as well: of a tunnel that is
/// refused, most clients show nothing else.
pub(super) fn refusal(status: StatusCode, failure: &Failure) -> Response<Body> {
    let hint = failure.hint.as_deref().unwrap_or_default();
    let mut answer = Response::new(Either::Right(format!("{}\n{hint}\n", failure.message).into()));
    *answer.status_mut() = status;
    let words = format!("{}: {}; {hint}", canonical(status), failure.message);
    let words: String =
        words.chars().filter(|one| one.is_ascii() && !one.is_ascii_control()).collect();
    let words = words.get(..LONGEST_REASON).unwrap_or(&words);
    if let Ok(reason) = ReasonPhrase::try_from(words.as_bytes()) {
        answer.extensions_mut().insert(reason);
    }
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn canonical(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}

/// A tunnel that stands.
pub(super) fn tunnel() -> Response<Body> {
    Response::new(Either::Right(Full::default()))
}

/// A failure of the request itself.
pub(super) fn bad(message: impl Into<String>) -> Failure {
    Failure::permanent("bad_request", message.into())
        .hint("this is the runner's proxy: send `CONNECT host:port`, or `GET http://host/path`")
}

/// What is said of a host that cannot be reached, and the status with it.
pub(super) fn no_way(target: &str, reason: &NoWay) -> (StatusCode, Failure) {
    let message = format!("`{target}` is not reached: {reason}");
    match reason {
        NoWay::Refused(refused) => (
            StatusCode::FORBIDDEN,
            Failure::permanent("address_refused", message).hint(refused.why.hint()),
        ),
        NoWay::Unknown(_) | NoWay::Down(_) => (
            StatusCode::BAD_GATEWAY,
            Failure::permanent("http_connect", message).hint("look at the name and the port"),
        ),
        NoWay::Late => (
            StatusCode::GATEWAY_TIMEOUT,
            Failure::permanent("http_timeout", message).hint("look at the name and the port"),
        ),
    }
}
