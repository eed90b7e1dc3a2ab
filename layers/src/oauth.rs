//! Asking an OAuth 2.0 server: for tokens (RFC 6749), and about them (RFC 7662).

use crate::context::Cx;
use crate::input::{ByteSize, bad};
use crate::net::{Outgoing, Overflow, address, excerpt, read_bounded, send, status_failure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::failure::Failure;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How a client says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientAuth {
    /// By HTTP basic authentication.
    #[default]
    Basic,
    /// In the form itself.
    Post,
}

/// A client's name and password.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: Option<&'a str>,
    pub(crate) by: ClientAuth,
}

const LARGEST: ByteSize = ByteSize::mib(1);

/// Posts the form; the answer is a JSON object. Errors of OAuth are told in its own words.
pub(crate) async fn post(
    cx: &Cx,
    atom: &str,
    url: &str,
    mut form: Vec<(String, String)>,
    client: Option<Client<'_>>,
    bearer: Option<&str>,
) -> Result<Map<String, Value>, Failure> {
    let url = address(atom, url)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(Client { id, secret, by }) = client {
        match (secret, by) {
            (Some(secret), ClientAuth::Basic) => {
                // RFC 6749 §2.3.1: each is form-encoded before it is joined.
                let pair = format!("{}:{}", encoded(id), encoded(secret));
                headers.insert(
                    AUTHORIZATION,
                    sensitive(atom, &format!("Basic {}", STANDARD.encode(pair)))?,
                );
            }
            (secret, _) => {
                form.push(("client_id".to_owned(), id.to_owned()));
                form.extend(secret.map(|secret| ("client_secret".to_owned(), secret.to_owned())));
            }
        }
    }
    if let Some(token) = bearer {
        headers.insert(AUTHORIZATION, sensitive(atom, &format!("Bearer {token}"))?);
    }
    let mut query = reqwest::Url::parse("http://localhost/").map_err(Failure::bug)?;
    query.query_pairs_mut().extend_pairs(&form);
    let body = query.query().unwrap_or_default().to_owned();
    let request = Outgoing {
        method: Method::POST,
        url: url.clone(),
        headers,
        body: Some(body.into()),
        // Secrets go where they were sent, and nowhere else.
        redirects: 0,
        tls_verify: true,
        proxy: None,
    };
    let response = send(&cx.shared.net, &cx.access()?, request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_success() {
        let body = read_bounded(response, LARGEST, Overflow::Refuse).await?;
        return match serde_json::from_slice(&body) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(Failure::permanent(
                "not_json",
                format!("`{}` did not answer a JSON object", shown(&url)),
            )
            .hint("check that this is the address of the server's endpoint")),
        };
    }
    let body = excerpt(response).await;
    let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    match said["error"].as_str() {
        Some(error) if status.is_client_error() => {
            let description = said["error_description"]
                .as_str()
                .map(|text| format!(" ({})", crate::parse::json::shorten(text)))
                .unwrap_or_default();
            Err(Failure::permanent(
                "oauth_refused",
                format!(
                    "`{}` refused with `{}`{description}",
                    shown(&url),
                    crate::parse::json::shorten(error)
                ),
            )
            .hint(hint(error))
            .detail(json!({ "status": status.as_u16(), "error": error })))
        }
        _ => Err(status_failure(&url, status, &headers, &body)),
    }
}

fn shown(url: &reqwest::Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn hint(error: &str) -> &'static str {
    match error {
        "invalid_client" | "unauthorized_client" => {
            "check `client_id`, `client_secret` and `client_auth`"
        }
        "invalid_grant" => "the password, code or refresh token is wrong, used up or expired",
        "invalid_scope" => "ask for other scopes",
        "unsupported_grant_type" => "the server does not offer this grant to this client",
        _ => "see the server's documentation of this error",
    }
}

fn encoded(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://localhost/", [(text, "")]);
    url.ok()
        .and_then(|url| url.query().map(|query| query.trim_end_matches('=').to_owned()))
        .unwrap_or_default()
}

fn sensitive(atom: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        bad(atom, "bearer", "it holds a line break or another control character".to_owned())
            .hint("check the token for a line break at its end")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
