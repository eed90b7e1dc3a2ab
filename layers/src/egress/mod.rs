//! The way out for scripts: an HTTP proxy of one call, with the rules of its grants.
//!
//! A script that may use the network runs where nothing can be reached but this proxy (see
//! `isolates::Egress`). It takes requests for `http` addresses in absolute form, and `CONNECT` for
//! everything else: what goes through such a tunnel is between the script and the host.
//!
//! **What is allowed.** Each request asks the access rules, as `exec_http` does: the operator's policy
//! and the intent's `grants.http`. Of a tunnel, only host and port can be known, so a pattern opens
//! one only if it grants the whole origin: one with a path, other than `/*`, opens none. Names are
//! resolved here, and every address is judged by the same guard as for `exec_http`. Redirects are
//! the script's own matter: it follows them with another request, which is asked for again.
//!
//! **Bounds.** So many connections at once, so many bytes each way for the whole call, and no
//! connection that is silent for long. All are closed when the call ends.

mod answer;
mod forward;
#[cfg(test)]
mod tests;
mod traffic;

use crate::access::Access;
use crate::context::Cx;
use crate::runner::Shared;
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Place};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use traffic::Traffic;

/// Connections of one call at once; more wait to be taken.
const CONNECTIONS: usize = 32;

/// The way out of one call.
pub(crate) struct Egress {
    access: Access,
    shared: Arc<Shared>,
    execution: ExecutionId,
    place: Place,
    traffic: Arc<Traffic>,
}

impl Egress {
    /// For a call that may use the network.
    pub(crate) fn new(cx: &Cx, access: Access) -> Arc<Self> {
        Arc::new(Self {
            access,
            shared: Arc::clone(&cx.shared),
            execution: cx.execution,
            place: cx.place.clone(),
            traffic: Arc::default(),
        })
    }

    /// Says that a script did not get where it wanted to go.
    fn log(&self, target: &str, failure: &Failure) {
        tracing::warn!(
            execution_id = %self.execution,
            step = %self.place,
            target,
            code = %failure.code,
            why = failure.message,
            "a script was refused an address"
        );
    }
}

impl jalm_isolates::Egress for Egress {
    fn serve(self: Arc<Self>, listener: TcpListener) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            // Dropping the set ends what is in it.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    taken = listener.accept(), if connections.len() < CONNECTIONS => {
                        let Ok((stream, _)) = taken else { return };
                        connections.spawn(forward::serve(Arc::clone(&self), stream));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        })
    }
}
