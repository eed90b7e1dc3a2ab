//! What a job costs, from asking to having the verdict. `cargo bench -p jalm-isolates`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run may panic")]

use criterion::Criterion;
use jalm_isolates::{Isolates, Job, Language, Limits, Options, Program, Script, Strength};
use serde_json::{Map, Value, json};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn program(kind: &str) -> Program {
    let items: Vec<Value> =
        (0..5).map(|n| json!({ "n": n, "name": format!("item {n}") })).collect();
    match kind {
        "javascript" => Program::Script(Script {
            language: Language::JavaScript,
            runtime: None,
            source: "return { sum: items.reduce((s, i) => s + i.n, 0), names: items.map((i) => i.name).join() }".to_owned(),
            variables: Map::from_iter([("items".to_owned(), items.into())]),
        }),
        "jq" => Program::Jq {
            filter: "{ sum: map(.n) | add, names: map(.name) | join(\",\") }".to_owned(),
            input: items.into(),
            variables: Map::new(),
        },
        "wasm" => module(r#"(module (func (export "main") (param $n i32) (result i32) (i32.mul (local.get $n) (local.get $n))))"#, &items),
        "wasm that reads and prints" => module(ECHO, &items),
        _ => Program::Template {
            source: "{% for item in items %}{{ item.name }} {% endfor %}".to_owned(),
            includes: std::collections::BTreeMap::new(),
            data: Map::from_iter([("items".to_owned(), items.into())]),
            autoescape: true,
        },
    }
}

/// A WASI command that prints its variables.
const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 60000))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

fn module(source: &str, items: &[Value]) -> Program {
    let variables = json!({ "n": 7, "items": items });
    Program::Script(Script {
        language: Language::Wasm,
        runtime: None,
        source: source.to_owned(),
        variables: variables.as_object().cloned().unwrap_or_default(),
    })
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for maximum in [Strength::A, Strength::C] {
        let worker_exe = env!("CARGO_BIN_EXE_isolate-worker").into();
        let options =
            Options { minimum: Strength::C, maximum, max_children: 4, ..Options::new(worker_exe) };
        let isolates = Isolates::new(options);
        let strength = runtime.block_on(isolates.report()).strength;
        for kind in ["javascript", "jq", "template", "wasm", "wasm that reads and prints"] {
            let name = format!("{kind} at {}", strength.map_or("none", Strength::name));
            let mut group = criterion.benchmark_group("isolates");
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let job = Job { program: program(kind), limits: Limits::default() };
                    let verdict = runtime.block_on(isolates.run(job)).unwrap();
                    black_box(verdict.result.unwrap())
                });
            });
            group.finish();
        }
    }
}
