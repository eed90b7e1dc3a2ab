//! Who may call.

use crate::{is_problem, pure};
use jalm_tests::{Answer, Runner, World};
use reqwest::Method;
use serde_json::json;

async fn with(runner: &Runner, path: &str, name: &str, value: &str) -> Answer {
    runner.send(runner.request(Method::GET, path).header(name, value)).await
}

#[tokio::test]
async fn with_a_token_only_its_holders_are_let_in() {
    let world = World::new().await;
    let runner = world.server().env("JALM_TOKEN", "open sesame").start().await;
    let mut answers = Vec::new();
    for (name, value) in [
        ("authorization", "Bearer wrong"),
        ("authorization", "Bearer open sesam"),
        ("authorization", "Bearer open sesame2"),
        ("authorization", "Bearer "),
        ("authorization", "Basic b3BlbiBzZXNhbWU="),
        ("x-token", "open sesame"),
    ] {
        for path in ["/", "/exec", "/metrics", "/atoms", "/docsy", "/no/such/path"] {
            let answer = with(&runner, path, name, value).await;
            is_problem(&answer, 401, "unauthorized");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert!(!answer.body.to_string().contains("sesame"));
            answers.push(answer.body.to_string());
        }
    }
    // A wrong token and no token are told apart; nothing else is, neither tokens nor paths.
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 2, "{answers:#?}");
    let submit = runner.post("/exec", &json!({ "jalm_config": pure("x") })).await;
    is_problem(&submit, 401, "unauthorized");
    for path in ["/health", "/health/live", "/docs", "/docs/init.js", "/redoc", "/openapi.json"] {
        assert_eq!(runner.get(path).await.status, 200, "{path}: probes and browsers have no token");
    }
    assert!(!runner.log().contains("sesame"));
    let runner = runner.with_token("open sesame");
    assert_eq!(runner.run(pure("x")).await["status"], "completed");
    assert_eq!(runner.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_public_address_needs_a_token_or_an_explicit_word() {
    let world = World::new().await;
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = world.server().listen(address).fails().await;
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert_eq!(refused.out, "");
        for part in ["no token is set", "JALM_TOKEN", "--insecure-no-auth"] {
            assert!(refused.err.contains(part), "{refused:#?}");
        }
    }
    assert!(!world.data().exists(), "a refused server touched its data folder");
    let open = world.server().listen("0.0.0.0:0").arg("--insecure-no-auth").start().await;
    assert_eq!(open.get("/health/live").await.status, 200);
    drop(open);
    let guarded = world.server().listen("0.0.0.0:0").env("JALM_TOKEN", "t").start().await;
    is_problem(&guarded.get("/exec").await, 401, "unauthorized");
    assert_eq!(guarded.with_token("t").get("/exec").await.status, 200);
}

/// A web page that somebody visits can make the browser call 127.0.0.1, also under a name of its
/// own (DNS rebinding).
#[tokio::test]
async fn without_a_token_other_peoples_pages_cannot_call() {
    let world = World::new().await;
    let runner = world.start().await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("host", "evil.example:8888"),
    ] {
        is_problem(&with(&runner, "/exec", name, value).await, 403, "foreign_origin");
    }
    let origin = runner.base().to_owned();
    let own = with(&runner, "/exec", "origin", &origin).await;
    assert_eq!(own.status, 200);
    assert!(!own.headers.contains_key("access-control-allow-origin"));
}
