//! `GET /exec`: filters and pages.

use crate::{is_problem, pure};
use jalm_tests::{Runner, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ids(page: &Value) -> Vec<String> {
    let executions = page["executions"].as_array().unwrap().iter();
    executions.map(|one| one["execution_id"].as_str().unwrap().to_owned()).collect()
}

async fn pages(runner: &Runner, query: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = runner.get(&format!("/exec?{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{:#}", page.body);
        all.push(ids(&page.body));
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_hold_each_execution_once_newest_first() {
    let world = World::new().await;
    let runner = world.start().await;
    let mut expected = Vec::new();
    for _ in 0..23 {
        let ended = runner.run(pure("page")).await;
        expected.insert(0, ended["execution_id"].as_str().unwrap().to_owned());
    }
    let pages = pages(&runner, "limit=5").await;
    assert!(pages.iter().rev().skip(1).all(|page| page.len() == 5));
    assert_eq!(pages.concat(), expected);
}

#[tokio::test]
async fn new_executions_do_not_shift_the_pages() {
    let world = World::new().await;
    let runner = world.start().await;
    for _ in 0..6 {
        runner.run(pure("before")).await;
    }
    let first = runner.get("/exec?limit=3").await.body;
    runner.run(pure("between")).await;
    let next = first["next"].as_str().unwrap();
    let second = runner.get(&format!("/exec?limit=3&cursor={next}")).await.body;
    let both: BTreeSet<String> = ids(&first).into_iter().chain(ids(&second)).collect();
    assert_eq!(both.len(), 6);
}

#[tokio::test]
async fn filters_work_alone_and_together() {
    let world = World::new().await;
    let runner = world.start().await;
    let broken = json!({ "intent": "a", "steps": [{ "id": "x", "atom": "db_query", "input": { "query": "nonsense" } }] });
    let a = runner.run(pure("a")).await;
    let b = runner.run(pure("b")).await;
    let failed = runner.run(broken).await;
    assert_eq!(failed["status"], "failed");
    let id = |execution: &Value| execution["execution_id"].as_str().unwrap().to_owned();
    let found = async |query: &str| ids(&runner.get(&format!("/exec?{query}")).await.body);
    assert_eq!(found("intent=a").await, [id(&failed), id(&a)]);
    assert_eq!(found("status=completed").await, [id(&b), id(&a)]);
    assert_eq!(found("status=failed&intent=a").await, [id(&failed)]);
    assert!(found("status=running").await.is_empty());
    assert!(found("intent=nobody").await.is_empty());
    assert!(found("since=2999-01-01T00:00:00Z").await.is_empty());
    let since = b["created_at"].as_str().unwrap();
    let late = found(&format!("since={since}")).await;
    assert!(late.contains(&id(&b)) && late.contains(&id(&failed)), "{late:?}");
    let listed = runner.get("/exec?intent=b").await.body["executions"][0].clone();
    for key in [
        "execution_id",
        "intent",
        "status",
        "created_at",
        "started_at",
        "completed_at",
        "total_time",
    ] {
        assert_eq!(listed[key], b[key], "{key}");
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let world = World::new().await;
    let runner = world.start().await;
    for query in
        ["status=done", "since=yesterday", "limit=0", "limit=1001", "limit=x", "state=failed"]
    {
        is_problem(&runner.get(&format!("/exec?{query}")).await, 400, "bad_request");
    }
    is_problem(&runner.get("/exec?cursor=7").await, 400, "bad_id");
}
