use super::*;
use crate::testing::{Reply, Stub, World};

fn private(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/jwt/{name}.key", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
}

fn public(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/jwt/{name}.pub", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
}

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn bad_input_is_refused_and_no_secret_is_shown() {
    let world = World::new();
    let jwt = |more: Value| {
        let mut jwt = json!({ "algorithm": "HS256", "secret": SECRET });
        jwt.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "jwt": jwt })
    };
    let oauth = |more: Value| {
        let mut oauth = json!({ "token_url": "http://127.0.0.1:1/t", "client_id": "c", "client_secret": "hunter2" });
        oauth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "oauth2": oauth })
    };
    let cases = [
        (json!({}), "exactly one thing", "`oauth2`"),
        (json!({ "jwt": { "secret": SECRET } }), "`jwt.algorithm`", "add `algorithm`"),
        (jwt(json!({ "algorithm": "none" })), "`none`", "write one of"),
        (jwt(json!({ "secret": "hunter2" })), "32 bytes or more", "openssl rand"),
        (
            jwt(json!({ "algorithm": "RS256" })),
            "does not sign with a shared secret",
            "`private_key`",
        ),
        (jwt(json!({ "private_key": "x" })), "exactly one key", "`secret`"),
        (
            json!({ "jwt": { "algorithm": "RS256", "private_key": "hunter2" } }),
            "not PEM",
            "openssl genpkey",
        ),
        (
            json!({ "jwt": { "algorithm": "RS256", "private_key": private("p256") } }),
            "not a private key that RS256 takes",
            "PEM",
        ),
        (
            json!({ "jwt": { "algorithm": "ES256", "private_key": private("p384") } }),
            "not a private key that ES256 takes",
            "PEM",
        ),
        (
            json!({ "jwt": { "algorithm": "HS256", "private_key": private("rsa") } }),
            "shared secret",
            "`secret`",
        ),
        (jwt(json!({ "claims": { "exp": 1 } })), "`jwt.claims.exp`", "`expires_in`"),
        (jwt(json!({ "expires_in": 0 })), "`jwt.expires_in`", "refresh"),
        (jwt(json!({ "expires_in": "500d" })), "`jwt.expires_in`", "refresh"),
        (jwt(json!({ "claims": [] })), "`jwt.claims`", "`jwt`: "),
        (
            oauth(json!({ "grant": "refresh_token" })),
            "`oauth2.refresh_token`",
            "add `refresh_token`",
        ),
        (
            oauth(json!({ "grant": "password", "username": "u" })),
            "`oauth2.password`",
            "add `password`",
        ),
        (oauth(json!({ "grant": "magic" })), "`magic`", "write one of"),
        (oauth(json!({ "scope": 5 })), "`oauth2.scope`", "read write"),
        (
            oauth(json!({ "parameters": { "client_id": "x" } })),
            "`oauth2.parameters.client_id`",
            "beside",
        ),
        (oauth(json!({ "token_url": "server/token" })), "not an address", "https://"),
        (json!({ "hash_password": { "password": "" } }), "`hash_password.password`", "another"),
        (
            json!({ "hash_password": { "password": "hunter2", "memory_kib": 1 } }),
            "`hash_password.memory_kib`",
            "19456",
        ),
        (json!({ "random": { "bytes": 4 } }), "`random.bytes`", "guessed"),
        (json!({ "random": { "bytes": "many" } }), "`random.bytes`", "`random`: "),
    ];
    world.refuses("auth_token", &cases).await;
    for (input, ..) in cases {
        let failure = format!("{:?}", world.run("auth_token", input).await.unwrap_err());
        assert!(!failure.contains("hunter2") && !failure.contains(SECRET), "{failure}");
    }
}

#[tokio::test]
async fn what_is_issued_is_verified() {
    let world = World::new();
    for (algorithm, key, check) in [
        ("HS256", json!({ "secret": SECRET }), json!({ "secret": SECRET })),
        ("HS512", json!({ "secret": SECRET }), json!({ "secret": SECRET })),
        ("RS256", json!({ "private_key": private("rsa") }), json!({ "public_key": public("rsa") })),
        (
            "PS384",
            json!({ "private_key": private("rsa-pkcs1") }),
            json!({ "public_key": public("rsa") }),
        ),
        (
            "ES256",
            json!({ "private_key": private("p256") }),
            json!({ "public_key": public("p256") }),
        ),
        (
            "ES256",
            json!({ "private_key": private("p256-sec1") }),
            json!({ "public_key": public("p256") }),
        ),
        (
            "ES384",
            json!({ "private_key": private("p384") }),
            json!({ "public_key": public("p384") }),
        ),
        (
            "EdDSA",
            json!({ "private_key": private("ed25519") }),
            json!({ "public_key": public("ed25519") }),
        ),
        (
            "EdDSA",
            json!({ "private_key": private("ed25519").replace('\n', "\\n") }),
            json!({ "public_key": public("ed25519") }),
        ),
    ] {
        let mut jwt = json!({
            "algorithm": algorithm, "issuer": "us", "subject": "ann", "audience": ["a", "b"], "key_id": "k1",
            "claims": { "scope": "read", "n": [1] }, "expires_in": "10m",
        });
        jwt.as_object_mut().unwrap().extend(key.as_object().unwrap().clone());
        let issued = world.run("auth_token", json!({ "jwt": jwt })).await.unwrap();
        let mut jwt = json!({
            "token": issued["token"], "algorithms": [algorithm], "issuer": "us", "audience": "b", "subject": "ann",
            "scopes": ["read"], "required": ["exp", "iat", "n"], "max_age": "1m",
        });
        jwt.as_object_mut().unwrap().extend(check.as_object().unwrap().clone());
        let verified = world.run("auth_verify", json!({ "jwt": jwt })).await.unwrap();
        assert_eq!(verified["claims"]["n"], json!([1]), "{algorithm}");
        assert_eq!(verified["claims"]["exp"], issued["expires_at"]);
    }
}

