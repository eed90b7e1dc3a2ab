//! The parts of a message that every HTTP atom makes alike: address, headers, key.

use super::fields::Fields;
use crate::context::Cx;
use crate::input::bad;
use jalm_kernel::failure::Failure;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// A parsed address; what it may not have in it is refused here for all HTTP atoms.
pub(crate) fn address(atom: &str, text: &str) -> Result<Url, Failure> {
    let wrong = |what: String| bad(atom, "url", what);
    let url = Url::parse(text.trim()).map_err(|error| {
        wrong(format!("it is not an address: {error}"))
            .hint("write it like `https://api.example.com/orders`")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("`{}` is not supported", url.scheme()))
            .hint("write an address with `http://` or `https://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or a password".to_owned())
            .hint("write `auth: { basic: { username: …, password: … } }` instead"));
    }
    Ok(url)
}

/// The author's headers. Those that describe the message itself are the runner's.
pub(crate) fn headers(atom: &str, fields: &Fields) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(fields.0.len());
    for (name, value) in &fields.0 {
        let path = format!("headers.{name}");
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            bad(atom, &path, "it is not a header's name".to_owned())
                .hint("use letters, digits and `-`")
        })?;
        if [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "upgrade",
            "proxy-authorization",
        ]
        .contains(&parsed.as_str())
        {
            return Err(bad(atom, &path, "the runner sets it itself".to_owned())
                .hint("leave it out; the host is that of `url`"));
        }
        headers.append(parsed, header_value(atom, &path, value)?);
    }
    Ok(headers)
}

/// One line of text.
pub(crate) fn header_value(atom: &str, path: &str, text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|_| {
        bad(atom, path, "its value holds a line break or another control character".to_owned())
            .hint("a header is one line")
    })
}

/// The call's key, unless the author gives one.
pub(crate) fn idempotency(cx: &Cx, headers: &mut HeaderMap) -> Result<(), Failure> {
    if !headers.contains_key("idempotency-key") {
        headers.insert("idempotency-key", header_value("exec_http", "idempotency-key", &cx.key)?);
    }
    Ok(())
}

/// An answer's headers by lower-case name; a list where a header came several times.
pub(crate) fn header_map(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .keys()
        .map(|name| {
            let mut values: Vec<Value> = headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned().into())
                .collect();
            let value =
                if values.len() == 1 { values.swap_remove(0) } else { Value::Array(values) };
            (name.as_str().to_owned(), value)
        })
        .collect()
}
