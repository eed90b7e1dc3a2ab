//! Names and connections that the guard has looked at.

use super::clients::Net;
use super::guard::{Guard, Refused};
use reqwest::Url;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWay {
    /// Each of its addresses is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody knows the name.
    #[error("its name cannot be resolved: {0}")]
    Unknown(std::io::Error),
    /// Nobody answers there.
    #[error("it cannot be connected to: {0}")]
    Down(std::io::Error),
    /// Nobody answers in time.
    #[error("it does not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Late,
}

/// The addresses of a name, without those that the guard refuses. `own_port` says that they are
/// meant for a port of the runner.
pub(super) async fn lookup(
    guard: &Guard,
    name: &str,
    own_port: bool,
) -> Result<Vec<SocketAddr>, NoWay> {
    let mut allowed = Vec::new();
    let mut refused = None;
    for address in tokio::net::lookup_host((name, 0)).await.map_err(NoWay::Unknown)? {
        match guard.check(address.ip(), own_port) {
            Ok(()) => allowed.push(address),
            Err(reason) => refused = Some(reason),
        }
    }
    match refused {
        Some(reason) if allowed.is_empty() => Err(reason.into()),
        Some(_) | None => Ok(allowed),
    }
}

/// The address that is written out in a URL.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

impl Net {
    /// Connects to the host and port of a URL, at an address that the guard allows.
    pub(crate) async fn connect(&self, url: &Url) -> Result<TcpStream, NoWay> {
        let port = url.port_or_known_default().unwrap_or(0);
        let own_port = self.guard.is_own_port(port);
        let addresses = match literal(url) {
            Some(ip) => {
                self.guard.check(ip, own_port)?;
                vec![SocketAddr::new(ip, port)]
            }
            None => {
                let name = url.host_str().unwrap_or_default();
                let mut found = lookup(&self.guard, name, own_port).await?;
                found.iter_mut().for_each(|address| address.set_port(port));
                found
            }
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&addresses[..])).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => Err(NoWay::Down(error)),
            Err(_) => Err(NoWay::Late),
        }
    }
}
