//! What the service is and how it feels.

use crate::problem::Problem;
use crate::routes::endpoints;
use crate::state::State;
use crate::submit::json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use jalm_kernel::atom::Layer;
use jalm_kernel::ports::Health;
use serde_json::{Value, json as value};

/// `GET /`: programs get the facts, browsers the documentation.
pub(crate) async fn root(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.split(',').next().is_some_and(|first| first.starts_with("text/html")) {
        return Redirect::temporary("/docs").into_response();
    }
    json(
        StatusCode::OK,
        &value!({
            "service": "jalm-core-runner",
            "version": state.0.version,
            "layers": Layer::ALL,
            "atoms": state.engine().catalog().names().len(),
            "endpoints": endpoints(),
            "documentation": "/docs",
        }),
    )
}

pub(crate) async fn health(Extract(state): Extract<State>) -> Response {
    let (good, store) = match state.engine().health() {
        Health::Good => (true, value!({ "status": "ok" })),
        Health::Degraded(detail) => (false, value!({ "status": "degraded", "detail": detail })),
    };
    let ready = good && !*state.0.closing.borrow();
    let isolates: Value = (state.0.isolates)();
    let body = value!({
        "status": if ready { "ok" } else { "degraded" },
        "live": true,
        "ready": ready,
        "store": store,
        "isolates": isolates,
        "version": state.0.version,
        "uptime": state.0.started.elapsed().as_secs(),
    });
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

/// Alive as long as it answers.
pub(crate) async fn live() -> Response {
    json(StatusCode::OK, &value!({ "live": true }))
}

/// Whether work should be sent here.
pub(crate) async fn ready(Extract(state): Extract<State>) -> Response {
    let ready = state.engine().health() == Health::Good && !*state.0.closing.borrow();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &value!({ "ready": ready }))
}

pub(crate) async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at `{}`", uri.path()))
        .hint("`GET /` lists the endpoints, `/docs` explains them")
}

pub(crate) async fn wrong_method(method: axum::http::Method, uri: Uri) -> Problem {
    let path = uri.path();
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("`{path}` does not take {method}"),
    )
    .hint("`GET /` lists the endpoints with their methods")
}
