//! By asking the server that issued the token.

use super::{AuthVerify, Found, Introspect, OneOrMany, Outcome, refuse};
use crate::atom::Atom;
use crate::context::{Cx, now};
use crate::input::bad;
use crate::oauth::{Client, post};
use crate::tokens::{Expected, check};
use serde_json::Value;

const ATOM: &str = AuthVerify::CARD.name;

pub(super) async fn verify(cx: &Cx, input: Introspect) -> Outcome {
    if input.bearer.is_some() && input.client_id.is_some() {
        return Err(bad(ATOM, "introspect.bearer", "`client_id` is given too".to_owned())
            .hint("leave one out"));
    }
    if input.token.trim().is_empty() {
        return Ok(Err(refuse("token_malformed", "there is no token")));
    }
    let mut form = vec![("token".to_owned(), input.token)];
    form.extend(input.token_type_hint.map(|hint| ("token_type_hint".to_owned(), hint)));
    let client = input.client_id.as_deref().map(|id| Client {
        id,
        secret: input.client_secret.as_deref(),
        by: input.client_auth,
    });
    let answer = post(cx, ATOM, &input.url, form, client, input.bearer.as_deref()).await?;
    // Anything but a clear yes is a no.
    if answer.get("active") != Some(&Value::Bool(true)) {
        return Ok(Err(refuse("token_inactive", "the server says that the token is not active")));
    }
    let expected = Expected {
        issuers: input.issuer.map(OneOrMany::list).unwrap_or_default(),
        audiences: input.audience.map(OneOrMany::list).unwrap_or_default(),
        scopes: input.scopes,
        leeway: 60.0,
        ..Expected::default()
    };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact")]
    let seconds = now().0 as f64 / 1000.0;
    Ok(check(&answer, &expected, seconds).map(|()| {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        Found { subject: text("sub").or_else(|| text("username")), claims: Some(answer.clone()) }
    }))
}