#[tokio::test]
async fn a_token_of_a_server_is_kept_while_it_lasts() {
    let (world, stub) = (World::new(), Stub::start().await);
    let answer = |token: &str, seconds: u32| {
        Reply::status(200).body(
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": seconds })
                .to_string(),
        )
    };
    let input = |secret: &str| json!({ "oauth2": { "token_url": stub.url("/t"), "client_id": "c", "client_secret": secret, "scope": ["a", "b"] } });
    stub.on("/t", answer("one", 300));
    let first = world.run("auth_token", input("s")).await.unwrap();
    assert_eq!((first["token"].clone(), first["cached"].clone()), (json!("one"), Value::Null));
    stub.on("/t", answer("two", 10));
    let again = world.run("auth_token", input("s")).await.unwrap();
    assert_eq!((again["token"].clone(), again["cached"].clone()), (json!("one"), json!(true)));
    // Another secret is another client; and one that is about to expire is not given again.
    assert_eq!(world.run("auth_token", input("other")).await.unwrap()["token"], "two");
    assert_eq!(world.run("auth_token", input("other")).await.unwrap()["cached"], Value::Null);
    let seen = stub.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].body, "grant_type=client_credentials&scope=a+b");
    assert_eq!(seen[0].headers["authorization"], "Basic Yzpz");
    // What is kept is not for an intent without a grant.
    let grants = jalm_kernel::intent::Grants::default();
    assert_eq!(
        world.run_granted("auth_token", input("s"), grants).await.unwrap_err().code,
        "not_granted"
    );
}

#[tokio::test]
async fn other_grants_are_asked_for_as_the_standard_says_and_never_kept() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on(
        "/t",
        Reply::status(200)
            .body(r#"{"access_token":"at","refresh_token":"r2","expires_in":"60","id_token":"x"}"#),
    );
    let base = json!({ "token_url": stub.url("/t"), "client_id": "c", "client_auth": "post", "client_secret": "s" });
    for (more, body) in [
        (
            json!({ "grant": "refresh_token", "refresh_token": "r1" }),
            "grant_type=refresh_token&refresh_token=r1&client_id=c&client_secret=s",
        ),
        (
            json!({ "grant": "password", "username": "ann", "password": "p w", "parameters": { "audience": "x" } }),
            "grant_type=password&username=ann&password=p+w&audience=x&client_id=c&client_secret=s",
        ),
    ] {
        let mut oauth = base.clone();
        oauth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        for _ in 0..2 {
            let output = world.run("auth_token", json!({ "oauth2": oauth })).await.unwrap();
            assert_eq!(
                (output["refresh_token"].clone(), output["expires_in"].clone()),
                (json!("r2"), json!(60))
            );
            assert_eq!(stub.seen().last().unwrap().body, body);
        }
    }
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn a_server_that_refuses_is_told_in_its_own_words() {
    let (world, stub) = (World::new(), Stub::start().await);
    let run = async || {
        world.run("auth_token", json!({ "oauth2": { "token_url": stub.url("/t"), "client_id": "c", "client_secret": "hunter2" } })).await.unwrap_err()
    };
    for (reply, code, again, part) in [
        (
            Reply::status(401)
                .body(r#"{"error":"invalid_client","error_description":"no such client"}"#),
            "oauth_refused",
            false,
            "no such client",
        ),
        (Reply::status(400).body("oops"), "http_status", false, "400"),
        (Reply::status(503).body(r#"{"error":"x"}"#), "http_status", true, "503"),
        (Reply::status(200).body("<html>"), "not_json", false, "JSON object"),
        (Reply::status(200).body("{}"), "oauth_refused", false, "without a token"),
        (Reply::status(302).header("location", "http://127.0.0.1:1/"), "http_status", false, "302"),
    ] {
        stub.on("/t", reply);
        let failure = run().await;
        assert_eq!((failure.code.as_ref(), failure.retryable), (code, again), "{failure:?}");
        assert!(
            failure.message.contains(part) && !format!("{failure:?}").contains("hunter2"),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn hashes_and_random_tokens_are_made() {
    let world = World::new();
    let hash = world.run("auth_token", json!({ "hash_password": { "password": "correct horse", "memory_kib": 64, "passes": 1 } })).await.unwrap();
    let check = json!({ "password": { "password": "correct horse", "hash": hash["token"] } });
    assert_eq!(world.run("auth_verify", check).await.unwrap()["valid"], true);
    for (input, length) in [
        (json!({}), 43),
        (json!({ "bytes": 16, "encoding": "hex" }), 32),
        (json!({ "encoding": "base64", "prefix": "k_" }), 46),
    ] {
        let one = world.run("auth_token", json!({ "random": input })).await.unwrap();
        let two = world.run("auth_token", json!({ "random": input })).await.unwrap();
        assert_eq!(one["token"].as_str().unwrap().len(), length);
        assert_ne!(one, two);
    }
}

#[test]
fn what_is_made_here_has_no_effect_outside() {
    for (input, effect) in [
        (json!({ "jwt": {} }), Effect::None),
        (json!({ "random": {} }), Effect::None),
        (json!({ "oauth2": {} }), Effect::Read),
        (json!({ "oauth2": { "grant": "client_credentials" } }), Effect::Read),
        (json!({ "oauth2": { "grant": "refresh_token" } }), Effect::Write),
        (json!({ "oauth2": "{{ x }}" }), Effect::Write),
        (json!({}), Effect::Write),
    ] {
        assert_eq!(AuthToken::effect_of(&input), effect, "{input}");
    }
}
