//! Every example of every atom works as it stands.

use super::{Reply, Stub, World};
use crate::atom::{Example, Setup};
use crate::catalog::catalog;
use serde_json::{Value, json};

/// Where examples think their service is.
const SERVICE: &str = "https://api.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn every_example_works_as_it_stands() {
    for entry in catalog().entries() {
        if entry.card.blocker == crate::Blocker::Isolate {
            continue;
        }
        for example in &entry.examples {
            check(entry.card.name, example).await;
        }
    }
}

pub(super) async fn check(atom: &str, example: &Example) {
    let (world, stub) = (World::new(), Stub::start().await);
    for setup in &example.setup {
        prepare(&world, &stub, setup).await;
    }
    let text = example.input.to_string().replace(SERVICE, &format!("http://{}", stub.address));
    let input = serde_json::from_str(&text).unwrap();
    let spec = &catalog().entry(atom).unwrap().spec;
    fits(atom, &spec.input_schema, &input);
    let output = world.run(atom, input).await;
    let output = output.unwrap_or_else(|failure| panic!("{atom}, {}: {failure:?}", example.title));
    assert!(holds(&output, &example.expect), "{atom}, {}: {output:#}", example.title);
    fits(atom, &spec.output_schema, &output);
    for key in output.as_object().unwrap().keys() {
        let known = spec.output_schema["properties"].get(key).is_some();
        assert!(known, "{atom}: `{key}` is not in its schema");
    }
    assert!((spec.effect_of)(&example.input) <= spec.effect, "{atom}: its effect is stronger");
}

fn fits(atom: &str, schema: &Value, value: &Value) {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    if let Err(error) = validator.validate(value) {
        panic!("{atom}: {error} at {} in {value:#}", error.instance_path());
    }
}

async fn prepare(world: &World, stub: &Stub, setup: &Setup) {
    match setup {
        Setup::File { path, content } => {
            let path = world.file(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Setup::Sql { connection, statements } => {
            let statements: Vec<Value> =
                statements.iter().map(|query| json!({ "query": query })).collect();
            let input = json!({ "connection": connection, "statements": statements });
            world.run("db_update", input).await.unwrap();
        }
        Setup::Cache { key, value } => {
            world.run("cache_set", json!({ "key": key, "value": value })).await.unwrap();
        }
        Setup::Http { method: _, path, status, body } => {
            let reply = Reply::status(*status);
            stub.on(
                path,
                if body.is_null() {
                    reply
                } else {
                    reply.header("content-type", "application/json").body(body.to_string())
                },
            );
        }
    }
}

/// Whether each key of `expected` stands in `found` with the same value.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value))),
        (found, expected) => found == expected,
    }
}
