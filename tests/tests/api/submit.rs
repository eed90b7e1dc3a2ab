//! `POST /exec`: ways to submit, and what comes back.

use crate::{get, is_problem, pure};
use jalm_tests::World;
use reqwest::Method;
use serde_json::{Value, json};

/// The example of the specification, with an address of one's own.
#[tokio::test]
async fn the_example_of_the_specification_works_by_copy_and_paste() {
    let world = World::new().await;
    let runner = world.start().await;
    let body = r#"{
    "jalm_config": {
      "intent": "test_execution",
      "steps": [
        {
          "id": "http_request",
          "layer": "io-http",
          "input": {
            "method": "GET",
            "url": "https://httpbin.org/json"
          }
        }
      ]
    }
  }"#;
    let body = body.replace("https://httpbin.org/json", &world.stub().url("/json"));
    let answer = runner.post_text("/exec", "application/json", body).await;
    assert_eq!(answer.status, 202, "{:#}", answer.body);
    assert_eq!(answer.headers["location"], format!("/exec/{}", answer.id()).as_str());
    assert!(matches!(answer.body["status"].as_str(), Some("pending" | "running" | "completed")));
    let execution = runner.wait(&answer.id()).await;
    assert_eq!(execution["status"], "completed", "{execution:#}");
    assert_eq!(execution["steps"][0]["output"]["json"]["path"], "/json");
}

#[tokio::test]
async fn an_execution_shows_all_that_is_documented() {
    let world = World::new().await;
    let runner = world.start().await;
    let execution = runner.run(get(world.stub().url("/x"))).await;
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    for key in [
        "execution_id",
        "intent",
        "status",
        "params",
        "steps",
        "output",
        "error",
        "created_at",
        "started_at",
        "completed_at",
        "total_time",
    ] {
        assert!(keys(&execution).contains(&key.to_owned()), "no {key}: {execution:#}");
    }
    let step = &execution["steps"][0];
    for key in [
        "id",
        "layer",
        "atom",
        "status",
        "input",
        "output",
        "error",
        "attempts",
        "isolation",
        "started_at",
        "completed_at",
        "execution_time",
    ] {
        assert!(keys(step).contains(&key.to_owned()), "no {key}: {step:#}");
    }
    assert_eq!(step["layer"], "io-http");
    assert_eq!(step["input"]["url"], world.stub().url("/x"));
    assert!(execution["total_time"].is_number() && step["execution_time"].is_number());
}

#[tokio::test]
async fn yaml_is_taken_as_the_body_itself() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = "intent: hello\ninput: { type: object, required: [who] }\nsteps:\n  - { id: greet, set: { text: \"Hello {{ params.who }}\" } }\noutput: \"{{ steps.greet.output.text }}\"\n";
    for kind in ["text/yaml", "application/yaml", "text/yaml; charset=utf-8"] {
        let path = "/exec?wait=30s&params=%7B%22who%22%3A%22you%22%7D";
        let answer = runner.post_text(path, kind, yaml).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        assert_eq!(answer.body["output"], "Hello you");
        assert_eq!(answer.body["params"], json!({ "who": "you" }));
    }
}

#[tokio::test]
async fn older_clients_send_text_as_intent_content_to_execute() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = "intent: old\nmeta: { owner: me }\nsteps:\n  - { id: a, set: { x: 1 } }\noutput: \"{{ steps.a.output.x }}\"\n";
    let answer = runner.post("/execute?wait=30s", &json!({ "intent_content": yaml })).await;
    assert_eq!((answer.status, &answer.body["output"]), (200, &json!(1)), "{:#}", answer.body);
    // What of that dialect does not run yet is refused by name, not ignored.
    let yaml = "intent: old\nsteps:\n  - { call_tool: slot_validator, args: { x: 1 } }\n";
    let answer = runner.post("/execute", &json!({ "intent_content": yaml })).await;
    is_problem(&answer, 422, "bad_config");
    assert_eq!(answer.body["errors"][0]["code"], "not_supported_yet", "{:#}", answer.body);
}

