//! The real server over HTTP.

use crate::client::{Client, get, post};
use crate::figures::{median, millis, percentile};
use crate::intents::{pure_foreach, pure_steps};
use crate::server::Server;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const AT_ONCE: usize = 128;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

fn exec(intent: &Value, n: u64) -> Vec<u8> {
    post("/exec?wait=60s", &json!({ "jalm_config": intent, "params": { "n": n } }).to_string())
}

/// Executions at concurrency 128: ten steps and one.
pub(crate) fn throughput(binary: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(binary, folder.path());
    for steps in [10, 1] {
        let request = exec(&pure_steps(steps), 1);
        load(server.address, &request, Duration::from_millis(500));
        let mut rates: Vec<f64> =
            (0..ROUNDS).map(|_| load(server.address, &request, ROUND)).collect();
        let rate = median(&mut rates);
        println!(
            "HTTP, {steps} pure step(s) x {AT_ONCE}: {rate:.0} executions/s, {:.0} durable steps/s; RSS {:.0} MiB",
            rate * f64::from(u32::try_from(steps).unwrap_or(0)),
            server.rss()
        );
    }
}

/// An execution that failed would be a fast one.
pub(crate) fn completed(status: u16, body: &[u8]) {
    let wanted = b"\"status\":\"completed\"";
    let start = &body[..body.len().min(300)];
    let good = status == 200 && start.windows(wanted.len()).any(|window| window == wanted);
    assert!(good, "{status}: {}", String::from_utf8_lossy(&body[..body.len().min(2000)]));
}

/// Closed loop: every connection waits for its answer. Two threads drive all connections.
fn load(address: SocketAddr, request: &[u8], time: Duration) -> f64 {
    let begin = Instant::now();
    let count: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                std::thread::Builder::new()
                    .stack_size(128 * 1024)
                    .spawn_scoped(scope, move || {
                        let mut client = Client::connect(address).expect("the server accepts");
                        let mut count = 0_u64;
                        while begin.elapsed() < time {
                            let (status, body) = client.send(request).expect("an answer comes");
                            completed(status, body);
                            count += 1;
                        }
                        count
                    })
                    .expect("a thread starts")
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client ends")).sum()
    });
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / begin.elapsed().as_secs_f64()
}

/// One execution at a time.
pub(crate) fn latency(binary: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(binary, folder.path());
    for steps in [1, 10] {
        let request = exec(&pure_steps(steps), 1);
        let mut client = Client::connect(server.address).expect("the server accepts");
        let mut times: Vec<Duration> = (0..3000)
            .map(|_| {
                let begin = Instant::now();
                let (status, body) = client.send(&request).expect("an answer comes");
                let time = begin.elapsed();
                completed(status, body);
                time
            })
            .skip(200)
            .collect();
        println!(
            "HTTP, {steps} pure step(s), one at a time: p50 {:.2} ms, p99 {:.2} ms",
            millis(percentile(&mut times, 50)),
            millis(percentile(&mut times, 99))
        );
    }
}

/// A loop of pure items: the time must grow with their number, not faster.
pub(crate) fn foreach(binary: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(binary, folder.path());
    for items in [1000, 10_000, 100_000] {
        let request = exec(&pure_foreach(), items);
        let mut client = Client::connect(server.address).expect("the server accepts");
        let mut times: Vec<Duration> = (0..5)
            .map(|_| {
                let begin = Instant::now();
                let (status, body) = client.send(&request).expect("an answer comes");
                let time = begin.elapsed();
                completed(status, body);
                time
            })
            .collect();
        println!(
            "HTTP, foreach over {items} pure items: {:.0} ms",
            millis(percentile(&mut times, 50))
        );
    }
}

/// Start-up and idle memory.
pub(crate) fn start(binary: &str) {
    let mut starts = Vec::new();
    let mut rss = Vec::new();
    for _ in 0..20 {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(binary, folder.path());
        starts.push(server.start);
        rss.push(server.rss());
    }
    println!(
        "exec to good /health: p50 {:.1} ms, p99 {:.1} ms; idle RSS {:.1} MiB",
        millis(percentile(&mut starts, 50)),
        millis(percentile(&mut starts, 99)),
        median(&mut rss)
    );
}

/// A million finished executions in the store.
pub(crate) fn history(binary: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted: u64 = std::env::var("JALM_BENCH_HISTORY")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let ids = crate::engine::fill(folder.path(), wanted);
    let server = Server::start(binary, folder.path());
    let mut client = Client::connect(server.address).expect("the server accepts");
    let mut measure = |name: &str, requests: &[Vec<u8>]| {
        let mut times: Vec<Duration> = requests
            .iter()
            .map(|request| {
                let begin = Instant::now();
                let (status, body) = client.send(request).expect("an answer comes");
                assert_eq!(
                    status,
                    200,
                    "{}",
                    String::from_utf8_lossy(&body[..body.len().min(500)])
                );
                begin.elapsed()
            })
            .collect();
        println!(
            "{wanted} finished executions, {name}: p50 {:.2} ms, p99 {:.2} ms",
            millis(percentile(&mut times, 50)),
            millis(percentile(&mut times, 99))
        );
    };
    let lists: Vec<Vec<u8>> = (0..500)
        .map(|n| match n % 4 {
            0 => get("/exec?limit=50"),
            1 => get("/exec?limit=50&status=completed"),
            2 => get("/exec?limit=50&intent=pure-1"),
            _ => get(&format!("/exec?limit=50&cursor={}", ids[n * 7 % ids.len()])),
        })
        .collect();
    measure("GET /exec?limit=50 (four filters)", &lists);
    let one: Vec<Vec<u8>> =
        (0..500).map(|n| get(&format!("/exec/{}", ids[n * 131 % ids.len()]))).collect();
    measure("GET /exec/{id}", &one);
    println!("{wanted} finished executions, exec to good /health: {:.1} ms", millis(server.start));
    drop(server);
    let again = Server::start(binary, folder.path());
    println!(
        "{wanted} finished executions, second start: {:.1} ms; RSS {:.1} MiB",
        millis(again.start),
        again.rss()
    );
}
