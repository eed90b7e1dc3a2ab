//! The table of routes: what is registered is what is documented.

use crate::problem::Problem;
use crate::state::State;
use crate::{catalog, events, exec, info, metrics, openapi, submit};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use futures_util::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Largest request body: an intent of 1 MiB, params of 4 MiB, and room for the rest.
const MAX_BODY: usize = 6 * 1024 * 1024;

/// How much of a larger body is taken and dropped, and for how long.
const MOST_DROPPED: usize = 64 * 1024 * 1024;
const DROP_TIME: Duration = Duration::from_secs(10);

/// One endpoint.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    handler: fn() -> MethodRouter<State>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    handler: fn() -> MethodRouter<State>,
) -> Route {
    Route { method, path, summary, handler }
}

/// Every endpoint, in the order of the documentation.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/", "Facts about the service", || get(info::root)),
    route("GET", "/health", "Health of the service, its store and its sandboxes", || {
        get(info::health)
    }),
    route("GET", "/health/live", "Whether the process is alive", || get(info::live)),
    route("GET", "/health/ready", "Whether work should be sent here", || get(info::ready)),
    route("GET", "/metrics", "Prometheus metrics", || get(metrics::metrics)),
    route("POST", "/exec", "Submit an execution, and wait for its end if asked", || {
        post(submit::submit)
    }),
    route("POST", "/execute", "The same as POST /exec, for older clients", || post(submit::submit)),
    route("GET", "/exec", "List executions, newest first", || get(exec::list)),
    route("GET", "/exec/{execution_id}", "One execution with all its steps", || get(exec::show)),
    route("DELETE", "/exec/{execution_id}", "Forget a finished execution", || delete(exec::delete)),
    route("POST", "/exec/{execution_id}/cancel", "Stop an execution", || post(exec::cancel)),
    route("GET", "/exec/{execution_id}/events", "Follow an execution (server-sent events)", || {
        get(events::events)
    }),
    route("POST", "/validate", "Check a config without running it", || post(catalog::validate)),
    route("POST", "/plan", "What a config will do and touch", || post(catalog::plan)),
    route("GET", "/schema", "JSON Schema of intents", || get(catalog::schema)),
    route("GET", "/atoms", "What steps can do", || get(catalog::atoms)),
    route("GET", "/layers", "The six layers and their atoms", || get(catalog::layers)),
    route("GET", "/queues", "Queues with their number of messages", || get(catalog::queues)),
    route("GET", "/queues/{queue}", "The oldest messages of a queue, left where they are", || {
        get(catalog::queue)
    }),
    route("GET", "/openapi.json", "This API as OpenAPI 3.1", || get(openapi::openapi)),
];

/// `GET /exec`, `POST /exec`…
pub(crate) fn endpoints() -> Vec<String> {
    ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect()
}

/// The whole HTTP service: the API, and `pages` beside it under the same guard.
pub fn router(state: State, pages: Router) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, (route.handler)());
    }
    router
        .with_state(state.clone())
        .merge(pages)
        .method_not_allowed_fallback(info::wrong_method)
        .fallback(info::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(state.clone(), guard))
        .route_layer(middleware::from_fn_with_state(state, metrics::count))
}

/// What needs no token: probes of health, and the documentation of the API, which a browser could
/// not send a token for and which says nothing that the sources do not.
fn is_open(path: &str) -> bool {
    let below = |folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["/health", "/docs", "/redoc", "/openapi.json"].into_iter().any(below)
}

/// Lets a request in or not, and turns what the framework says in plain text, and panics, into
/// problem documents.
async fn guard(Extract(state): Extract<State>, request: Request, next: Next) -> Response {
    if !is_open(request.uri().path())
        && let Err(problem) = state.0.auth.check(request.headers())
    {
        return problem.into_response();
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > MAX_BODY as u64)
    {
        return refuse_large(request.into_body()).await;
    }
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => as_problem(response).await,
        Err(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "bug",
            "bug in jalm: a handler panicked",
        )
        .hint("please report it with the request that shows it; the log has more")
        .into_response(),
    }
}

/// Many clients read the answer only when all is sent, and a connection that is closed while they
/// send loses it. So what was announced is taken and dropped first, within bounds.
async fn refuse_large(body: Body) -> Response {
    let mut chunks = body.into_data_stream();
    let mut taken = 0;
    let drain = async {
        while taken < MOST_DROPPED
            && let Some(Ok(chunk)) = chunks.next().await
        {
            taken += chunk.len();
        }
    };
    // Whether it came in time or not, the answer is the same.
    let _ = tokio::time::timeout(DROP_TIME, drain).await;
    too_large().into_response()
}

fn too_large() -> Problem {
    let detail = format!("the body is larger than {MAX_BODY} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
        .hint("put large data into a file and pass its path")
}

/// The framework's own refusals come as plain text; all errors here are problem documents.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let plain = response
        .headers()
        .get(axum::http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !plain {
        return response;
    }
    let body =
        axum::body::to_bytes(Body::new(response.into_body()), 4096).await.unwrap_or_default();
    let detail = String::from_utf8_lossy(&body).into_owned();
    let problem = match status {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        status => {
            Problem::new(status, "bad_request", detail).hint("see `/docs` for what is taken here")
        }
    };
    problem.into_response()
}
