//! A real HTTP server on loopback that answers as told and notes what it was asked.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a path answers.
#[derive(Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// Never answers.
    pub(crate) hangs: bool,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

#[derive(Default)]
struct Inner {
    replies: Mutex<BTreeMap<String, Reply>>,
    seen: Mutex<Vec<Seen>>,
    /// Told at each request and at each request that its client gave up.
    arrived: Notify,
    dropped: Notify,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What `path` answers from now on; other paths answer 404.
    pub(crate) fn on(&self, path: &str, reply: Reply) {
        self.inner.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// Waits until a request has arrived.
    pub(crate) async fn arrival(&self) {
        self.inner.arrived.notified().await;
    }

    /// Waits until a client has given up a request.
    pub(crate) async fn departure(&self) {
        self.inner.dropped.notified().await;
    }
}

struct OnDrop(Arc<Inner>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Body) {
    let target = uri.to_string();
    inner.seen.lock().unwrap().push(Seen { method: method.to_string(), target, headers, body });
    inner.arrived.notify_one();
    let reply = inner.replies.lock().unwrap().get(uri.path()).cloned();
    let reply = reply.unwrap_or_else(|| Reply::status(404));
    if reply.hangs {
        let _told = OnDrop(Arc::clone(&inner));
        std::future::pending::<()>().await;
    }
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    (StatusCode::from_u16(reply.status).unwrap(), headers, Body::from(reply.body))
}
