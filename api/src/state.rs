//! What handlers work with.

use crate::auth::Auth;
use crate::metrics::Requests;
use jalm_kernel::ports::Store;
use jalm_scheduler::Engine;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Everything the API stands on.
#[derive(Clone)]
pub struct State(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) auth: Auth,
    pub(crate) isolates: Box<dyn Fn() -> Value + Send + Sync>,
    pub(crate) version: &'static str,
    pub(crate) started: Instant,
    pub(crate) requests: Requests,
    /// Turns true at a shutdown, so that streams end.
    pub(crate) closing: watch::Sender<bool>,
}

impl State {
    /// `isolates` says what the sandboxes are, for `/health`; it must be quick.
    pub fn new(
        engine: Engine,
        store: Arc<dyn Store>,
        auth: Auth,
        version: &'static str,
        isolates: impl Fn() -> Value + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            engine,
            store,
            auth,
            isolates: Box::new(isolates),
            version,
            started: Instant::now(),
            requests: Requests::default(),
            closing: watch::Sender::new(false),
        }))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }
}
