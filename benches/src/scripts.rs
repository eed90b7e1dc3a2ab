//! Scripts through the whole runner: sandboxed, durable, over HTTP, one execution at a time.

use crate::client::{Client, post};
use crate::figures::{millis, percentile};
use crate::server::Server;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A script that adds one, in each language.
const ADD_ONE: &[(&str, &str)] = &[
    ("javascript", "return n + 1"),
    ("typescript", "return (n as number) + 1"),
    ("python", "return n + 1"),
    ("go", "return vars[\"n\"].(float64) + 1"),
    ("rust", "fn run(n: i64) -> i64 { n + 1 }"),
    (
        "wasm",
        "(module (func (export \"main\") (param i32) (result i32) local.get 0 i32.const 1 i32.add))",
    ),
];

const FIB_PYTHON: &str =
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nreturn fib(n)";
const FIB_GO: &str = "func run(vars map[string]any) (any, error) { return fib(int(vars[\"n\"].(float64))), nil }\n\nfunc fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }";
const FIB_JAVASCRIPT: &str =
    "const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(n)";

fn step(language: &str, script: &str, n: u32) -> Value {
    json!({
        "atom": "compute_script",
        "input": { "language": language, "script": script, "variables": { "n": n } },
    })
}

/// An intent of so many steps in sequence.
fn flow(language: &str, script: &str, n: u32, steps: usize) -> Value {
    json!({ "intent": "scripts", "steps": vec![step(language, script, n); steps] })
}

/// What is timed: its name, the intent, how often.
fn flows() -> Vec<(String, Value, usize)> {
    let mut flows: Vec<_> = ADD_ONE
        .iter()
        .map(|(language, script)| {
            (format!("one {language} step"), flow(language, script, 1, 1), 500)
        })
        .collect();
    for (name, language, script, n, steps, count) in [
        ("40 x fib(10) in python, in sequence", "python", FIB_PYTHON, 10, 40, 20),
        ("40 x fib(10) in javascript, in sequence", "javascript", FIB_JAVASCRIPT, 10, 40, 20),
        ("400 x fib(10) in go, in sequence", "go", FIB_GO, 10, 400, 1),
        ("10 x fib(33) in python, in sequence", "python", FIB_PYTHON, 33, 10, 3),
    ] {
        flows.push((name.to_owned(), flow(language, script, n, steps), count));
    }
    flows
}

pub(crate) fn scripts(binary: &str) {
    let flows = flows();
    let intents: Vec<_> = flows.iter().map(|(_, intent, count)| (intent.clone(), *count)).collect();
    let engine = crate::engine::sequence(binary, &intents);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(binary, folder.path());
    let mut client = Client::connect(server.address).expect("the server accepts");
    let mut time = |intent: &Value, count: usize| -> Vec<Duration> {
        let body = json!({ "jalm_config": intent });
        let request = post("/exec?wait=60s", &body.to_string());
        let mut one = || {
            let begin = Instant::now();
            let (status, body) = client.send(&request).expect("an answer comes");
            let time = begin.elapsed();
            crate::system::completed(status, body);
            time
        };
        // The first ones start what is started when it is needed.
        (0..3).for_each(|_| _ = one());
        (0..count).map(|_| one()).collect()
    };
    for ((name, intent, count), mut in_process) in flows.iter().zip(engine) {
        let mut over_http = time(intent, *count);
        let shown = |times: &mut [Duration]| {
            let [p50, p99] = [50, 99].map(|percent| millis(percentile(times, percent)));
            if times.len() < 100 {
                format!("{p50:.1} ms")
            } else {
                format!("{p50:.2} ms (p99 {p99:.2})")
            }
        };
        println!("{name}: engine {}, over HTTP {}", shown(&mut in_process), shown(&mut over_http));
    }
    bare_python();
}

/// What the interpreter alone needs for the same, without any runner.
fn bare_python() {
    let code = "import time\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nt = time.perf_counter()\nfor _ in range(10): fib(33)\nprint((time.perf_counter() - t) * 1000)";
    let output = std::process::Command::new("python3").args(["-c", code]).output();
    if let Ok(output) = output {
        let text = String::from_utf8_lossy(&output.stdout);
        println!("10 x fib(33) in one bare python3: {} ms", text.trim());
    }
}
