//! SIGKILL at chosen moments: what was recorded stays, what was out is done again, nobody asks.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "tests may fail by panicking"
)]

use jalm_tests::{World, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn get(world: &World, id: &str, path: &str) -> Value {
    json!({ "id": id, "atom": "exec_http", "input": { "url": world.stub().url(path) } })
}

fn post(world: &World, id: &str, path: &str) -> Value {
    json!({
        "id": id,
        "atom": "exec_http",
        "input": { "method": "POST", "url": world.stub().url(path), "json": { "step": id } },
    })
}

fn intent(steps: Value) -> Value {
    json!({ "intent": "crash", "steps": steps })
}

/// Killed while step two is out: step one's result is in the journal, so it must not run again;
/// step two's answer was lost, and `GET` is safe to repeat, so it runs a second time.
#[tokio::test]
async fn a_killed_runner_continues_where_its_journal_ends() {
    let world = World::new().await;
    world.stub().hold("/two");
    let runner = world.start().await;
    let steps = json!([get(&world, "one", "/one"), get(&world, "two", "/two")]);
    let id = runner.exec(intent(steps)).await;
    world.stub().wait_for_hit("/two").await;
    // Reading runs ahead of the disk: only what somebody has seen must be there afterwards.
    runner.wait_for_step(&id, "one", "completed").await;
    runner.kill().await;
    world.stub().release("/two");
    let status = world.start().await.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    assert_eq!(world.stub().hits("/one"), 1, "a journaled step ran twice");
    assert_eq!(world.stub().hits("/two"), 2);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_runs_again_under_the_same_key() {
    let world = World::new().await;
    world.stub().hold("/pay");
    let runner = world.start().await;
    let id = runner.exec(intent(json!([post(&world, "pay", "/pay")]))).await;
    world.stub().wait_for_hit("/pay").await;
    runner.kill().await;
    world.stub().release("/pay");
    let status = world.start().await.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    let seen = world.stub().seen("/pay");
    assert_eq!(seen.len(), 2);
    for one in &seen {
        let key = one.header("idempotency-key");
        assert!(key.starts_with(&format!("jalm-{id}-pay")), "{key}");
        assert_eq!(key, seen[0].header("idempotency-key"));
        assert_eq!(one.body, seen[0].body);
    }
}

/// Record before effect: whoever gets the POST can rely on all that led to it being on disk.
#[tokio::test]
async fn what_a_write_was_made_from_is_recorded_before_it_starts() {
    let world = World::new().await;
    world.stub().hold("/out");
    let runner = world.start().await;
    let steps = json!([
        { "id": "made", "atom": "generate_uuid" },
        {
            "id": "out",
            "atom": "exec_http",
            "input": {
                "method": "POST",
                "url": world.stub().url("/out"),
                "json": { "uuid": "{{ steps.made.output.uuid }}" },
            },
        },
    ]);
    let id = runner.exec(intent(steps)).await;
    world.stub().wait_for_hit("/out").await;
    runner.kill().await;
    world.stub().release("/out");
    let status = world.start().await.wait(&id).await;
    let seen = world.stub().seen("/out");
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].body, seen[1].body, "the second call was made from another uuid");
    let sent: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(status["steps"][0]["output"]["uuid"], sent["uuid"]);
}

#[tokio::test]
async fn recorded_values_never_change() {
    let world = World::new().await;
    world.stub().hold("/wait");
    let mut runner = world.start().await;
    let steps = json!([
        { "id": "uuid", "atom": "generate_uuid" },
        { "id": "time", "atom": "get_timestamp" },
        get(&world, "wait", "/wait"),
    ]);
    let id = runner.exec(intent(steps)).await;
    let before = runner.wait_for_step(&id, "time", "completed").await;
    for _ in 0..3 {
        runner.kill().await;
        runner = world.start().await;
        let now = runner.show(&id).await;
        assert_eq!(now["steps"][0], before["steps"][0]);
        assert_eq!(now["steps"][1], before["steps"][1]);
    }
    world.stub().release("/wait");
    let after = runner.wait(&id).await;
    assert_eq!(after["status"], "completed", "{after:#}");
    assert_eq!(after["steps"][0], before["steps"][0]);
    assert_eq!(after["steps"][1], before["steps"][1]);
}

/// The promise is one second; the best of five starts counts, since a busy machine may be late.
#[tokio::test]
async fn interrupted_executions_go_on_by_themselves_within_a_second() {
    let world = World::new().await;
    world.stub().hold("/held");
    let mut runner = world.start().await;
    for _ in 0..20 {
        runner.exec(intent(json!([get(&world, "held", "/held")]))).await;
    }
    world.stub().wait_for_hits("/held", 20).await;
    let mut best = Duration::MAX;
    for round in 2..=6 {
        runner.kill().await;
        let begin = Instant::now();
        runner = world.start().await;
        // No request is made: the server has to go on by itself.
        world.stub().wait_for_hits("/held", 20 * round).await;
        best = best.min(begin.elapsed());
    }
    assert!(best < Duration::from_secs(1), "the fastest of five starts took {best:?}");
}

