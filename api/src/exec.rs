//! Looking at executions, stopping and forgetting them.

use crate::body::{ExecutionBody, SummaryBody};
use crate::problem::Problem;
use crate::state::State;
use crate::submit::{bad_json, json};
use axum::extract::{Path, Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::machine::Status;
use jalm_kernel::ports::Filter;
use serde::{Deserialize, Serialize};

pub(crate) fn id(text: &str) -> Result<ExecutionId, Problem> {
    text.parse().map_err(|_| {
        Problem::bad_request("bad_id", format!("`{text}` is not an execution id"))
            .hint("an id is a UUID, as `POST /exec` answers it")
    })
}

pub(crate) fn unknown(id: ExecutionId) -> Problem {
    Problem::not_found(format!("there is no execution {id}")).hint("`GET /exec` lists them")
}

pub(crate) async fn show(
    Extract(state): Extract<State>,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let view = state.engine().view(id).await?.ok_or_else(|| unknown(id))?;
    Ok(json(StatusCode::OK, &ExecutionBody(&view)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    status: Option<String>,
    intent: Option<String>,
    since: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    executions: Vec<SummaryBody<'a>>,
    next: Option<ExecutionId>,
}

pub(crate) async fn list(
    Extract(state): Extract<State>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let bad = |detail: String, hint: String| Problem::bad_request("bad_request", detail).hint(hint);
    let status = wanted.status.map(|text| {
        Status::from_name(&text).ok_or_else(|| {
            let names: Vec<&str> = Status::ALL.into_iter().map(Status::name).collect();
            bad(format!("there is no status `{text}`"), format!("states are {}", names.join(", ")))
        })
    });
    let since = wanted.since.map(|text| {
        Timestamp::parse(&text).ok_or_else(|| {
            bad(
                format!("`since` is `{text}`, which is not a time"),
                "write 2026-11-24T16:00:00Z".to_owned(),
            )
        })
    });
    let limit = wanted.limit.unwrap_or(50);
    if !(1..=1000).contains(&limit) {
        return Err(bad(format!("`limit` is {limit}"), "ask for 1 to 1000".to_owned()));
    }
    let filter = Filter {
        status: status.transpose()?,
        intent: wanted.intent,
        since: since.transpose()?,
        before: wanted.cursor.as_deref().map(id).transpose()?,
        limit,
    };
    let found = state.engine().list(filter).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|last| last.execution_id);
    Ok(json(StatusCode::OK, &List { executions: found.iter().map(SummaryBody).collect(), next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelBody {
    reason: Option<String>,
}

pub(crate) async fn cancel(
    Extract(state): Extract<State>,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let reason = if body.is_empty() {
        None
    } else {
        serde_json::from_slice::<CancelBody>(&body)
            .map_err(|error| bad_json(&error).hint("the body is {\"reason\": \"…\"}, or nothing"))?
            .reason
    };
    let reason = reason.unwrap_or_else(|| "cancelled through the API".to_owned());
    state.engine().cancel(id, &reason).await?;
    tracing::info!(target: "audit", execution_id = %id, "execution cancelled");
    Ok(json(
        StatusCode::OK,
        &serde_json::json!({ "execution_id": id, "status": Status::Cancelled }),
    ))
}

pub(crate) async fn delete(
    Extract(state): Extract<State>,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    if state.engine().delete(id).await? {
        tracing::info!(target: "audit", execution_id = %id, "execution deleted");
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    match state.engine().view(id).await? {
        None => Err(unknown(id)),
        Some(_) => Err(Problem::new(
            StatusCode::CONFLICT,
            "not_ended",
            format!("execution {id} has not ended, so it cannot be deleted"),
        )
        .hint("cancel it first: `POST /exec/{id}/cancel`")),
    }
}
