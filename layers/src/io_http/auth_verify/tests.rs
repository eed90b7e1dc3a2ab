use super::*;
use crate::testing::{Reply, Stub, World};
use std::time::Duration;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/jwt/vectors.json")).unwrap()
}

fn public(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/jwt/{name}.pub", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
}

fn key_of(algorithm: &str) -> (&'static str, String) {
    match algorithm {
        "ES256" => ("public_key", public("p256")),
        "ES384" => ("public_key", public("p384")),
        "EdDSA" => ("public_key", public("ed25519")),
        name if name.starts_with('H') => {
            ("secret", vectors()["secret"].as_str().unwrap().to_owned())
        }
        _ => ("public_key", public("rsa")),
    }
}

async fn reason(input: Value) -> String {
    let input = json!({ "jwt": input, "on_invalid": "report" });
    let output = World::new().run("auth_verify", input.clone()).await;
    let output = output.unwrap_or_else(|failure| panic!("{input}: {failure:?}"));
    assert_eq!(output["valid"], output["reason"].is_null(), "{output}");
    output["reason"].as_str().unwrap_or("valid").to_owned()
}

#[tokio::test]
async fn bad_input_is_refused_and_no_secret_is_shown() {
    let world = World::new();
    let cases = [
        (json!({}), "exactly one thing", "`introspect`"),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": "hunter2" }, "password": { "password": "x", "hash": "y" } }),
            "exactly one thing",
            "write one of",
        ),
        (json!({ "jwt": "a.b.c" }), "`jwt`", "`jwt`: "),
        (json!({ "jwt": { "token": "a.b.c" } }), "there is no key", "`jwks_url`"),
        (json!({ "jwt": { "secret": "hunter2" } }), "`jwt.token`", "add `token`"),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": "hunter2", "public_key": "x" } }),
            "more than one key",
            "give one of",
        ),
        (json!({ "jwt": { "token": "a.b.c", "secret": "" } }), "`jwt.secret`", "set"),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": public("rsa") } }),
            "`jwt.secret`",
            "`public_key`",
        ),
        (
            json!({ "jwt": { "token": "a.b.c", "public_key": "hunter2" } }),
            "not PEM",
            "openssl pkey",
        ),
        (
            json!({ "jwt": { "token": "a.b.c", "public_key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" } }),
            "a certificate",
            "openssl x509",
        ),
        (
            json!({ "jwt": { "token": "a.b.c", "public_key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----" } }),
            "not supported",
            "Ed25519",
        ),
        (json!({ "jwt": { "token": "a.b.c", "jwks": { "keys": [] } } }), "`jwt.jwks`", "keys"),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": "hunter2", "algorithms": ["none"] } }),
            "`none`",
            "write one of",
        ),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": "hunter2", "algorithms": [] } }),
            "`jwt.algorithms`",
            "leave it out",
        ),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": "hunter2", "leeway": "2h" } }),
            "`jwt.leeway`",
            "clocks",
        ),
        (
            json!({ "password": { "password": "hunter2", "hash": "plain" } }),
            "not a hash",
            "argon2id",
        ),
        (
            json!({ "password": { "password": "hunter2", "hash": "$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0" } }),
            "more time or memory",
            "usual costs",
        ),
        (
            json!({ "introspect": { "token": "hunter2", "url": "ftp://x/" } }),
            "`ftp` is not supported",
            "http://",
        ),
        (
            json!({ "jwt": { "token": "a.b.c", "secret": "hunter2" } }),
            "not a signed JSON Web Token",
            "`on_invalid: report`",
        ),
    ];
    world.refuses("auth_verify", &cases).await;
    for (input, ..) in cases {
        let failure = format!("{:?}", world.run("auth_verify", input).await.unwrap_err());
        assert!(!failure.contains("hunter2"), "{failure}");
    }
}

