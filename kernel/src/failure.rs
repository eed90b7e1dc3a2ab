//! Why a step failed, in words for the person who wrote it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// The end of one attempt that did not succeed.
///
/// `message` says what happened to what, in lower case and without a full stop; `hint` says what
/// to do about it. Neither may hold a secret: both are journalled and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable, snake_case, for `retry.on` and for programs: `http_status`, `timeout`, `file_not_found`.
    pub code: Cow<'static, str>,
    /// What happened.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the same call may succeed later with nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// The service asked for at least this pause before the next attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Facts for programs, such as the HTTP status and the start of the answer's body.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::machine::present_boxed"
    )]
    pub detail: Option<Box<Value>>,
}

impl Failure {
    /// A failure that repeating will not cure.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            message: message.into(),
            hint: None,
            retryable: false,
            retry_after: None,
            detail: None,
        }
    }

    /// A failure that may pass by itself: the network, a busy service, a timeout.
    pub fn transient(code: &'static str, message: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::permanent(code, message) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }

    /// An impossible state was reached: ends this one execution, not the process.
    pub fn bug(what: impl std::fmt::Display) -> Self {
        Self::permanent("bug", format!("bug in jalm: {what}"))
            .hint("please report it with the intent that shows it")
    }
}
