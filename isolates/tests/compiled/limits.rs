//! Threads and disk of one script, as its step may set them.

use crate::world::{World, patient, script, there_is};
use jalm_isolates::{Language, Limits, Strength};
use serde_json::{Value, json};

#[tokio::test]
async fn threads_and_folder_are_bounded_by_what_the_step_says() {
    if !there_is(Language::Rust) {
        return;
    }
    let world = World::new(Strength::A);
    let run = async |source: &str, variables: Value, limits: Limits| {
        world.verdict(script(Language::Rust, source, variables), limits).await.result
    };
    let limits = Limits { disk: 2 * 1024 * 1024, processes: 20, ..patient() };
    let write = "fn run(n: usize) -> Result<usize, std::io::Error> {
    std::fs::write(\"/tmp/x\", vec![1; n << 20])?;
    Ok(n)
}";
    assert_eq!(run(write, json!({ "n": 1 }), limits).await, Ok(json!(1)));
    let error = run(write, json!({ "n": 3 }), limits).await.unwrap_err();
    assert_eq!(error.code, "script_disk", "{error:?}");
    let threads = "fn run(n: usize) -> usize {
    let wait = std::time::Duration::from_secs(1);
    let all: Vec<_> = (0..n).map(|_| std::thread::spawn(move || std::thread::sleep(wait))).collect();
    all.into_iter().map(|one| one.join().unwrap()).count()
}";
    assert_eq!(run(threads, json!({ "n": 10 }), limits).await, Ok(json!(10)));
    let error = run(threads, json!({ "n": 30 }), limits).await.unwrap_err();
    assert_eq!(error.code, "script_processes", "{error:?}");
}
