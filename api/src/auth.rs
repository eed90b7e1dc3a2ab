//! Who may call.

use crate::problem::Problem;
use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

/// The server's rule.
#[derive(Clone)]
pub enum Auth {
    /// Anybody who reaches the port. Requests that a web page of another origin can make a browser
    /// send are refused all the same.
    Open,
    /// Whoever sends this bearer token; only its hash is kept.
    Token([u8; 32]),
}

impl Auth {
    /// Asks for this token.
    pub fn token(token: &str) -> Self {
        Self::Token(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether a request with these headers may go on.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Token(wanted) => {
                let sent = headers
                    .get(header::AUTHORIZATION)
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| value.strip_prefix("Bearer "));
                let Some(sent) = sent else {
                    return Err(unauthorized("the request has no bearer token"));
                };
                let hash: [u8; 32] = Sha256::digest(sent.trim().as_bytes()).into();
                // Hashes of equal length, compared without an early end: the time tells nothing.
                let differs = hash.iter().zip(wanted).fold(0, |sum, (a, b)| sum | (a ^ b));
                if differs == 0 {
                    Ok(())
                } else {
                    Err(unauthorized("the bearer token is not known"))
                }
            }
            Self::Open => {
                let foreign = [header::ORIGIN, header::HOST].into_iter().find(|name| {
                    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(is_foreign)
                });
                match foreign {
                    None => Ok(()),
                    Some(name) => Err(Problem::new(
                        StatusCode::FORBIDDEN,
                        "foreign_origin",
                        format!("the request's `{name}` is not this machine, and no token is set"),
                    )
                    .hint("call 127.0.0.1, or start the server with a token (JALM_TOKEN)")),
                }
            }
        }
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .hint("send `Authorization: Bearer TOKEN` with the server's token")
}

/// Whether a host or origin is a name that could be anybody's. Names of this machine, plain IP
/// addresses (no DNS, so no rebinding) and `null` origins of local files differ: only the first
/// two are let through.
fn is_foreign(value: &str) -> bool {
    let host = value.split_once("://").map_or(value, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    let name = if let Some(v6) = host.strip_prefix('[') {
        v6.split(']').next().unwrap_or(v6)
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    let is_local = name == "localhost" || name.ends_with(".localhost");
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let is_origin = value.contains("://") || value == "null";
    if is_origin {
        let loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        !(is_local || loopback)
    } else {
        !(is_local || is_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn only_the_right_token_is_let_in() {
        let auth = Auth::token("s3cret");
        assert!(auth.check(&headers(header::AUTHORIZATION, "Bearer s3cret")).is_ok());
        for wrong in ["Bearer s3cre", "Bearer", "Basic s3cret", "Bearer S3cret"] {
            assert!(auth.check(&headers(header::AUTHORIZATION, wrong)).is_err(), "{wrong}");
        }
        assert!(auth.check(&HeaderMap::new()).is_err());
    }

    #[test]
    fn without_a_token_web_pages_of_others_are_kept_out() {
        let check =
            |name: header::HeaderName, value: &str| Auth::Open.check(&headers(name, value)).is_ok();
        for good in ["localhost:8888", "127.0.0.1:8888", "[::1]:8888", "192.168.0.7:8888"] {
            assert!(check(header::HOST, good), "{good}");
        }
        assert!(!check(header::HOST, "evil.example:8888"));
        assert!(check(header::ORIGIN, "http://localhost:3000"));
        for bad in ["https://evil.example", "null", "http://192.168.0.7"] {
            assert!(!check(header::ORIGIN, bad), "{bad}");
        }
    }
}
