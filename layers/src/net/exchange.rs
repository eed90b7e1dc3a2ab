//! One request and its redirects.

use super::clients::{Kind, Net, Tls};
use super::connect::literal;
use super::failure::{refused, shown, wire_failure};
use crate::access::Access;
use bytes::Bytes;
use jalm_kernel::failure::Failure;
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use reqwest::{Method, Response, StatusCode, Url};

/// A request that is ready to go.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Whole, so that a redirect can send it again.
    pub(crate) body: Option<Bytes>,
    /// How many redirects are followed; with 0 the redirect itself is the answer.
    pub(crate) redirects: u32,
    pub(crate) tls_verify: bool,
    pub(crate) proxy: Option<Url>,
}

/// Sends it, and follows redirects as far as access and guard allow. The answer's body is still
/// on the wire.
pub(crate) async fn send(
    net: &Net,
    access: &Access,
    mut request: Outgoing,
) -> Result<Response, Failure> {
    if let Some(proxy) = &request.proxy {
        access.http(&as_http(proxy)?)?;
    }
    let most = request.redirects;
    loop {
        let response = send_once(net, access, &request).await?;
        let Some(target) = redirect_target(&request.url, &response) else { return Ok(response) };
        if most == 0 {
            return Ok(response);
        }
        if request.redirects == 0 {
            return Err(Failure::permanent(
                "too_many_redirects",
                format!("`{}` redirects once more after {most} redirects", shown(&request.url)),
            )
            .hint("raise `max_redirects`, or look for a loop with `follow_redirects: false`"));
        }
        redirect(&mut request, target, response.status());
    }
}

/// Sends it with a body that is made while it goes out, and so once only: a redirect is the answer.
pub(crate) async fn send_body(
    net: &Net,
    access: &Access,
    request: &Outgoing,
    body: reqwest::Body,
) -> Result<Response, Failure> {
    exchange(net, access, request, Some(body)).await
}

async fn send_once(net: &Net, access: &Access, request: &Outgoing) -> Result<Response, Failure> {
    exchange(net, access, request, request.body.clone().map(reqwest::Body::from)).await
}

async fn exchange(
    net: &Net,
    access: &Access,
    request: &Outgoing,
    body: Option<reqwest::Body>,
) -> Result<Response, Failure> {
    let url = &request.url;
    access.http(url)?;
    let own_port = url.port_or_known_default().is_some_and(|port| net.guard.is_own_port(port));
    // A literal address never reaches the resolver, so the guard is asked here.
    match literal(url) {
        Some(ip) => net.guard.check(ip, own_port).map_err(|reason| refused(url, reason))?,
        None if request.proxy.is_some() => net
            .check_behind_proxy(url.host_str().unwrap_or_default(), own_port)
            .await
            .map_err(|reason| refused(url, reason))?,
        None => {}
    }
    if let Some(proxy) = &request.proxy
        && let Some(ip) = literal(proxy)
    {
        let own = proxy.port_or_known_default().is_some_and(|port| net.guard.is_own_port(port));
        net.guard.check(ip, own).map_err(|reason| refused(proxy, reason))?;
    }
    let tls = match (url.scheme(), request.tls_verify) {
        ("http", _) if request.proxy.is_none() => Tls::Absent,
        (_, true) => Tls::Verified,
        (_, false) => Tls::Unverified,
    };
    let client = net.client(Kind { tls, own_port, proxy: request.proxy.clone() })?;
    let mut builder =
        client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
    if let Some(body) = body {
        builder = builder.body(body);
    }
    builder.send().await.map_err(|error| wire_failure(url, error))
}

/// A proxy's address as the access rules know addresses: by host and port.
fn as_http(proxy: &Url) -> Result<Url, Failure> {
    let default = match proxy.scheme() {
        "http" => 80,
        "https" => 443,
        "socks5" | "socks5h" => 1080,
        other => {
            return Err(Failure::permanent(
                "bad_input",
                format!("`{other}` is not a kind of proxy"),
            )
            .hint("write `http://`, `https://`, `socks5://` or `socks5h://`"));
        }
    };
    let host = proxy.host_str().unwrap_or_default();
    let scheme = if proxy.scheme() == "https" { "https" } else { "http" };
    let port = proxy.port().unwrap_or(default);
    Url::parse(&format!("{scheme}://{host}:{port}/")).map_err(|error| {
        Failure::permanent("bad_input", format!("`proxy` is not an address: {error}"))
            .hint("write it like `http://proxy.example.com:3128`")
    })
}

/// Where a redirect leads; none when the answer is no redirect that can be followed.
fn redirect_target(from: &Url, response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut target = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    if target.fragment().is_none() {
        target.set_fragment(from.fragment());
    }
    Some(target)
}

/// Turns the request to its new target as browsers do: 303 asks with GET, 301 and 302 turn a POST
/// into a GET, 307 and 308 repeat it. Credentials do not follow to another origin.
fn redirect(request: &mut Outgoing, target: Url, status: StatusCode) {
    let to_get = match status {
        StatusCode::SEE_OTHER => request.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method == Method::POST,
        _ => false,
    };
    if to_get {
        request.method = Method::GET;
        request.body = None;
        for header in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
            request.headers.remove(header);
        }
    }
    if target.origin() != request.url.origin() {
        for header in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            request.headers.remove(header);
        }
    }
    request.redirects -= 1;
    request.url = target;
}
