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
    (
        "wasm",
        "(module (func (export \"main\") (param i32) (result i32) local.get 0 i32.const 1 i32.add))",
    ),
];

const FIB_PYTHON: &str =
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nreturn fib(n)";
const FIB_JAVASCRIPT: &str =
    "const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(n)";

fn step(language: &str, script: &str, n: u32) -> Value {
    json!({
        "atom": "compute_script",
        "input": { "language": language, "script": script, "variables": { "n": n } },
    })
}

/// A request for so many steps in sequence.
fn flow(language: &str, script: &str, n: u32, steps: usize) -> Vec<u8> {
    let steps = vec![step(language, script, n); steps];
    let body = json!({ "jalm_config": { "intent": "scripts", "steps": steps } });
    post("/exec?wait=60s", &body.to_string())
}

pub(crate) fn scripts(binary: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(binary, folder.path());
    let mut client = Client::connect(server.address).expect("the server accepts");
    let mut time = |request: &[u8], count: usize| -> Vec<Duration> {
        // The first ones start what is started when it is needed.
        for _ in 0..3 {
            let (status, body) = client.send(request).expect("an answer comes");
            crate::system::completed(status, body);
        }
        (0..count)
            .map(|_| {
                let begin = Instant::now();
                let (status, body) = client.send(request).expect("an answer comes");
                let time = begin.elapsed();
                crate::system::completed(status, body);
                time
            })
            .collect()
    };
    for (language, script) in ADD_ONE {
        let mut times = time(&flow(language, script, 1, 1), 500);
        println!(
            "one {language} step: p50 {:.2} ms, p99 {:.2} ms",
            millis(percentile(&mut times, 50)),
            millis(percentile(&mut times, 99))
        );
    }
    for (name, language, script, n, steps) in [
        ("40 x fib(10)", "python", FIB_PYTHON, 10, 40),
        ("40 x fib(10)", "javascript", FIB_JAVASCRIPT, 10, 40),
        ("10 x fib(33)", "python", FIB_PYTHON, 33, 10),
    ] {
        let count = if n > 20 { 3 } else { 20 };
        let mut times = time(&flow(language, script, n, steps), count);
        println!("{name} in {language}, in sequence: {:.1} ms", millis(percentile(&mut times, 50)));
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