#[tokio::test]
async fn tokens_of_another_implementation_are_verified_under_every_algorithm() {
    let vectors = vectors();
    for (algorithm, token) in vectors["tokens"].as_object().unwrap() {
        if algorithm == "RS256-r2" {
            continue;
        }
        let (kind, key) = key_of(algorithm);
        assert_eq!(
            reason(json!({ "token": token, kind: key, "algorithms": [algorithm] })).await,
            "valid",
            "{algorithm}"
        );
        if kind == "public_key" {
            assert_eq!(reason(json!({ "token": format!("Bearer {}", token.as_str().unwrap()), "jwks": vectors["jwks"] })).await, "valid", "{algorithm}");
        }
        // One bit of the signature, and one of the content.
        let text = token.as_str().unwrap();
        let at = text.rfind('.').unwrap();
        let other = |at: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            reason(json!({ "token": other(at + 5), kind: key })).await,
            "signature_invalid",
            "{algorithm}"
        );
        assert_ne!(
            reason(json!({ "token": other(at - 3), kind: key })).await,
            "valid",
            "{algorithm}"
        );
    }
    let pkcs1 = json!({ "token": vectors["tokens"]["RS256"], "public_key": public("rsa-pkcs1") });
    assert_eq!(reason(pkcs1).await, "valid");
}

#[tokio::test]
async fn a_token_cannot_choose_how_it_is_checked() {
    let vectors = vectors();
    let rsa = public("rsa");
    for (token, key, expected) in [
        // Signed as HS256 with the public key for a secret.
        (vectors["confused"].clone(), json!({ "public_key": rsa }), "algorithm_refused"),
        (vectors["confused"].clone(), json!({ "jwks": vectors["jwks"] }), "algorithm_refused"),
        (vectors["none"].clone(), json!({ "public_key": rsa }), "algorithm_refused"),
        (vectors["none"].clone(), json!({ "secret": "x" }), "algorithm_refused"),
        (vectors["tokens"]["RS256"].clone(), json!({ "secret": "x" }), "algorithm_refused"),
        (
            vectors["tokens"]["RS256"].clone(),
            json!({ "public_key": rsa, "algorithms": ["PS256"] }),
            "algorithm_refused",
        ),
        (
            vectors["tokens"]["ES256"].clone(),
            json!({ "public_key": public("p384") }),
            "algorithm_refused",
        ),
        (vectors["tokens"]["RS256-r2"].clone(), json!({ "public_key": rsa }), "signature_invalid"),
        (vectors["tokens"]["RS256-r2"].clone(), json!({ "jwks": vectors["jwks"] }), "key_unknown"),
        (json!("a.b"), json!({ "secret": "x" }), "token_malformed"),
        (json!("a.b.c.d.e"), json!({ "secret": "x" }), "token_malformed"),
        (json!("e30.e30."), json!({ "secret": "x" }), "algorithm_refused"),
        // {"alg":"HS256","alg":"none"}, {"alg":"HS256","crit":["b64"]}
        (
            json!("eyJhbGciOiJIUzI1NiIsImFsZyI6Im5vbmUifQ.e30.AA"),
            json!({ "secret": "x" }),
            "token_malformed",
        ),
        (
            json!("eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il19.e30.AA"),
            json!({ "secret": "x" }),
            "token_malformed",
        ),
    ] {
        let mut input = key.clone();
        input["token"] = token.clone();
        assert_eq!(reason(input).await, expected, "{token} {key}");
    }
}

#[tokio::test]
async fn claims_must_be_what_is_expected() {
    let vectors = vectors();
    let base = json!({ "token": vectors["tokens"]["HS256"], "secret": vectors["secret"] });
    for (key, value, expected) in [
        ("issuer", json!("https://issuer.example"), "valid"),
        ("issuer", json!(["x", "https://issuer.example"]), "valid"),
        ("issuer", json!("https://issuer.example/"), "issuer_refused"),
        ("audience", json!("orders"), "valid"),
        ("audience", json!("payments"), "audience_refused"),
        ("subject", json!("bob"), "claim_refused"),
        ("scopes", json!(["read", "write"]), "valid"),
        ("scopes", json!(["admin"]), "scope_missing"),
        ("required", json!(["jti"]), "claim_missing"),
        ("max_age", json!("1h"), "claim_missing"),
    ] {
        let mut input = base.clone();
        input[key] = value.clone();
        assert_eq!(reason(input).await, expected, "{key}: {value}");
    }
    let failure = World::new()
        .run(
            "auth_verify",
            json!({ "jwt": { "token": vectors["tokens"]["HS256"], "secret": "other" } }),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (failure.code.as_ref(), &failure.detail.unwrap()["reason"]),
        ("auth_invalid", &json!("signature_invalid"))
    );
}

