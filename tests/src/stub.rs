//! An HTTP server that counts, holds and refuses.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The service that steps call. It answers each request with what it saw, as JSON.
#[derive(Clone)]
pub struct Stub {
    base: String,
    inner: Arc<Inner>,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

#[derive(Default)]
struct Inner {
    seen: Mutex<Vec<Seen>>,
    /// How often a path still fails, and with what.
    failing: Mutex<BTreeMap<String, (u32, u16)>>,
    held: watch::Sender<BTreeSet<String>>,
    answers: Mutex<BTreeMap<String, Value>>,
}

impl Seen {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let inner = Arc::new(Inner::default());
        let router = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base: format!("http://{address}"), inner }
    }

    /// The address of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// From now on requests to this path get no answer until [`Stub::release`].
    pub fn hold(&self, path: &str) {
        self.inner.held.send_if_modified(|held| held.insert(path.to_owned()));
    }

    /// Answers what was held, and all that comes.
    pub fn release(&self, path: &str) {
        self.inner.held.send_if_modified(|held| held.remove(path));
    }

    /// The next `times` requests to this path are answered with this status.
    pub fn fail(&self, path: &str, times: u32, status: u16) {
        lock(&self.inner.failing).insert(path.to_owned(), (times, status));
    }

    /// From now on requests to this path are answered with this, not with what they say.
    pub fn answer(&self, path: &str, answer: Value) {
        lock(&self.inner.answers).insert(path.to_owned(), answer);
    }

    /// All requests so far.
    pub fn all(&self) -> Vec<Seen> {
        lock(&self.inner.seen).clone()
    }

    /// The requests to this path.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        lock(&self.inner.seen).iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// How many requests there were to this path.
    pub fn hits(&self, path: &str) -> usize {
        lock(&self.inner.seen).iter().filter(|seen| seen.path == path).count()
    }

    /// Waits for a request to this path.
    pub async fn wait_for_hit(&self, path: &str) {
        self.wait_for_hits(path, 1).await;
    }

    /// Waits until there were so many requests to this path.
    pub async fn wait_for_hits(&self, path: &str, count: usize) {
        let what = format!("{count} request(s) to {path}");
        crate::until(&what, async || (self.hits(path) >= count).then_some(())).await;
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    let hit = {
        let mut seen = lock(&inner.seen);
        let method = method.to_string();
        seen.push(Seen { method, path: path.clone(), headers, body: body.clone() });
        seen.iter().filter(|seen| seen.path == path).count()
    };
    // Fails only when the stub is gone.
    let _ = inner.held.subscribe().wait_for(|held| !held.contains(&path)).await;
    if let Some((times @ 1.., status)) = lock(&inner.failing).get_mut(&path) {
        *times -= 1;
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::IM_A_TEAPOT);
        return (status, "told to fail").into_response();
    }
    let sent: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    let told = lock(&inner.answers).get(&path).cloned();
    let answer = told.unwrap_or_else(
        || json!({ "path": path, "method": method.as_str(), "hit": hit, "sent": sent }),
    );
    ([("content-type", "application/json")], answer.to_string()).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
