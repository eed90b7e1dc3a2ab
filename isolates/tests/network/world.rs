//! Isolates for one test, and a way out that notes what it is asked.

use jalm_isolates::{
    Egress, Isolates, Job, Language, Limits, Options, Program, Refused, Runtime, Script,
    ScriptError, Strength, Verdict,
};
use serde_json::{Map, Value};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers every request with its own first line; tunnels answer in the same way.
#[derive(Default)]
pub(crate) struct Door {
    asked: Mutex<Vec<String>>,
    /// Runs that are served now.
    open: AtomicUsize,
}

struct Open(Arc<Door>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Egress for Door {
    fn serve(self: Arc<Self>, listener: TcpListener) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            self.open.fetch_add(1, Ordering::SeqCst);
            let _open = Open(Arc::clone(&self));
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(talk(Arc::clone(&self), stream));
            }
        })
    }
}

async fn talk(door: Arc<Door>, mut stream: TcpStream) {
    let mut said = String::new();
    loop {
        let Some(line) = head(&mut stream).await else { return };
        door.asked.lock().unwrap().push(line.clone());
        if line.starts_with("CONNECT ") {
            said = format!("{line} > ");
            stream.write_all(b"HTTP/1.1 200 Open\r\n\r\n").await.unwrap();
            continue;
        }
        let body = format!("{said}{line}");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The first line of a request without a body.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned())
}

impl Door {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) door: Arc<Door>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(strength: Strength) -> Self {
        Self::without(strength, &[])
    }

    /// Without some layers of the sandbox.
    pub(crate) fn without(strength: Strength, layers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut name = "isolate-worker".to_owned();
        for layer in layers {
            name.push_str("+without-");
            name.push_str(layer);
        }
        let exe: PathBuf = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_isolate-worker"), &exe).unwrap();
        let isolates = Isolates::new(Options { maximum: strength, ..Options::new(exe) });
        Self { isolates, door: Arc::default(), _folder: folder }
    }

    pub(crate) async fn try_run(&self, job: Job) -> Result<Verdict, Refused> {
        let egress: Arc<dyn Egress> = self.door.clone();
        self.isolates.run_online(job, None, Some(&egress)).await
    }

    pub(crate) async fn run(&self, kind: Lang, source: &str) -> Result<Value, ScriptError> {
        let verdict = self.try_run(job(kind, source)).await.unwrap();
        assert!(verdict.isolation.starts_with("process/A: "), "{}", verdict.isolation);
        assert!(verdict.isolation.ends_with(", egress proxy"), "{}", verdict.isolation);
        verdict.result
    }

    pub(crate) async fn good(&self, kind: Lang, source: &str) -> Value {
        self.run(kind, source).await.unwrap_or_else(|error| panic!("{source}\n{error:?}"))
    }

    pub(crate) async fn wrong(&self, kind: Lang, source: &str) -> ScriptError {
        match self.run(kind, source).await {
            Ok(value) => panic!("{source}\ngave {value}"),
            Err(error) => error,
        }
    }
}

pub(crate) type Lang = (Language, Option<Runtime>);

pub(crate) const PYTHON: Lang = (Language::Python, None);
pub(crate) const NODE: Lang = (Language::JavaScript, Some(Runtime::Node));
pub(crate) const GO: Lang = (Language::Go, None);
pub(crate) const RUST: Lang = (Language::Rust, None);

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), ..Limits::default() }
}

pub(crate) fn job((language, runtime): Lang, source: &str) -> Job {
    let source = source.to_owned();
    let script = Script { language, runtime, source, variables: Map::new() };
    Job { program: Program::Script(script), limits: patient() }
}

/// Whether this host has a command.
pub(crate) fn there_is(command: &str, question: &str) -> bool {
    let found = std::process::Command::new(command).arg(question).output().is_ok();
    if !found {
        println!("this host has no {command}");
    }
    found
}
