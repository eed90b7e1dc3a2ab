//! `GET /exec/{id}/events`: the journal as it becomes durable.

use crate::{get, is_problem};
use jalm_tests::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn events_come_in_order_without_gaps_and_end_with_the_execution() {
    let world = World::new().await;
    let runner = world.start().await;
    world.stub().hold("/held");
    let id = runner.exec(get(world.stub().url("/held"))).await;
    let mut live = runner.events(&id, None).await;
    let first = live.next().await.unwrap();
    assert_eq!((first.id, first.kind.as_str()), (0, "submitted"));
    world.stub().release("/held");
    let mut all = vec![first];
    all.extend(live.rest().await);
    let ids: Vec<u64> = all.iter().map(|event| event.id).collect();
    assert_eq!(ids, (0..all.len() as u64).collect::<Vec<_>>());
    assert_eq!(all.last().unwrap().kind, "completed");
    assert!(all.iter().any(|event| event.kind == "done"));
    // Whoever comes later gets the same.
    assert_eq!(runner.events(&id, None).await.rest().await, all);
}

#[tokio::test]
async fn a_client_goes_on_behind_the_last_event_that_it_has() {
    let world = World::new().await;
    let runner = world.start().await;
    let id =
        runner.run(get(world.stub().url("/x"))).await["execution_id"].as_str().unwrap().to_owned();
    let all = runner.events(&id, None).await.rest().await;
    for (index, event) in all.iter().enumerate() {
        let rest = runner.events(&id, Some(event.id)).await.rest().await;
        assert_eq!(rest, all[index + 1..]);
    }
    let path = format!("/exec/{id}/events");
    let from = runner.get(&format!("{path}?from=1")).await;
    let text = from.body.as_str().unwrap();
    assert_eq!(text.matches("id:").count(), all.len() - 1, "{text}");
    let request = runner.request(Method::GET, &path).header("last-event-id", "x");
    is_problem(&runner.send(request).await, 400, "bad_request");
}

/// Record before reveal: a server that dies right after an event has the event.
#[tokio::test]
async fn whoever_saw_an_event_finds_it_after_a_kill() {
    let world = World::new().await;
    for round in 0..5 {
        let runner = world.start().await;
        let steps = json!([
            { "id": "a", "atom": "generate_uuid" },
            { "id": "b", "atom": "generate_uuid" },
            { "id": "c", "atom": "get_timestamp" },
        ]);
        let id = runner.exec(json!({ "intent": "seen", "steps": steps })).await;
        let mut stream = runner.events(&id, None).await;
        let mut seen = Vec::new();
        while seen.len() <= round {
            seen.extend(stream.next().await);
        }
        runner.kill().await;
        let runner = world.start().await;
        let all = runner.events(&id, None).await.rest().await;
        assert_eq!(all[..seen.len()], seen[..]);
        assert_eq!(runner.wait(&id).await["status"], "completed");
    }
}