#[tokio::test]
async fn items_of_a_loop_that_are_done_are_not_done_again() {
    let world = World::new().await;
    world.stub().hold("/item/2");
    let runner = world.start().await;
    let steps = json!([{
        "id": "all",
        "foreach": [0, 1, 2, 3],
        "atom": "exec_http",
        "input": { "method": "POST", "url": world.stub().url("/item/{{ item }}"), "json": "{{ item }}" },
    }]);
    let id = runner.exec(intent(steps)).await;
    world.stub().wait_for_hit("/item/2").await;
    runner.kill().await;
    world.stub().release("/item/2");
    let status = world.start().await.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    let hits = [0, 1, 2, 3].map(|item| world.stub().hits(&format!("/item/{item}")));
    assert_eq!(hits, [1, 1, 2, 1]);
    let output = status["steps"][0]["output"].as_array().unwrap();
    let sent: Vec<&Value> = output.iter().map(|item| &item["json"]["sent"]).collect();
    assert_eq!(sent, [0, 1, 2, 3], "items are out of order");
    let keys: std::collections::BTreeSet<String> =
        world.stub().all().iter().map(|seen| seen.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys.len(), 4, "each item has its own key: {keys:?}");
}

#[tokio::test]
async fn a_step_that_waits_for_its_next_attempt_keeps_waiting() {
    let world = World::new().await;
    world.stub().fail("/flaky", 1, 503);
    let runner = world.start().await;
    let mut step = get(&world, "flaky", "/flaky");
    step["retry"] = json!({ "attempts": 2, "delay": "1s", "jitter": false });
    let id = runner.exec(intent(json!([step]))).await;
    let mut events = runner.events(&id, None).await;
    loop {
        let event = events.next().await.unwrap();
        if event.kind == "failed" {
            assert!(event.data["retry_at"].is_string() || event.data["retry_at"].is_number());
            break;
        }
    }
    runner.kill().await;
    let status = world.start().await.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    assert_eq!(status["steps"][0]["attempts"], 2);
    assert_eq!(world.stub().hits("/flaky"), 2, "the failed attempt was not counted");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill_at_once() {
    let world = World::new().await;
    for round in 0..10 {
        let runner = world.start().await;
        let body = json!({
            "jalm_config": intent(json!([{ "id": "uuid", "atom": "generate_uuid" }])),
            "idempotency_key": format!("key-{round}"),
        });
        let id = runner.post("/exec", &body).await.id();
        runner.kill().await;
        let runner = world.start().await;
        let again = runner.post("/exec", &body).await;
        assert_eq!(again.status, 200, "{:#}", again.body);
        assert_eq!(again.id(), id, "the key means another execution now");
        assert_eq!(runner.wait(&id).await["status"], "completed");
        runner.kill().await;
    }
}

#[tokio::test]
async fn what_was_cancelled_stays_cancelled() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let id = runner.exec(intent(json!([get(&world, "held", "/held")]))).await;
    world.stub().wait_for_hit("/held").await;
    let answer = runner.post(&format!("/exec/{id}/cancel"), &json!({ "reason": "enough" })).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let before = runner.show(&id).await;
    runner.kill().await;
    world.stub().release("/held");
    let runner = world.start().await;
    assert_eq!(runner.show(&id).await, before);
    // Something else that comes to its end shows that the resumed ones have been looked at.
    runner.run(intent(json!([get(&world, "other", "/other")]))).await;
    assert_eq!(runner.show(&id).await, before);
    assert_eq!(world.stub().hits("/held"), 1);
}

#[tokio::test]
async fn rows_are_inserted_once_although_the_step_was_interrupted() {
    let world = World::new().await;
    let database = world.database("main");
    database.execute_batch("create table sale (execution text, n integer)").unwrap();
    // The database is busy for others, so the step is surely out when the runner dies.
    database.execute_batch("begin immediate").unwrap();
    let runner = world.start().await;
    let row = json!({ "execution": "{{ execution.id }}", "n": 1 });
    let steps = json!([
        { "id": "add", "atom": "db_insert", "timeout": "60s", "input": { "table": "sale", "row": row } },
    ]);
    let id = runner.exec(intent(steps)).await;
    let mut events = runner.events(&id, None).await;
    until("the insert being called", async || {
        events.next().await.filter(|event| event.kind == "calling").map(drop)
    })
    .await;
    runner.kill().await;
    database.execute_batch("commit").unwrap();
    let runner = world.start().await;
    let status = runner.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    let count = "select count(*) from sale where execution = ?1";
    let rows: i64 = database.query_row(count, [&id], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}