#[tokio::test]
async fn waiting_ends_with_the_execution_or_with_the_time() {
    let world = World::new().await;
    world.stub().hold("/slow");
    let runner = world.start().await;
    let body = json!({ "jalm_config": get(world.stub().url("/slow")) });
    let short = runner.post("/exec?wait=50ms", &body).await;
    assert_eq!(short.status, 202, "{:#}", short.body);
    assert_eq!(short.body["status"], "running");
    world.stub().release("/slow");
    let request = runner.request(Method::POST, "/exec").header("prefer", "respond-async, wait=30");
    let long = runner.send(request.json(&body)).await;
    assert_eq!((long.status, &long.body["status"]), (200, &json!("completed")));
    for wrong in ["soon", "-1", "", "1d"] {
        let answer = runner.post(&format!("/exec?wait={wrong}"), &body).await;
        is_problem(&answer, 400, "bad_request");
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_execution() {
    let world = World::new().await;
    let runner = world.start().await;
    let body = |name: &str, n: u32| json!({ "jalm_config": pure(name), "params": { "n": n }, "idempotency_key": "once" });
    let first = runner.post("/exec", &body("a", 1)).await;
    assert_eq!(first.status, 202);
    let ended = runner.wait(&first.id()).await;
    let second = runner.post("/exec", &body("a", 1)).await;
    assert_eq!((second.status, second.id()), (200, first.id()), "{:#}", second.body);
    assert_eq!(second.body["status"], "completed");
    let waited = runner.post("/exec?wait=30s", &body("a", 1)).await;
    assert_eq!(waited.body, ended);
    is_problem(&runner.post("/exec", &body("b", 1)).await, 409, "key_conflict");
    is_problem(&runner.post("/exec", &body("a", 2)).await, 409, "key_conflict");
    for wrong in [String::new(), "x".repeat(256)] {
        let body = json!({ "jalm_config": pure("a"), "idempotency_key": wrong });
        is_problem(&runner.post("/exec", &body).await, 400, "bad_request");
    }
}

/// Twenty clients ask at once; one execution comes of it.
#[tokio::test]
async fn the_same_key_at_the_same_time_is_the_same_execution_too() {
    let world = World::new().await;
    let runner = world.start().await;
    let body = json!({ "jalm_config": pure("race"), "idempotency_key": "race" });
    let ask = || async { runner.post("/exec", &body).await };
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let new = [&a, &b, &c, &d].iter().filter(|answer| answer.status == 202).count();
    assert_eq!(new, 1);
    assert!([&b, &c, &d].iter().all(|answer| answer.id() == a.id()));
    let list = runner.get("/exec").await.body;
    assert_eq!(list["executions"].as_array().unwrap().len(), 1, "{list:#}");
}

#[tokio::test]
async fn params_are_checked_against_the_input_and_defaults_filled_in() {
    let world = World::new().await;
    let runner = world.start().await;
    let intent = json!({
        "intent": "typed",
        "input": {
            "type": "object",
            "properties": {
                "n": { "type": "integer", "minimum": 1 },
                "word": { "type": "string", "default": "hi" },
            },
            "required": ["n"],
        },
        "steps": [{ "id": "a", "set": { "n": "{{ params.n }}" } }],
    });
    let submit = |params: Value| {
        let body = json!({ "jalm_config": intent, "params": params });
        let runner = &runner;
        async move { runner.post("/exec?wait=30s", &body).await }
    };
    let good = submit(json!({ "n": 3 })).await;
    assert_eq!(good.body["params"], json!({ "n": 3, "word": "hi" }), "{:#}", good.body);
    for wrong in [json!({}), json!({ "n": "3" }), json!({ "n": 0 }), json!({ "n": 1, "word": 5 })] {
        let answer = submit(wrong).await;
        is_problem(&answer, 422, "bad_params");
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{:#}", answer.body);
        for key in ["path", "message", "hint"] {
            assert!(errors[0][key].is_string(), "{:#}", answer.body);
        }
    }
    let answer = submit(json!({ "n": 0, "word": 5 })).await;
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2, "not all at once");
}

#[tokio::test]
async fn a_timeout_of_the_submitter_bounds_the_execution() {
    let world = World::new().await;
    world.stub().hold("/slow");
    let runner = world.start().await;
    let body = json!({ "jalm_config": get(world.stub().url("/slow")), "timeout": "200ms" });
    let ended = runner.post("/exec?wait=30s", &body).await.body;
    assert_eq!(ended["status"], "failed", "{ended:#}");
    assert_eq!(ended["error"]["code"], "timeout", "{ended:#}");
    for wrong in [json!("soon"), json!(0), json!(-1), json!(true), json!("0s")] {
        let body = json!({ "jalm_config": pure("a"), "timeout": wrong });
        is_problem(&runner.post("/exec", &body).await, 400, "bad_request");
    }
}
