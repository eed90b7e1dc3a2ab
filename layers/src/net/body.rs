//! What a request carries: JSON, a form, text, bytes, or parts.

use super::fields::Fields;
use crate::input::bad;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jalm_kernel::failure::Failure;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write;

/// The ways to say it; at most one is taken.
#[derive(Debug, Default)]
pub(crate) struct BodyInput {
    pub(crate) json: Option<Value>,
    pub(crate) form: Option<Fields>,
    pub(crate) body: Option<Value>,
    pub(crate) body_base64: Option<String>,
    pub(crate) multipart: Option<Vec<Part>>,
}

/// One part of a multipart body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// The field's name.
    pub(crate) name: String,
    /// The content: text, or any JSON value, which is sent as JSON.
    pub(crate) value: Option<Value>,
    /// The content as base64, for bytes.
    pub(crate) value_base64: Option<String>,
    /// A file's path from the file root; its content is sent. Needs a grant to read it.
    pub(crate) file: Option<crate::files::RelPath>,
    /// The file name that is told to the service.
    pub(crate) filename: Option<String>,
    /// The media type. Left out: `text/plain`, `application/json` or `application/octet-stream`.
    pub(crate) content_type: Option<String>,
}

/// Bytes and their media type.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: Option<String>,
}

impl BodyInput {
    /// Whether there is a body at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.given().is_empty()
    }

    fn given(&self) -> Vec<&'static str> {
        let Self { json, form, body, body_base64, multipart } = self;
        [
            ("json", json.is_some()),
            ("form", form.is_some()),
            ("body", body.is_some()),
            ("body_base64", body_base64.is_some()),
            ("multipart", multipart.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect()
    }

    /// The body, if there is one. `files` are the contents of the parts' files, in order.
    pub(crate) fn into_body(
        self,
        atom: &str,
        files: Vec<Vec<u8>>,
    ) -> Result<Option<Body>, Failure> {
        let given = self.given();
        if let [first, second, ..] = given[..] {
            return Err(bad(atom, second, format!("`{first}` is given too"))
                .hint("a request has one body; leave one of them out"));
        }
        let body = |bytes: Vec<u8>, content_type: Option<&str>| Body {
            bytes: bytes.into(),
            content_type: content_type.map(str::to_owned),
        };
        let json = |value: &Value| serde_json::to_vec(value).map_err(Failure::bug);
        let Self { json: json_value, form, body: plain, body_base64, multipart } = self;
        Ok(match (json_value, form, plain, body_base64, multipart) {
            (Some(value), ..) => Some(body(json(&value)?, Some("application/json"))),
            (_, Some(Fields(fields)), ..) => {
                Some(body(encode_form(&fields)?, Some("application/x-www-form-urlencoded")))
            }
            (_, _, Some(Value::String(text)), ..) => {
                Some(body(text.into_bytes(), Some("text/plain; charset=utf-8")))
            }
            (_, _, Some(value), ..) => Some(body(json(&value)?, Some("application/json"))),
            (_, _, _, Some(text), _) => {
                Some(body(base64(atom, "body_base64", &text)?, Some("application/octet-stream")))
            }
            (.., Some(parts)) => {
                let boundary = format!("jalm-{}", uuid::Uuid::new_v4().simple());
                let bytes = encode_parts(atom, parts, files, &boundary)?;
                Some(body(bytes, Some(&format!("multipart/form-data; boundary={boundary}"))))
            }
            (None, None, None, None, None) => None,
        })
    }
}

fn base64(atom: &str, key: &str, text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text.trim()).map_err(|error| {
        bad(atom, key, format!("it is not base64: {error}")).hint("send text with `body`")
    })
}

fn encode_form(fields: &[(String, String)]) -> Result<Vec<u8>, Failure> {
    // The address parser knows the encoding; the address itself is of no meaning.
    let mut url = Url::parse("http://form.invalid/").map_err(Failure::bug)?;
    url.query_pairs_mut().extend_pairs(fields);
    Ok(url.query().unwrap_or_default().as_bytes().to_vec())
}

fn encode_parts(
    atom: &str,
    parts: Vec<Part>,
    files: Vec<Vec<u8>>,
    boundary: &str,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut files = files.into_iter();
    for (index, part) in parts.into_iter().enumerate() {
        let at = format!("multipart[{index}]");
        let Part { name, value, value_base64, file, filename, content_type } = part;
        let (content, usual) = match (value, value_base64, file) {
            (Some(Value::String(text)), None, None) => (text.into_bytes(), None),
            (Some(value), None, None) => {
                (serde_json::to_vec(&value).map_err(Failure::bug)?, Some("application/json"))
            }
            (None, Some(text), None) => {
                (base64(atom, &at, &text)?, Some("application/octet-stream"))
            }
            (None, None, Some(_)) => {
                (files.next().unwrap_or_default(), Some("application/octet-stream"))
            }
            _ => {
                return Err(bad(atom, &at, "it needs exactly one content".to_owned())
                    .hint("give `value`, `value_base64` or `file`"));
            }
        };
        let mut head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&name));
        if let Some(filename) = filename {
            let _ = write!(head, "; filename=\"{}\"", quoted(&filename));
        }
        if let Some(kind) = content_type.as_deref().or(usual) {
            if kind.contains(|c: char| c.is_ascii_control()) {
                return Err(bad(atom, &at, "`content_type` is no media type".to_owned())
                    .hint("write it like `image/png`"));
            }
            let _ = write!(head, "\r\nContent-Type: {kind}");
        }
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&content);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(bytes)
}

/// As browsers write names, so that none can end its quotes.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_is_encoded_as_browsers_do() {
        let form = Fields(vec![("a b".into(), "1&2".into()), ("é".into(), "=".into())]);
        let body = BodyInput { form: Some(form), ..BodyInput::default() };
        let body = body.into_body("exec_http", Vec::new()).unwrap().unwrap();
        assert_eq!(body.bytes, "a+b=1%262&%C3%A9=%3D");
    }

    #[test]
    fn parts_cannot_be_forged_by_names() {
        let parts: Vec<Part> = serde_json::from_value(json!([
            { "name": "x\"\r\nEvil: 1", "value": "v" },
            { "name": "data", "value": { "a": 1 } },
            { "name": "f", "value_base64": "AAE=", "filename": "f.bin", "content_type": "image/png" },
        ]))
        .unwrap();
        let bytes = encode_parts("exec_http", parts, Vec::new(), "B").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "--B\r\nContent-Disposition: form-data; name=\"x%22%0D%0AEvil: 1\"\r\n\r\nv\r\n\
             --B\r\nContent-Disposition: form-data; name=\"data\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n\
             --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\nContent-Type: image/png\r\n\r\n\0\u{1}\r\n\
             --B--\r\n"
        );
    }

    #[test]
    fn two_bodies_are_one_too_many() {
        let body =
            BodyInput { json: Some(json!(1)), body: Some(json!("x")), ..BodyInput::default() };
        let failure = body.into_body("exec_http", Vec::new()).unwrap_err();
        assert_eq!(failure.message, "bad input `body` of `exec_http`: `json` is given too");
    }
}
