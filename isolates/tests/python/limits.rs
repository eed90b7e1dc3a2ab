//! Threads and disk of one script, as its step may set them.

use crate::world::{World, at_each_strength, patient};
use jalm_isolates::{Limits, Strength};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;

at_each_strength! {
    async fn threads_are_bounded_by_what_the_step_says(world: World) {
        let source = "
import threading
gate = threading.Event()
threads = [threading.Thread(target=gate.wait, daemon=True) for _ in range(n)]
for thread in threads: thread.start()
gate.wait(1)
gate.set()
return len(threads)";
        // Each thread takes address space for its stack and its heap.
        let limits = Limits { processes: 20, memory: 8192 * MIB, ..patient() };
        let few = world.verdict(source, json!({ "n": 10 }), limits).await;
        assert_eq!(few.result, Ok(json!(10)));
        // It would wait a second, and is ended before.
        let many = world.verdict(source, json!({ "n": 30 }), limits).await;
        let error = many.result.unwrap_err();
        assert_eq!(error.code, "script_processes");
        assert!(error.message.contains("more than 20 threads"), "{error:?}");
        assert!(error.hint.unwrap().contains("`processes`"));
        let no_room = world.verdict(source, json!({ "n": 200 }), patient()).await;
        let error = no_room.result.unwrap_err();
        assert!(error.hint.unwrap().contains("`memory`"), "{}", error.message);
    }
}

#[tokio::test]
async fn the_folder_is_as_large_as_the_step_says() {
    let world = World::new(Strength::A);
    let source = "
with open('/tmp/x', 'wb') as file:
    for _ in range(n): file.write(bytes(1 << 20))
import os
return os.path.getsize('/tmp/x') >> 20";
    for (disk, n) in [(2 * MIB, 1), (64 * MIB, 60), (100 * MIB, 90)] {
        let limits = Limits { disk, ..patient() };
        let good = world.verdict(source, json!({ "n": n }), limits).await;
        assert_eq!(good.result, Ok(json!(n)), "{disk}");
    }
    for (disk, n) in [(2 * MIB, 3), (64 * MIB, 70), (100 * MIB, 110)] {
        let limits = Limits { disk, ..patient() };
        let error = world.verdict(source, json!({ "n": n }), limits).await.result.unwrap_err();
        assert_eq!(error.code, "script_disk", "{error:?}");
        assert!(error.message.contains(&format!("its folder takes {disk} bytes")), "{error:?}");
        assert!(error.hint.unwrap().contains("`disk`"));
    }
    assert_eq!(world.run("return 1", Value::Null).await, Ok(json!(1)));
}
