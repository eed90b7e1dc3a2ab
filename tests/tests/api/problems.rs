//! What is refused, and that the answer says how to mend it.

use crate::{is_problem, pure};
use jalm_tests::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn every_problem_of_a_config_is_reported_with_its_place_and_a_hint() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = "intent: bad\nsteps:\n  - id: a\n    atom: exec_htp\n  - id: b\n    atom: get_timestamp\n    wehn: true\n  - id: c\n    set: { x: \"{{ 1 + }}\" }\n";
    let answer = runner.post_text("/exec", "text/yaml", yaml).await;
    is_problem(&answer, 422, "bad_config");
    let errors = answer.body["errors"].as_array().unwrap();
    let lines: Vec<u64> = errors.iter().map(|error| error["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [4, 7, 9], "{:#}", answer.body);
    for error in errors {
        for key in ["path", "message", "hint", "code", "excerpt"] {
            assert!(error[key].is_string(), "no {key}: {error:#}");
        }
        assert!(error["column"].as_u64().unwrap() > 1);
    }
    assert!(errors[0]["hint"].as_str().unwrap().contains("exec_http"), "{:#}", errors[0]);
    assert!(errors[1]["hint"].as_str().unwrap().contains("when"), "{:#}", errors[1]);
}

#[tokio::test]
async fn validate_answers_the_same_without_running_anything() {
    let world = World::new().await;
    let runner = world.start().await;
    let good = runner.post("/validate", &json!({ "jalm_config": pure("x") })).await;
    assert_eq!((good.status, &good.body["valid"]), (200, &json!(true)), "{:#}", good.body);
    let yaml = "intent: bad\nsteps:\n  - { id: a, atom: nothing }\n";
    let bad = runner.post_text("/validate", "text/yaml", yaml).await;
    assert_eq!((bad.status, &bad.body["valid"]), (200, &json!(false)));
    assert_eq!(bad.body["errors"][0]["line"], 3, "{:#}", bad.body);
    is_problem(&runner.post_text("/plan", "text/yaml", yaml).await, 422, "bad_config");
    let plan = runner.post("/plan", &json!({ "jalm_config": pure("x") })).await;
    assert_eq!((plan.status, &plan.body["intent"]), (200, &json!("x")), "{:#}", plan.body);
    let list = runner.get("/exec").await.body;
    assert_eq!(list["executions"], json!([]));
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_with_the_reason() {
    let world = World::new().await;
    let runner = world.start().await;
    for (body, status, code) in [
        ("", 400, "bad_json"),
        ("{", 400, "bad_json"),
        ("[]", 400, "bad_request"),
        ("{}", 400, "missing_key"),
        (r#"{"jalm_config": {}, "intent_content": ""}"#, 400, "bad_request"),
        (r#"{"jalm_config": {"intent": "a"}, "parms": {}}"#, 400, "bad_request"),
        (r#"{"intent": "deployed"}"#, 501, "not_supported_yet"),
        (r#"{"jalm_config": null}"#, 400, "missing_key"),
        (r#"{"jalm_config": 7}"#, 422, "bad_config"),
        (r#"{"jalm_config": "- - -"}"#, 422, "bad_config"),
        (r#"{"jalm_config": {"intent": "a", "intent": "b", "steps": []}}"#, 422, "bad_config"),
    ] {
        let answer = runner.post_text("/exec", "application/json", body).await;
        is_problem(&answer, status, code);
    }
    let latin = runner.request(Method::POST, "/exec").header("content-type", "text/yaml");
    is_problem(&runner.send(latin.body(b"intent: caf\xe9".to_vec())).await, 400, "bad_request");
    let answer = runner.post_text("/exec", "application/xml", "<x/>").await;
    is_problem(&answer, 415, "unsupported_media_type");
}

#[tokio::test]
async fn unknown_places_and_methods_are_problems_too() {
    let world = World::new().await;
    let runner = world.start().await;
    let nobody = "0192f7c4-0000-7000-8000-000000000000";
    is_problem(&runner.get("/nothing/here").await, 404, "not_found");
    for path in ["", "/events"] {
        is_problem(&runner.get(&format!("/exec/{nobody}{path}")).await, 404, "not_found");
        is_problem(&runner.get(&format!("/exec/no-id{path}")).await, 400, "bad_id");
    }
    is_problem(&runner.delete(&format!("/exec/{nobody}")).await, 404, "not_found");
    let cancel = runner.post(&format!("/exec/{nobody}/cancel"), &json!({})).await;
    is_problem(&cancel, 404, "not_found");
    for (method, path) in [
        (Method::PUT, "/exec"),
        (Method::DELETE, "/health"),
        (Method::POST, "/metrics"),
        (Method::GET, "/validate"),
        (Method::PATCH, "/exec/0192f7c4-0000-7000-8000-000000000000"),
    ] {
        let answer = runner.send(runner.request(method, path)).await;
        is_problem(&answer, 405, "method_not_allowed");
        assert!(answer.headers.contains_key("allow"), "{path}: no `Allow`");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_said_so() {
    let world = World::new().await;
    let runner = world.start().await;
    let body = json!({ "jalm_config": pure("x"), "params": { "x": "y".repeat(7 << 20) } });
    is_problem(&runner.post("/exec", &body).await, 413, "too_large");
    // More than an intent may have, less than a body may have.
    let config = format!("intent: x\ndescription: {}\nsteps: []\n", "y".repeat(2 << 20));
    let answer = runner.post_text("/exec", "text/yaml", config).await;
    is_problem(&answer, 422, "bad_config");
    assert_eq!(answer.body["errors"][0]["code"], "too_large", "{:#}", answer.body);
    // More than params may have.
    let body = json!({ "jalm_config": pure("x"), "params": { "x": "y".repeat(5 << 20) } });
    let answer = runner.post("/exec", &body).await;
    is_problem(&answer, 422, "bad_params");
    assert_eq!(runner.run(pure("fine")).await["status"], "completed");
}