#[test]
fn times_count_with_the_leeway_and_not_beyond() {
    use crate::tokens::{Expected, check};
    let expected = Expected { leeway: 60.0, max_age: Some(600.0), ..Expected::default() };
    for (claims, result) in [
        (json!({ "exp": 1000, "iat": 900 }), "valid"),
        (json!({ "exp": 941, "iat": 900 }), "valid"),
        (json!({ "exp": 940, "iat": 900 }), "token_expired"),
        (json!({ "exp": 2000, "iat": 300 }), "token_expired"),
        (json!({ "exp": 2000, "iat": 900, "nbf": 1060 }), "valid"),
        (json!({ "exp": 2000, "iat": 900, "nbf": 1061 }), "token_not_yet_valid"),
        (json!({ "exp": 2000, "iat": 1061 }), "token_not_yet_valid"),
        (json!({ "exp": "2000", "iat": 900 }), "token_malformed"),
        (json!({ "exp": null, "iat": 900 }), "token_malformed"),
    ] {
        let outcome = check(claims.as_object().unwrap(), &expected, 1000.0);
        assert_eq!(outcome.map_or_else(|refused| refused.reason, |()| "valid"), result, "{claims}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_when_the_issuer_changes_them() {
    let (world, stub, vectors) = (World::new(), Stub::start().await, vectors());
    let input = |token: &str| json!({ "jwt": { "token": vectors["tokens"][token], "jwks_url": stub.url("/jwks") }, "on_invalid": "report" });
    stub.on("/jwks", Reply::status(200).body(vectors["jwks"].to_string()));
    for algorithm in ["RS256", "ES256", "ES384", "EdDSA", "PS512"] {
        assert_eq!(
            world.run("auth_verify", input(algorithm)).await.unwrap()["valid"],
            true,
            "{algorithm}"
        );
    }
    assert_eq!(stub.seen().len(), 1);
    // The first unknown name comes too soon after the first fetch.
    stub.on("/jwks", Reply::status(200).body(vectors["rotated"].to_string()));
    assert_eq!(world.run("auth_verify", input("RS256-r2")).await.unwrap()["reason"], "key_unknown");
    assert_eq!(stub.seen().len(), 1);
    world.layers.set_jwks_pause(Duration::ZERO);
    assert_eq!(world.run("auth_verify", input("RS256-r2")).await.unwrap()["valid"], true);
    assert_eq!(world.run("auth_verify", input("RS256-r2")).await.unwrap()["valid"], true);
    assert_eq!(stub.seen().len(), 2);
    // When the address does not answer, what is kept serves on.
    stub.on("/jwks", Reply::status(500));
    assert_eq!(world.run("auth_verify", input("RS256")).await.unwrap()["reason"], "key_unknown");
    assert_eq!(world.run("auth_verify", input("RS256-r2")).await.unwrap()["valid"], true);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_a_failure_and_no_verdict() {
    let (world, stub, vectors) = (World::new(), Stub::start().await, vectors());
    let run = async |path: &str| {
        let input = json!({ "jwt": { "token": vectors["tokens"]["RS256"], "jwks_url": stub.url(path) }, "on_invalid": "report" });
        world.run("auth_verify", input).await.unwrap_err()
    };
    stub.on("/busy", Reply::status(503));
    stub.on("/html", Reply::status(200).body("<html>"));
    stub.on("/secret", Reply::status(200).body(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#));
    for (path, code, again) in [
        ("/busy", "http_status", true),
        ("/none", "http_status", false),
        ("/html", "keys_unusable", false),
        ("/secret", "keys_unusable", false),
    ] {
        let failure = run(path).await;
        assert_eq!(
            (failure.code.as_ref(), failure.retryable),
            (code, again),
            "{path}: {failure:?}"
        );
    }
    let grants = jalm_kernel::intent::Grants::default();
    let input =
        json!({ "jwt": { "token": vectors["tokens"]["RS256"], "jwks_url": stub.url("/busy") } });
    assert_eq!(
        world.run_granted("auth_verify", input, grants).await.unwrap_err().code,
        "not_granted"
    );
}

#[tokio::test]
async fn a_server_is_asked_with_our_credentials() {
    let (world, stub) = (World::new(), Stub::start().await);
    let run = async |extra: Value| {
        let mut inner = json!({ "token": "tok", "url": stub.url("/i") });
        inner.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        world.run("auth_verify", json!({ "introspect": inner, "on_invalid": "report" })).await
    };
    stub.on(
        "/i",
        Reply::status(200)
            .body(r#"{"active":true,"username":"ann","scope":"read","exp":4102444800}"#),
    );
    let output = run(
        json!({ "client_id": "a b", "client_secret": "s:t", "token_type_hint": "access_token" }),
    )
    .await
    .unwrap();
    assert_eq!(
        (output["subject"].clone(), output["scopes"].clone()),
        (json!("ann"), json!(["read"]))
    );
    let seen = stub.seen().pop().unwrap();
    assert_eq!(seen.body, "token=tok&token_type_hint=access_token");
    assert_eq!(seen.headers["authorization"], "Basic YStiOnMlM0F0");
    assert_eq!(run(json!({ "scopes": ["write"] })).await.unwrap()["reason"], "scope_missing");
    stub.on("/i", Reply::status(200).body(r#"{"active":false}"#));
    assert_eq!(run(json!({})).await.unwrap()["reason"], "token_inactive");
    stub.on("/i", Reply::status(200).body(r#"{"active":"true"}"#));
    assert_eq!(run(json!({})).await.unwrap()["reason"], "token_inactive");
    stub.on("/i", Reply::status(401).body(r#"{"error":"invalid_client"}"#));
    let failure =
        run(json!({ "client_id": "a", "client_secret": "hunter2", "client_auth": "post" }))
            .await
            .unwrap_err();
    assert!(
        failure.code == "oauth_refused"
            && failure.hint.as_deref().unwrap().contains("`client_secret`"),
        "{failure:?}"
    );
    assert!(!format!("{failure:?}").contains("hunter2"));
}

#[tokio::test]
async fn basic_authentication_lets_in_who_knows_the_password() {
    let world = World::new();
    // `correct horse`, by Python's hashlib.
    let hash = "$pbkdf2-sha256$i=1000,l=32$ABAhJsHu21TQzVsArY+CWw$docaffmlO99JTnJEkrjWcx+DxA1lkwNcTIqgi21Rj5M";
    for (header, expected) in [
        ("Basic YW5uOmNvcnJlY3QgaG9yc2U=", json!(null)),
        ("basic YW5uOmNvcnJlY3QgaG9yc2U=", json!(null)),
        ("Basic YW5uOndyb25n", json!("password_wrong")),
        ("Basic Ym9iOmNvcnJlY3QgaG9yc2U=", json!("password_wrong")),
        ("Basic ???", json!("header_malformed")),
        ("Bearer YW5uOndyb25n", json!("header_malformed")),
        ("", json!("header_malformed")),
    ] {
        let input = json!({ "basic": { "header": header, "users": { "ann": hash } }, "on_invalid": "report" });
        let output = world.run("auth_verify", input).await.unwrap();
        assert_eq!(output["reason"], expected, "{header}");
    }
}

#[test]
fn only_what_asks_the_network_reads() {
    for (input, effect) in [
        (json!({ "jwt": { "secret": "x" } }), Effect::None),
        (json!({ "jwt": { "jwks_url": "x" } }), Effect::Read),
        (json!({ "introspect": {} }), Effect::Read),
        (json!({ "password": {} }), Effect::None),
        (json!({}), Effect::Read),
        (json!({ "jwt": "{{ x }}" }), Effect::Read),
    ] {
        assert_eq!(AuthVerify::effect_of(&input), effect, "{input}");
    }
}
