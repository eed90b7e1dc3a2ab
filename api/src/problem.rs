//! Errors as RFC 9457 problem documents.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jalm_kernel::plan::ParamsProblem;
use jalm_kernel::ports::StoreError;
use jalm_kernel::source;
use jalm_scheduler::{CancelError, SubmitError};
use serde::Serialize;
use serde_json::{Value, json};

/// What went wrong with a request, and the way out.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// Stable, for programs.
    code: &'static str,
    hint: Option<String>,
    errors: Vec<Value>,
    retry_after: Option<u32>,
}

/// The document as it is sent.
#[derive(Serialize)]
struct Document<'a> {
    /// `https://jalm.dev/errors/<code>`: a name, not an address to call.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Value],
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            code,
            hint: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    /// The problems of a config, with their places in the submitted text.
    pub(crate) fn config(source: &str, problems: &[source::Problem]) -> Self {
        let reports = source::reports(source, problems);
        let errors = reports.iter().filter(|report| !report.warning).count();
        let plural = if errors == 1 { "" } else { "s" };
        Self {
            errors: reports.iter().map(|report| json!(report)).collect(),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_config",
                format!("the config has {errors} problem{plural}"),
            )
            .hint("`errors` says where and how to mend each; `jalm validate FILE` shows the same")
        }
    }

    fn params(problems: &[ParamsProblem]) -> Self {
        Self {
            errors: problems.iter().map(|problem| json!(problem)).collect(),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_params",
                "the params do not fit the intent's `input`",
            )
            .hint("send `params` as the intent's `input` asks for them")
        }
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn of_submit(error: SubmitError, source: &str) -> Self {
        let text = error.to_string();
        match error {
            SubmitError::Config(problems) => Self::config(source, &problems),
            SubmitError::Params(problems) => Self::params(&problems),
            SubmitError::KeyConflict(_) => Self::new(StatusCode::CONFLICT, "key_conflict", text)
                .hint("use a new `idempotency_key` for a new config or new params"),
            SubmitError::Busy(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text)
                .hint("try again later, or raise `limits.max_in_flight`")
                .retry_after(1),
            SubmitError::Store(error) => error.into(),
            SubmitError::ShuttingDown => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", text)
                    .hint("send it again when the runner is back")
                    .retry_after(5)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Unavailable { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", text)
                    .hint("try again later; `GET /health` says when the store is well")
                    .retry_after(2)
            }
            StoreError::Corrupt { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_corrupt", text)
                    .hint("a person must look at the store; nothing was changed")
            }
            StoreError::Closed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", text)
                .hint("send it again when the runner is back")
                .retry_after(5),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        let text = error.to_string();
        match error {
            CancelError::Unknown(_) => Self::not_found(text).hint("`GET /exec` lists them"),
            CancelError::Ended(..) => Self::new(StatusCode::CONFLICT, "already_ended", text)
                .hint("what has ended cannot be cancelled"),
            CancelError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, code, hint, errors, retry_after } = self;
        let document = Document {
            kind: format!("https://jalm.dev/errors/{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &detail,
            code,
            hint: hint.as_deref(),
            errors: &errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
