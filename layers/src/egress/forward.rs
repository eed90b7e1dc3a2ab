//! One connection of a script: requests that are passed on, or a tunnel.

use super::answer::{Body, bad, no_way, refusal, tunnel};
use super::traffic::Watched;
use super::{Egress, traffic};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use jalm_kernel::failure::Failure;
use reqwest::Url;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What a connection has besides its requests.
#[derive(Default)]
struct Connection {
    /// A tunnel that begins when its answer is out.
    tunnel: Mutex<Option<(OnUpgrade, TcpStream)>>,
    /// Connections to the outside; they end with this one.
    outside: Mutex<JoinSet<()>>,
}

/// Serves a connection to its end.
pub(super) async fn serve(egress: Arc<Egress>, stream: TcpStream) {
    let stream = Watched::new(stream, Arc::clone(&egress.traffic));
    let activity = stream.activity();
    tokio::select! {
        () = talk(&egress, stream) => {}
        () = activity.ends() => {}
    }
}

async fn talk(egress: &Arc<Egress>, stream: Watched) {
    let connection = Arc::new(Connection::default());
    let service = service_fn(|request| {
        let (egress, connection) = (Arc::clone(egress), Arc::clone(&connection));
        async move { Ok::<_, Infallible>(egress.answer(request, &connection).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    let tunnel = connection.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Ok(()), Some((upgrade, mut outside))) = (served, tunnel) else { return };
    if let Ok(upgraded) = upgrade.await {
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut outside).await;
    }
}

impl Egress {
    async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        let target = shown(&request);
        let answered = if self.traffic.is_used_up() {
            Err((StatusCode::FORBIDDEN, used_up()))
        } else if request.method() == Method::CONNECT {
            self.open(request, connection).await
        } else {
            self.pass_on(request, connection).await
        };
        answered.unwrap_or_else(|(status, failure)| {
            self.log(&target, &failure);
            refusal(status, &failure)
        })
    }

    /// `CONNECT host:port`.
    async fn open(
        &self,
        mut request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Response<Body>, (StatusCode, Failure)> {
        let wrong = |message: String| (StatusCode::BAD_REQUEST, bad(message));
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        if request.uri().port_u16().is_none() || authority.contains('@') {
            return Err(wrong(format!("`{authority}` is no host with a port")));
        }
        let parse = |scheme: &str| {
            Url::parse(&format!("{scheme}://{authority}/"))
                .map_err(|error| wrong(format!("`{authority}` is no host with a port: {error}")))
        };
        let secure = parse("https")?;
        let plain = parse("http")?;
        self.access.tunnel(&secure, &plain).map_err(|refused| (StatusCode::FORBIDDEN, refused))?;
        let outside = self.shared.net.connect(&secure).await;
        let outside = outside.map_err(|reason| no_way(&authority, &reason))?;
        let upgrade = hyper::upgrade::on(&mut request);
        let mut waiting = connection.tunnel.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some((upgrade, outside));
        Ok(tunnel())
    }

    /// `GET http://host/path`, and the like.
    async fn pass_on(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Response<Body>, (StatusCode, Failure)> {
        let wrong = |message: String| (StatusCode::BAD_REQUEST, bad(message));
        let address = request.uri().to_string();
        let url = Url::parse(&address)
            .map_err(|error| wrong(format!("`{address}` is no address: {error}")))?;
        if url.scheme() != "http" {
            return Err(wrong(format!("`{}` is not passed on in the clear", url.scheme())));
        }
        self.access.http(&url).map_err(|refused| (StatusCode::FORBIDDEN, refused))?;
        let origin = url.origin().ascii_serialization();
        let outside = self.shared.net.connect(&url).await;
        let outside = outside.map_err(|reason| no_way(&origin, &reason))?;
        let failed = |error: hyper::Error| {
            let message = format!("`{origin}` does not answer as HTTP does: {error}");
            (StatusCode::BAD_GATEWAY, Failure::permanent("http_broken", message))
        };
        let (mut sender, outside) =
            hyper::client::conn::http1::handshake(TokioIo::new(outside)).await.map_err(failed)?;
        connection.outside.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let _ = outside.await;
        });
        let response = sender.send_request(for_outside(request, &url)?).await.map_err(failed)?;
        let (mut head, body) = response.into_parts();
        strip(&mut head.headers);
        head.version = Version::HTTP_11;
        Ok(Response::from_parts(head, Either::Left(body)))
    }
}

/// The request as the host gets it: with the address that was judged, not as it was written.
fn for_outside(
    request: Request<Incoming>,
    url: &Url,
) -> Result<Request<Incoming>, (StatusCode, Failure)> {
    let wrong = || (StatusCode::BAD_REQUEST, bad("the address cannot be passed on"));
    let (mut head, body) = request.into_parts();
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    head.uri = path.parse::<Uri>().map_err(|_| wrong())?;
    head.version = Version::HTTP_11;
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    strip(&mut head.headers);
    head.headers.remove(EXPECT);
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    head.headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| wrong())?);
    Ok(Request::from_parts(head, body))
}

/// Takes away what concerns one connection only.
fn strip(headers: &mut HeaderMap) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let usual = [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    for name in named.into_iter().chain(usual) {
        headers.remove(name);
    }
}

/// Where a request wants to go, for logs: without path and query, which may hold secrets.
fn shown(request: &Request<Incoming>) -> String {
    let uri = request.uri();
    let host = uri.host().unwrap_or("nowhere");
    uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn used_up() -> Failure {
    let most = traffic::MOST >> 20;
    Failure::permanent("body_too_large", format!("the call has moved {most} MiB, its most"))
        .hint("move less in one step")
}
