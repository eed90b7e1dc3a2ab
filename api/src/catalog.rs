//! What there is: atoms, layers, queues, the language; and trying configs without running them.

use crate::problem::Problem;
use crate::state::State;
use crate::submit::{bad_json, json};
use axum::extract::{Path, Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use jalm_kernel::atom::{AtomSpec, Layer};
use jalm_kernel::plan::Plan;
use jalm_kernel::source;
use serde::Deserialize;
use serde_json::{Value, json as value};
use std::sync::Arc;

fn atom(spec: &AtomSpec) -> Value {
    value!({
        "name": spec.name, "layer": spec.layer, "summary": spec.summary, "effect": spec.effect,
        "retry": spec.retry, "input": spec.input_schema, "output": spec.output_schema,
    })
}

pub(crate) async fn atoms(Extract(state): Extract<State>) -> Response {
    let catalog = state.engine().catalog();
    let atoms: Vec<Value> =
        catalog.names().into_iter().filter_map(|name| catalog.atom(name)).map(atom).collect();
    json(StatusCode::OK, &value!({ "atoms": atoms }))
}

pub(crate) async fn layers(Extract(state): Extract<State>) -> Response {
    let catalog = state.engine().catalog();
    let specs: Vec<&AtomSpec> =
        catalog.names().into_iter().filter_map(|name| catalog.atom(name)).collect();
    let layers: Vec<Value> = Layer::ALL
        .into_iter()
        .map(|layer| {
            let atoms: Vec<&str> =
                specs.iter().filter(|spec| spec.layer == layer).map(|spec| spec.name).collect();
            value!({ "layer": layer, "default_atom": layer.default_atom(), "atoms": atoms })
        })
        .collect();
    json(StatusCode::OK, &value!({ "layers": layers }))
}

pub(crate) async fn queues(Extract(state): Extract<State>) -> Result<Response, Problem> {
    let queues = state.0.store.queues().await?;
    let queues: Vec<Value> = queues
        .into_iter()
        .map(|(name, messages)| value!({ "queue": name, "messages": messages }))
        .collect();
    Ok(json(StatusCode::OK, &value!({ "queues": queues })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peek {
    limit: Option<u32>,
}

/// The oldest messages of a queue, left where they are.
pub(crate) async fn queue(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    Query(peek): Query<Peek>,
) -> Result<Response, Problem> {
    let limit = peek.limit.unwrap_or(50).clamp(1, 1000);
    let messages = state.0.store.peek(&name, limit).await?;
    let messages: Vec<Value> = messages
        .into_iter()
        .map(|message| {
            value!({
                "id": message.id, "body": message.body, "headers": message.headers,
                "at": message.at.to_string(),
            })
        })
        .collect();
    Ok(json(StatusCode::OK, &value!({ "queue": name, "messages": messages })))
}

pub(crate) async fn schema() -> Response {
    json(StatusCode::OK, &jalm_kernel::intent::json_schema())
}

/// The text of a config: the body itself, or what stands in `jalm_config` there.
fn config_of(body: &Bytes) -> Result<Arc<str>, Problem> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        jalm_config: &'a serde_json::value::RawValue,
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::bad_request(
            "bad_request",
            format!("the body is not UTF-8 (byte {})", error.valid_up_to()),
        )
        .hint("send the intent as UTF-8 text")
    })?;
    match serde_json::from_str::<Wrapped<'_>>(text) {
        Ok(wrapped) if wrapped.jalm_config.get().starts_with('"') => {
            let inner: String = serde_json::from_str(wrapped.jalm_config.get())
                .map_err(|error| bad_json(&error))?;
            Ok(inner.into())
        }
        Ok(wrapped) => Ok(wrapped.jalm_config.get().into()),
        Err(_) => Ok(text.into()),
    }
}

/// `POST /validate`: all problems of a config, or that there are none.
pub(crate) async fn validate(
    Extract(state): Extract<State>,
    body: Bytes,
) -> Result<Response, Problem> {
    let text = config_of(&body)?;
    let (valid, problems) = match Plan::compile(&text, state.engine().catalog()) {
        Ok(plan) => (true, plan.warnings),
        Err(problems) => (false, problems),
    };
    let reports = source::reports(&text, &problems);
    let (warnings, errors): (Vec<_>, Vec<_>) =
        reports.into_iter().partition(|report| report.warning);
    Ok(json(StatusCode::OK, &value!({ "valid": valid, "errors": errors, "warnings": warnings })))
}

/// `POST /plan`: what a config will do and touch.
pub(crate) async fn plan(Extract(state): Extract<State>, body: Bytes) -> Result<Response, Problem> {
    let text = config_of(&body)?;
    let plan = Plan::compile(&text, state.engine().catalog())
        .map_err(|problems| Problem::config(&text, &problems))?;
    Ok(json(StatusCode::OK, &plan.describe()))
}
