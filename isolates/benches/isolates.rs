//! What a job costs, from asking to having the verdict. `cargo bench -p jalm-isolates`.

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
        _ => Program::Template {
            source: "{% for item in items %}{{ item.name }} {% endfor %}".to_owned(),
            includes: std::collections::BTreeMap::new(),
            data: Map::from_iter([("items".to_owned(), items.into())]),
            autoescape: true,
        },
    }
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
        for kind in ["javascript", "jq", "template"] {
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
