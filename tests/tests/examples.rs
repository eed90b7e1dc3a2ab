//! The examples that people copy: those of the atoms, and the intents in `examples/`.

use jalm_tests::World;
use serde_json::{Value, json};
use std::path::Path;

/// Whether each key of `expected` stands in `found` with the same value.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value))),
        (found, expected) => found == expected,
    }
}

/// The steps that make what an example needs to find; none if it is a service on the network, for
/// which the layers have tests of their own.
fn preparation(setup: &Value) -> Option<Value> {
    let (kind, what) = setup.as_object()?.iter().next()?;
    match kind.as_str() {
        "file" => Some(json!({
            "atom": "file_write", "input": { "path": what["path"], "content": "{{ params.content }}" },
        })),
        "sql" => {
            let statements =
                what["statements"].as_array()?.iter().map(|query| json!({ "query": query }));
            Some(json!({
                "atom": "db_update",
                "input": { "connection": what["connection"], "statements": statements.collect::<Vec<_>>() },
            }))
        }
        "cache" => Some(json!({ "atom": "cache_set", "input": what })),
        _ => None,
    }
}

/// Every example of every atom, through the whole runner: the API, the engine, the real isolates.
#[tokio::test]
async fn every_example_of_an_atom_works_as_it_stands() {
    let world = World::new().await;
    let atoms = world.jalm(["atoms", "--json"]).run().await.json();
    let mut ran = 0;
    for atom in atoms.as_array().unwrap() {
        let name = atom["card"]["name"].as_str().unwrap();
        for example in atom["examples"].as_array().unwrap() {
            let setups = example["setup"].as_array().unwrap();
            if setups.iter().any(|setup| setup.get("http").is_some()) {
                continue;
            }
            // A world of its own, so that no example finds what another one left.
            let world = World::new().await;
            let runner = world.start().await;
            for setup in setups {
                let mut step = preparation(setup).unwrap();
                step["id"] = json!("prepare");
                let body = json!({
                    "jalm_config": { "intent": "example", "steps": [step] },
                    "params": { "content": setup["file"]["content"] },
                });
                let answer = runner.post("/exec?wait=60s", &body).await;
                assert_eq!(answer.body["status"], "completed", "{name}: {:#}", answer.body);
            }
            let step = json!({ "id": "example", "atom": name, "input": example["input"] });
            let done = runner.run(json!({ "intent": "example", "steps": [step] })).await;
            assert_eq!(done["status"], "completed", "{name}: {done:#}");
            let output = &done["steps"][0]["output"];
            assert!(holds(output, &example["expect"]), "{name}: {output:#}");
            ran += 1;
        }
    }
    assert!(ran > 20, "only {ran} examples ran");
}

/// What `make demo` runs, against a service of this test's own.
#[tokio::test]
async fn the_six_layers_come_to_their_end() {
    let world = World::new().await;
    let orders = json!({ "orders": [
        { "id": 1, "item": "apples", "quantity": 3, "price": 0.4 },
        { "id": 2, "item": "bread", "quantity": 1, "price": 3.2 },
    ] });
    world.stub().answer("/orders.json", orders);
    let service = world.stub().url("/orders.json");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/six-layers.yaml");
    let intent = std::fs::read_to_string(file).unwrap();
    let runner = world.start().await;
    let body = json!({ "jalm_config": intent, "params": { "source": service } });
    for _ in 0..2 {
        // The second time finds the table and the orders there already.
        let done = runner.post("/exec?wait=60s", &body).await.body;
        assert_eq!(done["status"], "completed", "{done:#}");
        assert_eq!(done["output"]["total"], json!({ "quantity": 4, "amount": 4.4 }));
    }
    let report = std::fs::read_to_string(world.data().join("files/reports/orders.html")).unwrap();
    assert!(report.contains("<h1>4 pieces, 4.4 EUR</h1>"), "{report}");
    let queue = runner.get("/queues/orders").await.body;
    assert_eq!(queue.to_string().matches("reports/orders.html").count(), 2, "{queue:#}");
}
