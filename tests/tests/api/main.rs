//! The HTTP API as its documentation has it, through a real socket.
#![allow(clippy::unwrap_used, reason = "tests may fail by panicking")]

mod auth;
mod dependencies;
mod life;
mod list;
mod pages;
mod problems;
mod rough;
mod stream;
mod submit;

use jalm_tests::Answer;
use serde_json::{Value, json};

/// An intent with one pure step.
fn pure(name: &str) -> Value {
    json!({ "intent": name, "steps": [{ "id": "uuid", "atom": "generate_uuid" }] })
}

/// An intent with one `GET`.
fn get(url: String) -> Value {
    json!({ "intent": "get", "steps": [{ "id": "get", "atom": "exec_http", "input": { "url": url } }] })
}

/// A complete problem document of this status and code (RFC 9457).
#[track_caller]
fn is_problem(answer: &Answer, status: u16, code: &str) {
    let body = &answer.body;
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{body:#}");
    assert_eq!(answer.kind, "application/problem+json", "{body:#}");
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("https://jalm.dev/errors/{code}"));
    for text in ["title", "detail", "hint"] {
        assert!(body[text].as_str().is_some_and(|text| !text.is_empty()), "no {text}: {body:#}");
    }
}
