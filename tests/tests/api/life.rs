//! Cancelling and deleting.

use crate::{get, is_problem, pure};
use jalm_tests::{World, below, until};
use serde_json::json;

#[tokio::test]
async fn a_cancel_ends_the_execution_and_closes_what_is_out() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let id = runner.exec(get(world.stub().url("/held"))).await;
    world.stub().wait_for_hit("/held").await;
    let cancel = format!("/exec/{id}/cancel");
    let answer = runner.post(&cancel, &json!({ "reason": "changed my mind" })).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(answer.body, json!({ "execution_id": id, "status": "cancelled" }));
    let execution = runner.show(&id).await;
    assert_eq!(execution["status"], "cancelled", "{execution:#}");
    assert_eq!(execution["steps"][0]["status"], "cancelled");
    assert!(execution.to_string().contains("changed my mind"), "{execution:#}");
    is_problem(&runner.post(&cancel, &json!({})).await, 409, "already_ended");
    is_problem(&runner.post_text(&cancel, "application/json", "{").await, 400, "bad_json");
}

/// A script that never ends takes a processor until somebody kills it.
#[tokio::test]
async fn a_cancel_kills_an_endless_script() {
    let world = World::new().await;
    // Else a process that waits for the next script could be taken for this one's.
    let runner = world.server().env("JALM_ISOLATION__ISOLATE_AHEAD", "0").start().await;
    let script = |code: &str| {
        json!({ "intent": "script", "steps": [
            { "id": "script", "atom": "compute_script", "timeout": "10m", "input": { "script": code } },
        ] })
    };
    assert_eq!(runner.run(script("return 1")).await["status"], "completed");
    // What remains when nothing runs: the sandbox's workers.
    let idle = below(runner.pid());
    let id = runner.exec(script("while (true) {}")).await;
    let running = until("the script's process", async || {
        below(runner.pid()).difference(&idle).next().cloned()
    })
    .await;
    let answer = runner.post(&format!("/exec/{id}/cancel"), &json!({})).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    until("the end of the script's process", async || (!running.lives()).then_some(())).await;
    assert_eq!(runner.show(&id).await["status"], "cancelled");
    assert_eq!(
        runner.run(script("return 1")).await["status"],
        "completed",
        "no script runs any more"
    );
}

#[tokio::test]
async fn only_what_has_ended_can_be_deleted() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let ended = runner.run(pure("done")).await;
    let ended = ended["execution_id"].as_str().unwrap();
    let answer = runner.delete(&format!("/exec/{ended}")).await;
    assert_eq!(answer.status, 204);
    is_problem(&runner.get(&format!("/exec/{ended}")).await, 404, "not_found");
    is_problem(&runner.delete(&format!("/exec/{ended}")).await, 404, "not_found");
    assert_eq!(runner.get("/exec").await.body["executions"], json!([]));

    let running = runner.exec(get(world.stub().url("/held"))).await;
    world.stub().wait_for_hit("/held").await;
    is_problem(&runner.delete(&format!("/exec/{running}")).await, 409, "not_ended");
    world.stub().release("/held");
    assert_eq!(runner.wait(&running).await["status"], "completed");
}
