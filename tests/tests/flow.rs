//! Every form that an intent may have in this version, run through the API; those of later
//! versions are refused by name.
#![allow(clippy::unwrap_used, reason = "tests may fail by panicking")]

use jalm_tests::{Runner, World};
use serde_json::{Value, json};

/// Runs an intent written as YAML to its end.
async fn run(runner: &Runner, yaml: &str) -> Value {
    let answer = runner.post_text("/exec?wait=60s", "text/yaml", yaml).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    answer.body
}

/// The same, for intents that complete; the output.
async fn output(runner: &Runner, yaml: &str) -> Value {
    let ended = run(runner, yaml).await;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    ended["output"].clone()
}

fn step<'a>(execution: &'a Value, id: &str) -> &'a Value {
    let steps = execution["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no {id}: {execution:#}"))
}

/// A step that calls the stub, as one line of YAML.
fn call(world: &World, id: &str, more: &str) -> String {
    let url = world.stub().url(&format!("/{id}"));
    format!("{{ id: {id}, atom: exec_http, {more}input: {{ url: \"{url}\" }} }}")
}

#[tokio::test]
async fn steps_follow_each_other_and_see_what_came_before() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = r#"
intent: sequence
context: { factor: 3 }
steps:
  - { id: a, set: { n: 2 } }
  - { id: b, set: { n: "{{ steps.a.output.n * context.factor }}" } }
  - { id: c, atom: render_json, input: { data: { list: ["{{ steps.b.output.n }}", "n is {{ steps.b.output.n }}"] } } }
output: { c: "{{ steps.c.output.content }}", b: "{{ steps.b.output.n }}" }
"#;
    let output = output(&runner, yaml).await;
    assert_eq!(output["b"], 6, "an expression alone keeps its type");
    let content: Value = serde_json::from_str(output["c"].as_str().unwrap()).unwrap();
    assert_eq!(content["list"], json!([6, "n is 6"]));
}

/// Both are out at the same time: neither could be if they ran one after the other.
#[tokio::test]
async fn steps_without_needs_of_each_other_run_at_the_same_time() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().hold("/left");
    world.stub().hold("/right");
    let yaml = format!(
        "intent: dag\nsteps:\n  - {}\n  - {}\n  - {}\n",
        call(&world, "left", "needs: [], "),
        call(&world, "right", "needs: [], "),
        call(&world, "end", "needs: [left, right], ")
    );
    let id = runner.post_text("/exec", "text/yaml", yaml).await.id();
    world.stub().wait_for_hit("/left").await;
    world.stub().wait_for_hit("/right").await;
    world.stub().release("/left");
    let half = runner.wait_for_step(&id, "left", "completed").await;
    assert_eq!(step(&half, "right")["status"], "running");
    assert_eq!(step(&half, "end")["status"], "pending");
    assert_eq!(world.stub().hits("/end"), 0);
    world.stub().release("/right");
    assert_eq!(runner.wait(&id).await["status"], "completed");
    assert_eq!(world.stub().hits("/end"), 1);
}

#[tokio::test]
async fn parallel_runs_its_steps_at_the_same_time_and_waits_for_all() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().hold("/left");
    world.stub().hold("/right");
    let yaml = format!(
        "intent: parallel\nsteps:\n  - id: both\n    parallel:\n      - {}\n      - {}\n  - {}\n",
        call(&world, "left", ""),
        call(&world, "right", ""),
        call(&world, "end", "")
    );
    let id = runner.post_text("/exec", "text/yaml", yaml).await.id();
    world.stub().wait_for_hit("/left").await;
    world.stub().wait_for_hit("/right").await;
    world.stub().release("/right");
    runner.wait_for_step(&id, "right", "completed").await;
    assert_eq!(world.stub().hits("/end"), 0);
    world.stub().release("/left");
    let ended = runner.wait(&id).await;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    assert_eq!(step(&ended, "left")["parent"], "both");
}

#[tokio::test]
async fn what_is_not_wanted_is_skipped() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = r#"
intent: condition
input: { type: object, properties: { yes: { type: boolean, default: false } } }
steps:
  - { id: no, when: "{{ params.yes }}", set: { x: 1 } }
  - { id: yes, when: "{{ not params.yes }}", set: { x: 2 } }
  - { id: group, when: "{{ params.yes }}", steps: [{ id: inner, set: { x: 3 } }] }
