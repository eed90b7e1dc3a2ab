//! HTTP clients: built at first use, one for each kind of connection.

use super::connect::{CONNECT_TIMEOUT, NoWay, lookup};
use super::guard::{Guard, Refused};
use jalm_kernel::failure::Failure;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Proxy, Url};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// At most so many kinds of clients are kept; only `proxy` makes their number grow.
const KEPT: usize = 16;
const IDLE: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 8;

/// The way out: the guard and the clients.
pub(crate) struct Net {
    pub(crate) guard: Arc<Guard>,
    clients: Mutex<HashMap<Kind, Client>>,
}

/// What makes connections differ. Requests of different kinds never share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) tls: Tls,
    /// To a port on which the runner listens itself: its own addresses are refused.
    pub(super) own_port: bool,
    pub(super) proxy: Option<Url>,
}

/// How much of TLS a client needs. Loading the system's certificates takes milliseconds and
/// megabytes, so that plain HTTP does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tls {
    Absent,
    Verified,
    Unverified,
}

impl Net {
    /// No client yet.
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard: Arc::new(guard), clients: Mutex::default() }
    }

    /// The client of this kind.
    pub(super) fn client(&self, kind: Kind) -> Result<Client, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let client = self.build(&kind).map_err(|error| {
            let cause = super::failure::root_cause(&error);
            Failure::permanent("http_client", format!("cannot set up an HTTP client: {cause}"))
                .hint("install the system's CA certificates, or name their file in SSL_CERT_FILE")
        })?;
        if clients.len() >= KEPT {
            clients.clear();
        }
        clients.insert(kind, client.clone());
        Ok(client)
    }

    fn build(&self, kind: &Kind) -> Result<Client, reqwest::Error> {
        // An error means that somebody else installed one before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resolver = Resolver { guard: Arc::clone(&self.guard), own_port: kind.own_port };
        let builder = Client::builder()
            .user_agent(concat!("jalm/", env!("CARGO_PKG_VERSION")))
            // Redirects are followed by `exchange`, which asks grants and guard at each hop.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .tcp_nodelay(true);
        let builder = match kind.tls {
            Tls::Absent => builder.tls_certs_only([]),
            Tls::Verified => builder,
            Tls::Unverified => builder.tls_danger_accept_invalid_certs(true),
        };
        match &kind.proxy {
            Some(proxy) => builder.proxy(Proxy::all(proxy.clone())?).build(),
            None => builder.build(),
        }
    }

    /// Judges the addresses of `host` before a proxy resolves it out of our sight. A name that
    /// only the proxy knows is the proxy's matter.
    pub(super) async fn check_behind_proxy(
        &self,
        host: &str,
        own_port: bool,
    ) -> Result<(), Refused> {
        if let Ok(addresses) = tokio::net::lookup_host((host, 0)).await {
            for address in addresses {
                self.guard.check(address.ip(), own_port)?;
            }
        }
        Ok(())
    }
}

/// Name resolution that leaves out what the guard refuses.
struct Resolver {
    guard: Arc<Guard>,
    own_port: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, own_port) = (Arc::clone(&self.guard), self.own_port);
        Box::pin(async move {
            match lookup(&guard, name.as_str(), own_port).await {
                Ok(allowed) => Ok(Box::new(allowed.into_iter()) as Addrs),
                Err(NoWay::Refused(reason)) => Err(reason.into()),
                Err(NoWay::Unknown(error)) => Err(error.into()),
                Err(other @ (NoWay::Down(_) | NoWay::Late)) => Err(other.into()),
            }
        })
    }
}
