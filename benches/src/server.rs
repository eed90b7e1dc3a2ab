//! The real server as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From exec to the first good answer of `/health`.
    pub(crate) start: Duration,
}

impl Server {
    /// Starts the server on a data folder.
    pub(crate) fn start(binary: &str, data: &Path) -> Self {
        let begin = Instant::now();
        #[expect(
            clippy::zombie_processes,
            reason = "a panic ends the benchmark, and the server with it"
        )]
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("JALM_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary} does not start: {error}"));
        let mut line = String::new();
        let output = child.stdout.take().expect("stdout is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the first line is text");
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("unexpected first line {line:?}"));
        loop {
            let health = crate::client::Client::connect(address).and_then(|mut client| {
                client.send(&crate::client::get("/health")).map(|(status, _)| status)
            });
            if matches!(health, Ok(200)) {
                return Self { child, address, start: begin.elapsed() };
            }
            assert!(begin.elapsed() < Duration::from_mins(1), "the server does not become healthy");
        }
    }

    /// Resident memory in MiB.
    pub(crate) fn rss(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|text| text.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
