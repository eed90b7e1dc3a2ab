//! `POST /exec`: the hot path. The config's text goes to the engine as it was sent; nothing is
//! parsed twice, and a text seen before is not parsed at all.

use crate::body::ExecutionBody;
use crate::problem::Problem;
use crate::state::State;
use axum::extract::{Query, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jalm_kernel::ids::Millis;
use jalm_scheduler::{Receipt, Submission, Waited};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// No request waits longer for its execution.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    jalm_config: Option<&'a RawValue>,
    /// The intent as text in any format: what older clients send.
    #[serde(borrow)]
    intent_content: Option<&'a RawValue>,
    #[serde(borrow)]
    intent: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    params: Option<Value>,
    timeout: Option<Value>,
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    wait: Option<String>,
    params: Option<String>,
    timeout: Option<String>,
    idempotency_key: Option<String>,
}

pub(crate) async fn submit(
    Extract(state): Extract<State>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wait = wait(&asked, &headers)?;
    let submission = submission(&asked, &headers, &body)?;
    let source = submission.source.clone();
    let refused = |error| Problem::of_submit(error, &source);
    match wait {
        None => state.engine().submit(submission).await.map(accepted).map_err(refused),
        Some(wait) => match state.engine().run(submission, wait).await.map_err(refused)? {
            Waited::Ended(view) => Ok(json(StatusCode::OK, &ExecutionBody(&view))),
            Waited::Running(receipt) => Ok(accepted(receipt)),
        },
    }
}

fn accepted(receipt: Receipt) -> Response {
    let Receipt { id, status, existing } = receipt;
    tracing::debug!(target: "audit", execution_id = %id, existing, "execution submitted");
    let code = if existing { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = json(code, &serde_json::json!({ "execution_id": id, "status": status }));
    if let Ok(location) = HeaderValue::from_str(&format!("/exec/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

pub(crate) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            const JSON: HeaderValue = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, JSON)], bytes).into_response()
        }
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", error.to_string())
            .into_response(),
    }
}

/// How long to wait: `?wait=30s`, or `Prefer: wait=30` (RFC 7240).
fn wait(asked: &Asked, headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let preferred = headers
        .get("prefer")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(',').find_map(|part| part.trim().strip_prefix("wait=")));
    let Some(text) = asked.wait.as_deref().or(preferred) else { return Ok(None) };
    let Millis(ms) = duration(text).ok_or_else(|| bad_duration("wait", text))?;
    Ok(Some(Duration::from_millis(ms).min(LONGEST_WAIT)))
}

fn submission(asked: &Asked, headers: &HeaderMap, body: &[u8]) -> Result<Submission, Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or(kind).trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => from_json(asked, body),
        "text/yaml" | "application/yaml" | "application/x-yaml" | "text/x-yaml" | "text/plain" => {
            from_text(asked, body)
        }
        // What curl sends without a header; a config is the only thing it can be.
        "application/x-www-form-urlencoded" if body.first() == Some(&b'{') => from_json(asked, body),
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("`{other}` is not understood here"),
        )
        .hint("send `Content-Type: application/json` with `jalm_config`, or `text/yaml` with the intent itself")),
    }
}

fn from_json(asked: &Asked, bytes: &[u8]) -> Result<Submission, Problem> {
    let body: Body<'_> = serde_json::from_slice(bytes).map_err(|error| bad_json(&error))?;
    let config = match (body.jalm_config, body.intent_content) {
        (Some(config), None) | (None, Some(config)) => config,
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "bad_request",
                "both `jalm_config` and `intent_content` are there",
            )
            .hint("send one of them"));
        }
        (None, None) if body.intent.is_some() || body.version.is_some() => {
            return Err(Problem::new(
                StatusCode::NOT_IMPLEMENTED,
                "not_supported_yet",
                "running a deployed intent by its name is not supported yet",
            )
            .hint("send the whole config as `jalm_config`"));
        }
        (None, None) => {
            return Err(Problem::bad_request("missing_key", "`jalm_config` is missing").hint(
                "send {\"jalm_config\": {\"intent\": …, \"steps\": […]}}; for YAML send the text with `Content-Type: text/yaml`",
            ));
        }
    };
    let config = config.get();
    let source: Arc<str> = if config.starts_with('"') {
        let text: String = serde_json::from_str(config).map_err(|error| bad_json(&error))?;
        text.into()
    } else {
        config.into()
    };
    let timeout = match (&body.timeout, &asked.timeout) {
        (None | Some(Value::Null), None) => None,
        (Some(value), _) => Some(timeout(value)?),
        (None, Some(text)) => Some(timeout(&Value::String(text.clone()))?),
    };
    let params = body.params.filter(|params| !params.is_null());
    Ok(Submission {
        source,
        params,
        timeout,
        key: key(body.idempotency_key.or_else(|| asked.idempotency_key.clone()))?,
    })
}

fn from_text(asked: &Asked, bytes: &[u8]) -> Result<Submission, Problem> {
    let source = std::str::from_utf8(bytes).map_err(|error| {
        Problem::bad_request(
            "bad_request",
            format!("the body is not UTF-8 (byte {})", error.valid_up_to()),
        )
        .hint("send the intent as UTF-8 text")
    })?;
    let params = match &asked.params {
        None => None,
        Some(text) => Some(serde_json::from_str(text).map_err(|error| {
            Problem::bad_request("bad_request", format!("`?params=` is not JSON: {error}"))
                .hint("send ?params={\"name\":\"value\"}, URL-encoded")
        })?),
    };
    let timeout = asked.timeout.clone().map(|text| timeout(&Value::String(text))).transpose()?;
    Ok(Submission {
        source: source.into(),
        params,
        timeout,
        key: key(asked.idempotency_key.clone())?,
    })
}

fn key(key: Option<String>) -> Result<Option<String>, Problem> {
    match key {
        Some(key) if key.is_empty() || key.len() > 255 => Err(Problem::bad_request(
            "bad_request",
            format!("an `idempotency_key` has 1 to 255 bytes, this one {}", key.len()),
        )
        .hint("use a UUID, or the id of what the execution is for")),
        key => Ok(key),
    }
}

fn timeout(value: &Value) -> Result<Millis, Problem> {
    let found = match value {
        Value::Number(number) => {
            number.as_f64().filter(|seconds| *seconds > 0.0 && *seconds < 1e10).map(millis)
        }
        Value::String(text) => duration(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    found.filter(|timeout| timeout.0 > 0).ok_or_else(|| bad_duration("timeout", &value.to_string()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and bounded by the caller"
)]
fn millis(seconds: f64) -> Millis {
    Millis((seconds * 1000.0).ceil() as u64)
}

/// `500ms`, `30s`, `10m`, `2h`, or seconds.
fn duration(text: &str) -> Option<Millis> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(factor).map(Millis)
}

fn bad_duration(what: &str, text: &str) -> Problem {
    Problem::bad_request("bad_request", format!("`{what}` is {text}, which is not a duration"))
        .hint("write 500ms, 30s, 10m, 2h, or a number of seconds")
}

pub(crate) fn bad_json(error: &serde_json::Error) -> Problem {
    let (code, what) =
        if error.is_data() { ("bad_request", "does not fit") } else { ("bad_json", "is not JSON") };
    Problem::bad_request(code, format!("the body {what}: {error}"))
        .hint("the body is {\"jalm_config\": {…}, \"params\": {…}, \"timeout\": \"30s\", \"idempotency_key\": \"…\"}")
}
