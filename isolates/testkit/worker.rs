//! A worker for the conformance suite: as `jalm __isolate-worker`, with the `Probe` program and
//! with switches (see `sandbox/switches.rs`). Besides, what the suite needs as a process of its
//! own: `probe` tries system calls outside any sandbox, `serve` is a server that can be killed.

use jalm_isolates::{Isolates, Job, Language, Limits, Options, Program, Script, Strength};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(jalm_isolates::WORKER_ARG) => jalm_isolates::worker_main(),
        #[expect(clippy::print_stdout, reason = "the answer of this program")]
        Some("probe") => println!("{}", jalm_isolates::probe(&arguments[1..])),
        Some("serve") => serve(&arguments[1..]),
        _ => std::process::exit(2),
    }
}

/// Runs endless scripts until it is killed, at most of the given strength; says when they run.
fn serve(arguments: &[String]) {
    let maximum = match arguments.first().map(String::as_str) {
        Some("B") => Strength::B,
        Some("C") => Strength::C,
        _ => Strength::A,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async move {
        let worker_exe = std::env::current_exe().unwrap_or_default();
        let options = Options {
            minimum: Strength::C,
            maximum,
            max_children: 2,
            isolate_ahead: 0,
            ..Options::new(worker_exe)
        };
        let isolates = Isolates::new(options);
        let job = || Job {
            program: Program::Script(Script {
                language: Language::JavaScript,
                runtime: None,
                source: "for (;;) {}".to_owned(),
                variables: serde_json::Map::new(),
            }),
            limits: Limits { wall: Duration::from_mins(10), ..Limits::default() },
        };
        let report = isolates.report().await;
        let both = async { tokio::join!(isolates.run(job()), isolates.run(job())) };
        #[expect(clippy::print_stdout, reason = "the answer of this program")]
        {
            println!("{}", report.summary());
        }
        let _ = both.await;
    });
}
