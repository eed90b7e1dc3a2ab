//! Threads and disk of one script, as its step may set them.

use crate::world::{World, patient, there_is};
use jalm_isolates::{Limits, Runtime, Strength};
use serde_json::{Value, json};

#[tokio::test]
async fn threads_and_folder_are_bounded_by_what_the_step_says() {
    if !there_is(Runtime::Node) {
        return;
    }
    let world = World::new(Runtime::Node, Strength::A);
    let run = async |source: &str, limits: Limits| {
        world.verdict(world.js(source, Value::Null), limits).await.result
    };
    let limits = Limits { disk: 2 * 1024 * 1024, processes: 24, ..patient() };
    let write = "require('node:fs').writeFileSync('/tmp/x', Buffer.alloc(n << 20)); return n;";
    assert_eq!(run(&format!("const n = 1; {write}"), limits).await, Ok(json!(1)));
    let error = run(&format!("const n = 3; {write}"), limits).await.unwrap_err();
    assert_eq!(error.code, "script_disk", "{error:?}");
    let workers = "
const { Worker } = require('node:worker_threads');
const idle = () => new Worker('setInterval(() => {}, 1000)', { eval: true });
const all = Array.from({ length: 40 }, idle);
await new Promise(() => {});";
    let error = run(workers, limits).await.unwrap_err();
    assert_eq!(error.code, "script_processes", "{error:?}");
}
