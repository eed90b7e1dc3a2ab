//! Asking the web API of a service: chats, SMS, payments.
//!
//! Many of these services take their secret as a part of the address. So nothing that is told of
//! a failure holds more of the address than its origin, and known secrets are blotted out of what
//! the service itself says.

mod attachment;

pub(crate) use attachment::Attachment;

use crate::context::Cx;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::net::{
    BodyInput, Outgoing, Overflow, header_value, read_bounded, retry_after, send, shown,
};
use jalm_kernel::failure::Failure;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

/// Answers of these services are short.
const LARGEST: ByteSize = ByteSize::mib(4);

/// One request to a service.
pub(crate) struct Ask<'a> {
    pub(crate) atom: &'static str,
    /// The service's name as people write it.
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BodyInput,
    pub(crate) timeout: Option<TimeSpan>,
    /// Whether asking again cannot do it twice.
    pub(crate) repeatable: bool,
    /// What must not be told.
    pub(crate) secrets: &'a [&'a str],
}

/// What the service said, whatever its status.
pub(crate) struct Said {
    pub(crate) service: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body where it is JSON, its text otherwise.
    pub(crate) body: Value,
    secrets: Vec<String>,
}

/// Asks. Only an exchange that did not come to its end is a failure here.
pub(crate) async fn ask(cx: &Cx, ask: Ask<'_>) -> Result<Said, Failure> {
    let Ask { atom, service, method, url, mut headers, body, timeout, repeatable, secrets } = ask;
    let limit = timeout.map_or(cx.timeout, |span| span.0.min(cx.timeout));
    let body = body.into_body(atom, Vec::new())?;
    if let Some(kind) = body.as_ref().and_then(|body| body.content_type.as_deref())
        && !headers.contains_key(CONTENT_TYPE)
    {
        headers.insert(CONTENT_TYPE, header_value(atom, "content-type", kind)?);
    }
    let origin = url.origin().ascii_serialization();
    let full = shown(&url);
    let request = Outgoing {
        method,
        url,
        headers,
        body: body.map(|body| body.bytes),
        // Secrets go where they were sent, and nowhere else.
        redirects: 0,
        tls_verify: true,
        proxy: None,
    };
    let exchange = async {
        let response = send(&cx.shared.net, &cx.access()?, request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_bounded(response, LARGEST, Overflow::Refuse).await?;
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Ok(Said { service, status, headers, body, secrets })
    };
    let answer = tokio::time::timeout(limit, Box::pin(exchange)).await.unwrap_or_else(|_| {
        Err(Failure::transient(
            "http_timeout",
            format!("{service} did not answer within {limit:?}"),
        )
        .hint("allow it more with `timeout`, or try again with `retry`"))
    });
    answer.map_err(|mut failure| {
        failure.message = blotted(failure.message.replace(&full, &origin), secrets);
        if !repeatable && matches!(&*failure.code, "http_timeout" | "http_broken") {
            failure.retryable = false;
            failure.hint = Some(format!(
                "{service} may have done it; if twice does no harm, name `{}` in `retry.on`",
                failure.code
            ));
        }
        failure
    })
}

fn blotted(text: String, secrets: &[impl AsRef<str>]) -> String {
    secrets
        .iter()
        .map(AsRef::as_ref)
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "***"))
}

impl Said {
    /// The failure of a refusal: `reason` is in the service's words, `pause` in milliseconds where
    /// the body says when to come again. Busy and broken services may be asked again.
    pub(crate) fn refusal(&self, reason: &str, pause: Option<u64>) -> Failure {
        let status = self.status.as_u16();
        let reason = crate::parse::json::shorten(&blotted(reason.to_owned(), &self.secrets));
        let service = self.service;
        let mut failure = match status {
            429 => {
                Failure::transient("rate_limited", format!("{service} has no time now: {reason}"))
                    .hint("try again with `retry`; the pause that the service asks for is kept")
            }
            408 | 425 | 500..=599 => {
                Failure::transient("service_down", format!("{service} answered {status}: {reason}"))
                    .hint("try again with `retry`")
            }
            401 | 403 => Failure::permanent(
                "service_denied",
                format!("{service} denied it with {status}: {reason}"),
            )
            .hint("check the credentials and what the service permits them"),
            _ => Failure::permanent("service_refused", format!("{service} refused it: {reason}"))
                .hint("mend the input as the service says"),
        };
        failure = failure.detail(json!({ "service": service, "status": status, "reason": reason }));
        if failure.retryable {
            failure.retry_after = pause.or_else(|| retry_after(&self.headers));
        }
        failure
    }

    /// The body where it is text, for reasons.
    pub(crate) fn text(&self) -> String {
        match self.body.as_str() {
            Some("") => self.status.to_string(),
            Some(text) => text.to_owned(),
            None => self.body.to_string(),
        }
    }
}

/// The address of a method: the service's own or `base_url`, and a path.
pub(crate) fn endpoint(
    atom: &str,
    base: Option<&str>,
    usual: &str,
    path: &str,
) -> Result<Url, Failure> {
    let base = base.unwrap_or(usual);
    place(atom, "base_url", &format!("{}{path}", base.trim().trim_end_matches('/')))
}

/// An address that may hold a secret, so that no refusal repeats it.
pub(crate) fn place(atom: &str, key: &str, text: &str) -> Result<Url, Failure> {
    let wrong = |what: String| {
        bad(atom, key, what).hint("write it like `https://api.example.com`, without a password")
    };
    let url =
        Url::parse(text.trim()).map_err(|error| wrong(format!("it is no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it is not an `https://` address".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or a password".to_owned()));
    }
    Ok(url)
}

/// An id or a token that becomes a part of a path: nothing in it can lead elsewhere.
pub(crate) fn segment<'a>(atom: &str, key: &str, text: &'a str) -> Result<&'a str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    if !text.is_empty() && text.len() <= 512 && text.chars().all(fits) {
        return Ok(text);
    }
    Err(bad(
        atom,
        key,
        "it is empty, or holds more than letters, digits, `_`, `-` and `:`".to_owned(),
    )
    .hint("copy it as the service shows it, without spaces or line breaks"))
}

/// A header that no log shows.
pub(crate) fn secret_header(atom: &str, key: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = header_value(atom, key, text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Adds what is given to a JSON object.
pub(crate) fn put(map: &mut serde_json::Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        map.insert(key.to_owned(), value);
    }
}
