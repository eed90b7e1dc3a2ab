//! What went wrong on the wire, in words for the author of the step.

use super::guard::Refused;
use jalm_kernel::failure::Failure;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde_json::json;
use std::error::Error;
use std::io::ErrorKind;

/// How much of a refusing answer's body goes into the failure.
const EXCERPT: usize = 4096;

/// An address without what may be secret in it: user, password, query, fragment.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The innermost cause in its own words.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        // An IO error names the source of what it holds as its own, and so hides what it holds.
        let held = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match held {
            Some(held) => Some(held),
            None => current.source(),
        };
    }
    None
}

/// A refusal by the guard.
pub(super) fn refused(url: &Url, refused: Refused) -> Failure {
    Failure::permanent("address_refused", format!("`{}` is refused: {refused}", shown(url)))
        .hint(refused.why.hint())
}

/// A request that got no whole answer.
pub(crate) fn wire_failure(url: &Url, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(reason) = find::<Refused>(&error) {
        return refused(url, *reason);
    }
    let (place, cause) = (shown(url), root_cause(&error));
    if error.is_builder() {
        return Failure::permanent(
            "bad_input",
            format!("cannot build a request to `{place}`: {cause}"),
        )
        .hint("mend the address or the headers");
    }
    if let Some(problem) = find::<rustls::Error>(&error) {
        return tls_failure(&place, problem);
    }
    if error.is_timeout() {
        return Failure::transient("http_timeout", format!("`{place}` did not answer in time"))
            .hint("allow it more with `timeout`, or try again with `retry`");
    }
    if error.is_connect() {
        let hint = match find::<std::io::Error>(&error).map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => "nothing listens there; is the service running?",
            Some(
                ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable,
            ) => "the host cannot be reached from this machine; check the address and the firewall",
            _ => "check the host's name and that this machine can reach it",
        };
        return Failure::transient("http_connect", format!("cannot connect to `{place}`: {cause}"))
            .hint(hint);
    }
    Failure::transient("http_broken", format!("the exchange with `{place}` broke off: {cause}"))
        .hint("try again with `retry`; if it stays so, the service closes connections early")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only certificates have a remedy of their own")]
fn tls_failure(place: &str, problem: &rustls::Error) -> Failure {
    let message = format!("no secure connection to `{place}`: {problem}");
    match problem {
        rustls::Error::InvalidCertificate(_) => Failure::permanent("http_tls", message).hint(
            "install the certificate's issuer on this machine, or set `tls_verify: false` if the \
             network in between can be trusted",
        ),
        _ => Failure::transient("http_tls", message)
            .hint("check that the port speaks TLS; plain services need `http://`"),
    }
}

/// An answer whose status was not expected. Busy and broken services may be asked again.
pub(crate) fn status_failure(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Failure {
    let again = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]);
    let mut failure =
        Failure::permanent("http_status", format!("`{}` answered {status}", shown(url)))
            .hint(status_hint(status))
            .detail(json!({ "status": status.as_u16(), "url": shown(url), "body": text }));
    failure.retryable = again;
    failure.retry_after = if again { retry_after(headers) } else { None };
    failure
}

fn status_hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "give credentials with `auth`",
        403 => "these credentials may not do this; check the service's permissions",
        404 => "check the path of `url`",
        405 => "the service takes another `method` here",
        408 | 425 | 429 | 500..=599 => "try again with `retry`",
        300..=399 => "let it follow redirects, or list the status in `expect_status`",
        _ => "`detail.body` holds the answer; list the status in `expect_status` if it is expected",
    }
}

/// `Retry-After` in milliseconds: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000);
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    u64::try_from(date - crate::context::now().0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_services_may_be_asked_again_and_say_when() {
        let url = Url::parse("https://u.example/x?key=secret").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let failure = status_failure(&url, StatusCode::TOO_MANY_REQUESTS, &headers, b"slow down");
        assert_eq!((failure.retryable, failure.retry_after), (true, Some(7000)));
        assert_eq!(failure.message, "`https://u.example/x` answered 429 Too Many Requests");
        assert_eq!(failure.detail.unwrap()["body"], "slow down");

        let failure = status_failure(&url, StatusCode::NOT_FOUND, &headers, b"");
        assert_eq!((failure.retryable, failure.retry_after), (false, None));
    }

    #[test]
    fn retry_after_takes_dates_too() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "Tue, 31 Dec 2199 23:59:59 GMT".parse().unwrap());
        assert!(retry_after(&headers).unwrap() > 1_000_000);
        for past_or_wrong in ["Sun, 06 Nov 1994 08:49:37 GMT", "soon", "-1"] {
            headers.insert(RETRY_AFTER, past_or_wrong.parse().unwrap());
            assert_eq!(retry_after(&headers), None, "{past_or_wrong}");
        }
    }
}