output: { no: "{{ steps.no.status }}", yes: "{{ steps.yes.output.x }}" }
"#;
    let ended = run(&runner, yaml).await;
    assert_eq!(ended["output"], json!({ "no": "skipped", "yes": 2 }), "{ended:#}");
    for id in ["no", "group", "inner"] {
        assert_eq!(step(&ended, id)["status"], "skipped");
    }
}

#[tokio::test]
async fn groups_run_in_sequence_and_can_be_nested() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = r#"
intent: groups
steps:
  - id: outer
    steps:
      - { id: a, set: { n: 1 } }
      - id: inner
        steps:
          - { id: b, set: { n: "{{ steps.a.output.n + 1 }}" } }
          - { id: c, set: { n: "{{ steps.b.output.n + 1 }}" } }
  - { id: d, set: { n: "{{ steps.c.output.n + 1 }}" } }
output: "{{ steps.d.output.n }}"
"#;
    assert_eq!(output(&runner, yaml).await, 4);
}

#[tokio::test]
async fn a_loop_keeps_the_order_of_its_items_whatever_ends_first() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().hold("/0");
    let url = world.stub().url("");
    let yaml = format!(
        r#"
intent: loop
steps:
  - id: each
    foreach: [0, 1, 2, 3]
    as: number
    concurrency: 2
    atom: exec_http
    input: {{ url: "{url}/{{{{ number }}}}" }}
    output: "{{{{ response.json.path }}}} at {{{{ index }}}}"
output: "{{{{ steps.each.output }}}}"
"#
    );
    let id = runner.post_text("/exec", "text/yaml", yaml).await.id();
    // The first one is held, so the others pass it, one at a time.
    world.stub().wait_for_hit("/3").await;
    world.stub().release("/0");
    let ended = runner.wait(&id).await;
    let expected = json!(["/0 at 0", "/1 at 1", "/2 at 2", "/3 at 3"]);
    assert_eq!(ended["output"], expected, "{ended:#}");
    assert_eq!(step(&ended, "each")["items"], json!({ "total": 4, "completed": 4, "failed": 0 }));
}

#[tokio::test]
async fn a_loop_has_no_more_items_out_than_it_may() {
    let world = World::new().await;
    let runner = world.start().await;
    (0..5).for_each(|n| world.stub().hold(&format!("/{n}")));
    let url = world.stub().url("/{{ item }}");
    let yaml = format!(
        "intent: bound\nsteps:\n  - {{ id: each, foreach: [0, 1, 2, 3, 4], concurrency: 2, atom: exec_http, input: {{ url: \"{url}\" }} }}\n"
    );
    let id = runner.post_text("/exec", "text/yaml", yaml).await.id();
    for n in 0..5 {
        world.stub().wait_for_hit(&format!("/{n}")).await;
        // With this one still held, one more is out at most.
        assert!(world.stub().all().len() <= n + 2);
        world.stub().release(&format!("/{n}"));
    }
    assert_eq!(runner.wait(&id).await["status"], "completed");
}

#[tokio::test]
async fn failing_items_fail_their_loop_or_are_collected() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = |policy: &str| {
        format!(
            r#"
intent: items
steps:
  - id: each
    foreach: [1, 0, 2]
    on_item_error: {policy}
    set: {{ n: "{{{{ 10 // item }}}}" }}
output: "{{{{ steps.each.output }}}}"
"#
        )
    };
    let failed = run(&runner, &yaml("fail")).await;
    assert_eq!(failed["status"], "failed", "{failed:#}");
    assert!(failed["error"]["message"].as_str().unwrap().contains("each[1]"), "{failed:#}");
    let collected = run(&runner, &yaml("collect")).await;
    assert_eq!(collected["status"], "completed", "{collected:#}");
    let items = step(&collected, "each")["items"].clone();
    assert_eq!(items, json!({ "total": 3, "completed": 2, "failed": 1 }));
    let output = collected["output"].as_array().unwrap();
    assert_eq!((output.len(), &output[0]["n"], &output[2]["n"]), (3, &json!(10), &json!(5)));
}

