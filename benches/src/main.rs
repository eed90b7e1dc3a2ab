//! The numbers of `docs/performance.md`: the engine in process, and the real server over HTTP.
//!
//! `make bench` builds everything with `--release` and runs all of it. Each figure is the median of
//! several rounds; the load comes from the same machine and shares its cores.
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

mod client;
mod engine;
mod figures;
mod intents;
mod scripts;
mod server;
mod system;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "all".to_owned());
    let binary = arguments.next().unwrap_or_else(|| "target/release/jalm".to_owned());
    let run = |name: &str| what == "all" || what == name;
    if run("engine") {
        engine::throughput();
    }
    if run("throughput") {
        system::throughput(&binary);
    }
    if run("latency") {
        system::latency(&binary);
    }
    if run("foreach") {
        system::foreach(&binary);
    }
    if run("start") {
        system::start(&binary);
    }
    if run("scripts") {
        scripts::scripts(&binary);
    }
    if run("history") {
        system::history(&binary);
    }
}
