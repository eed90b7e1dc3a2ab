//! `jalm serve`: how it ends, and that nothing is left of it.

use jalm_tests::{World, below, of_program, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn call(world: &World, path: &str) -> Value {
    json!({ "intent": "call", "steps": [
        { "id": "call", "atom": "exec_http", "timeout": "10m", "input": { "url": world.stub().url(path) } },
        { "id": "next", "atom": "generate_uuid" },
    ] })
}

#[tokio::test]
async fn a_stop_lets_calls_end_and_takes_nothing_new() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let id = runner.exec(call(&world, "/held")).await;
    world.stub().wait_for_hit("/held").await;
    runner.terminate();
    until("the log of the stop", async || runner.log().contains("stopping").then_some(())).await;
    until("the listener's end", async || {
        tokio::net::TcpStream::connect(runner.address()).await.is_err().then_some(())
    })
    .await;
    world.stub().release("/held");
    assert_eq!(runner.ended().await, Some(0));
    // Drained: the call was not cut off, so it does not run again.
    let status = world.start().await.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    assert_eq!(world.stub().hits("/held"), 1);
}

#[tokio::test]
async fn whoever_waits_for_an_answer_at_a_stop_gets_it() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let stop = async {
        world.stub().wait_for_hit("/held").await;
        runner.terminate();
        until("the log of the stop", async || runner.log().contains("stopping").then_some(()))
            .await;
        world.stub().release("/held");
    };
    let (execution, ()) = tokio::join!(runner.run(call(&world, "/held")), stop);
    assert_eq!(execution["status"], "completed", "{execution:#}");
    assert_eq!(runner.ended().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_the_work_goes_on_later() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let id = runner.exec(call(&world, "/held")).await;
    world.stub().wait_for_hit("/held").await;
    runner.terminate();
    until("the log of the stop", async || runner.log().contains("stopping").then_some(())).await;
    runner.terminate();
    assert_eq!(runner.ended().await, Some(0));
    world.stub().release("/held");
    let status = world.start().await.wait(&id).await;
    assert_eq!(status["status"], "completed", "{status:#}");
    assert_eq!(world.stub().hits("/held"), 2);
}

/// Also while the server still waits for answers that are on their way.
#[tokio::test]
async fn a_second_signal_does_not_wait_for_clients() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let body = json!({ "jalm_config": call(&world, "/held") });
    let request = runner.request(reqwest::Method::POST, "/exec?wait=60s").json(&body);
    let stop = async {
        world.stub().wait_for_hit("/held").await;
        runner.terminate();
        until("the log of the stop", async || runner.log().contains("stopping").then_some(()))
            .await;
        runner.terminate();
    };
    let begin = Instant::now();
    let (answer, ()) = tokio::join!(runner.try_send(request), stop);
    assert!(answer.is_err(), "the server waited for a step that never ends: {answer:#?}");
    assert_eq!(runner.ended().await, Some(0));
    // Answers that are on their way have 10 s at a single signal.
    assert!(begin.elapsed() < Duration::from_secs(9), "the second signal was not heard");
}

#[tokio::test]
async fn an_open_stream_does_not_keep_a_server_from_stopping() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.server().env("JALM_SHUTDOWN__GRACE", "1").start().await;
    let id = runner.exec(call(&world, "/held")).await;
    let mut events = runner.events(&id, None).await;
    assert!(events.next().await.is_some());
    let (code, _) = tokio::join!(runner.stop(), events.rest());
    assert_eq!(code, Some(0));
}

/// Scripts run in processes of their own; when the server is killed, nobody else ends them.
#[tokio::test]
async fn nothing_is_left_of_a_killed_server() {
    let world = World::new().await;
    // Its own copy, so that its processes can be told from those of other tests.
    let copy = world.folder().join("jalm-copy");
    std::fs::copy(jalm_tests::binary(), &copy).unwrap();
    let runner = world.server().binary(copy.clone()).start().await;
    let script = json!({ "intent": "endless", "steps": [
        { "id": "a", "atom": "compute_script", "timeout": "10m", "input": { "script": "while (true) {}" } },
    ] });
    runner.exec(script.clone()).await;
    runner.exec(script).await;
    // A worker, and two children of it.
    let children = until("the scripts' processes", async || {
        let children = below(runner.pid());
        (children.len() >= 3).then_some(children)
    })
    .await;
    assert!(of_program(&copy).len() > 1);
    runner.kill().await;
    for child in children {
        until(&format!("the end of {child:?}"), async || (!child.lives()).then_some(())).await;
    }
    assert!(of_program(&copy).is_empty());
}

#[tokio::test]
async fn an_address_in_use_is_said_so() {
    let world = World::new().await;
    let runner = world.start().await;
    let other = World::new().await;
    let refused = other.server().listen(runner.address()).fails().await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.err.contains(runner.address()) && refused.err.contains("--listen"),
        "{refused:#?}"
    );
}