#[tokio::test]
async fn an_empty_loop_is_complete() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = "intent: empty\nsteps:\n  - { id: each, foreach: [], set: { x: 1 } }\noutput: \"{{ steps.each.output }}\"\n";
    assert_eq!(output(&runner, yaml).await, json!([]));
}

#[tokio::test]
async fn a_step_is_tried_again_until_it_works() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().fail("/flaky", 2, 503);
    let retry = "retry: { attempts: 3, delay: 10ms, backoff: exponential }, ";
    let yaml = format!("intent: retry\nsteps:\n  - {}\n", call(&world, "flaky", retry));
    let ended = run(&runner, &yaml).await;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    assert_eq!(step(&ended, "flaky")["attempts"], 3);
    assert_eq!(world.stub().hits("/flaky"), 3);
    // And not once more than it may.
    world.stub().fail("/flaky", 5, 503);
    let ended = run(&runner, &yaml).await;
    assert_eq!((&ended["status"], &ended["failed_step"]), (&json!("failed"), &json!("flaky")));
    assert_eq!(step(&ended, "flaky")["attempts"], 3);
    assert_eq!(world.stub().hits("/flaky"), 6);
}

#[tokio::test]
async fn a_step_is_tried_once_unless_told_otherwise() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().fail("/once", 1, 503);
    let yaml = format!("intent: once\nsteps:\n  - {}\n", call(&world, "once", ""));
    let ended = run(&runner, &yaml).await;
    assert_eq!(ended["status"], "failed", "{ended:#}");
    assert!(ended["error"]["message"].as_str().unwrap().contains("503"), "{ended:#}");
    assert!(ended["error"]["hint"].is_string(), "{ended:#}");
    assert_eq!(world.stub().hits("/once"), 1);
}

#[tokio::test]
async fn a_step_that_takes_too_long_fails_and_is_named() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().hold("/slow");
    let yaml = format!(
        "intent: timeout\nsteps:\n  - {}\n  - {}\n",
        call(&world, "slow", "timeout: 100ms, "),
        call(&world, "never", "")
    );
    let ended = run(&runner, &yaml).await;
    assert_eq!((&ended["status"], &ended["failed_step"]), (&json!("failed"), &json!("slow")));
    // The request itself is told how long it has, so that it can say what it waited for.
    assert_eq!(ended["error"]["code"], "http_timeout", "{ended:#}");
    assert_eq!(world.stub().hits("/never"), 0);
}

#[tokio::test]
async fn the_intents_own_timeout_bounds_the_whole_execution() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().hold("/slow");
    let yaml = format!(
        "intent: limits\nlimits: {{ timeout: 100ms }}\nsteps:\n  - {}\n",
        call(&world, "slow", "")
    );
    let ended = run(&runner, &yaml).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("failed"), &json!("timeout")));
}

#[tokio::test]
async fn an_execution_goes_on_after_an_error_if_told_so() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().fail("/bad", 9, 500);
    let yaml = format!(
        r#"
intent: continue
steps:
  - {}
  - {{ id: note, when: "{{{{ steps.bad.status == 'failed' }}}}", set: {{ code: "{{{{ steps.bad.error.code }}}}" }} }}
output: "{{{{ steps.note.output.code }}}}"
"#,
        call(&world, "bad", "on_error: continue, ")
    );
    let ended = run(&runner, &yaml).await;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    assert_eq!(ended["output"], step(&ended, "bad")["error"]["code"]);
    assert!(ended["output"].is_string());
}

#[tokio::test]
async fn what_is_undefined_at_run_time_is_an_error_and_never_empty_text() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = "intent: undefined\nsteps:\n  - { id: a, set: { x: {} } }\n  - { id: b, set: { y: \"value: {{ steps.a.output.x.missing }}\" } }\n";
    let ended = run(&runner, yaml).await;
    assert_eq!(
        (&ended["status"], &ended["failed_step"]),
        (&json!("failed"), &json!("b")),
        "{ended:#}"
    );
}

#[tokio::test]
async fn what_an_intent_has_no_grant_for_is_refused() {
    let world = World::new().await;
    let runner = world.start().await;
    let yaml = format!(
        "intent: grants\ngrants: {{ http: [\"{}\"], db: [] }}\nsteps:\n  - {}\n  - {}\n",
        world.stub().url("/allowed"),
        call(&world, "allowed", ""),
        call(&world, "other", "")
    );
    let ended = run(&runner, &yaml).await;
    assert_eq!(ended["failed_step"], "other", "{ended:#}");
    assert!(ended["error"]["hint"].as_str().unwrap().contains("grants"), "{ended:#}");
    assert_eq!((world.stub().hits("/allowed"), world.stub().hits("/other")), (1, 0));
}

#[tokio::test]
async fn all_six_layers_work_together() {
    let world = World::new().await;
    world.database("main").execute_batch("create table sale (sku text, qty integer)").unwrap();
    let runner = world.start().await;
    let yaml = format!(
        r#"
intent: six-layers
steps:
  - {}
  - {{ id: rows, atom: db_insert, input: {{ table: sale, rows: [{{ sku: apple, qty: 3 }}, {{ sku: pear, qty: 4 }}] }} }}
  - {{ id: sum, layer: io-db, input: {{ query: "select sum(qty) as total from sale" }} }}
  - {{ id: twice, layer: compute-script, input: {{ script: "return 2 * n", variables: {{ n: "{{{{ steps.sum.output.rows[0].total }}}}" }} }} }}
  - {{ id: page, layer: render-html, input: {{ template: "<b>{{{{ n }}}}</b>", data: {{ n: "{{{{ steps.twice.output.result }}}}" }} }} }}
  - {{ id: file, atom: file_write, input: {{ path: report.html, content: "{{{{ steps.page.output.content }}}}" }} }}
  - {{ id: read, layer: io-file, input: {{ path: report.html }} }}
  - {{ id: tell, layer: notify-mq, input: {{ queue: reports, message: {{ file: report.html }} }} }}
output: "{{{{ steps.read.output.content }}}}"
"#,
        call(&world, "fetch", "")
    );
    assert_eq!(output(&runner, &yaml).await, "<b>14</b>");
    let written = std::fs::read_to_string(world.data().join("files/report.html")).unwrap();
    assert_eq!(written, "<b>14</b>");
    let queue = runner.get("/queues/reports").await.body;
    assert_eq!(queue["messages"][0]["body"], json!({ "file": "report.html" }), "{queue:#}");
}

#[tokio::test]
async fn forms_of_later_versions_are_refused_and_never_ignored() {
    let world = World::new().await;
    let runner = world.start().await;
    for form in [
        "switch: [{ when: true, steps: [] }]",
        "while: true",
        "until: true",
        "wait: 5s",
        "run: other",
        "call: tula@1",
        "fail: enough",
        "return: 1",
        "cache: { for: 60s }",
        "compensate: []",
        "priority: 5",
        "concurrency_key: x",
        "idempotency_key: x",
        "on_interrupt: fail",
        "on_error: [{ set: { x: 1 } }]",
    ] {
        let yaml = format!("intent: later\nsteps:\n  - id: a\n    {form}\n");
        refuses(&runner, form, &yaml).await;
    }
    for form in [
        "triggers: [{ cron: \"* * * * *\" }]",
        "secrets: [A]",
        "finally: []",
        "on_error: []",
        "rate_limit: 5",
        "concurrency_key: x",
        "limits: { concurrency: 1 }",
    ] {
        let yaml = format!("intent: later\n{form}\nsteps:\n  - {{ id: a, set: {{ x: 1 }} }}\n");
        refuses(&runner, form, &yaml).await;
    }
}

async fn refuses(runner: &Runner, form: &str, yaml: &str) {
    let answer = runner.post_text("/validate", "text/yaml", yaml).await.body;
    let errors = answer["errors"].as_array().unwrap();
    let refused = errors.iter().any(|error| {
        error["code"] == "not_supported_yet"
            && error["message"].as_str().is_some_and(|text| text.contains("supported yet"))
            && error["hint"].as_str().is_some_and(|hint| !hint.is_empty())
    });
    assert!(refused, "`{form}` is not refused by name: {answer:#}");
}
