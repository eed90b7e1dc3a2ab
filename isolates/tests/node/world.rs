//! Isolates for one test.

use jalm_isolates::{
    Isolates, Job, Language, Limits, Options, Program, Runtime, Script, ScriptError, Strength,
    Verdict,
};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) strength: Strength,
    pub(crate) runtime: Runtime,
    _folder: tempfile::TempDir,
}

/// The runtimes that all of this holds for.
pub(crate) const RUNTIMES: [Runtime; 3] = [Runtime::Node, Runtime::Deno, Runtime::Bun];

/// The program of a runtime: what `scripts/setup.sh` got, else what the host has.
pub(crate) fn program(runtime: Runtime) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    let got = target.join("engines").join(runtime.name());
    if got.is_file() { got } else { runtime.name().into() }
}

/// Whether there is something to be tested.
pub(crate) fn there_is(runtime: Runtime) -> bool {
    let found = std::process::Command::new(program(runtime)).arg("--version").output().is_ok();
    if !found {
        println!("this host has no {}", runtime.name());
    }
    found
}

/// Isolates with all of them.
pub(crate) fn options(worker: PathBuf) -> Options {
    Options {
        node: program(Runtime::Node),
        deno: program(Runtime::Deno),
        bun: program(Runtime::Bun),
        ..Options::new(worker)
    }
}

impl World {
    /// At most of this strength.
    pub(crate) fn new(runtime: Runtime, strength: Strength) -> Self {
        Self::without(runtime, strength, &[])
    }

    /// Without some layers of the sandbox.
    pub(crate) fn without(runtime: Runtime, strength: Strength, layers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut name = "isolate-worker".to_owned();
        for layer in layers {
            name.push_str("+without-");
            name.push_str(layer);
        }
        let exe = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_isolate-worker"), &exe).unwrap();
        let isolates = Isolates::new(Options { maximum: strength, ..options(exe) });
        Self { isolates, strength, runtime, _folder: folder }
    }

    /// A script in JavaScript.
    pub(crate) fn js(&self, source: &str, variables: Value) -> Program {
        script(self.runtime, Language::JavaScript, source, variables)
    }

    /// A script in TypeScript.
    pub(crate) fn ts(&self, source: &str, variables: Value) -> Program {
        script(self.runtime, Language::TypeScript, source, variables)
    }

    /// What holds for this runtime.
    pub(crate) fn of<T>(&self, node: T, deno: T, bun: T) -> T {
        match self.runtime {
            Runtime::Deno => deno,
            Runtime::Bun => bun,
            Runtime::Node
            | Runtime::QuickJs
            | Runtime::Native
            | Runtime::Wasmtime
            | Runtime::Wasi => node,
        }
    }

    /// The same source with the descriptors of the runtime's own socket: for Deno 0 and 1.
    pub(crate) fn on_socket(&self, source: &str) -> String {
        let (from, to) = self.of(("3", "3"), ("0", "1"), ("3", "3"));
        source.replace("FROM", from).replace("TO", to)
    }

    pub(crate) async fn verdict(&self, program: Program, limits: Limits) -> Verdict {
        let verdict = self.isolates.run(Job { program, limits }).await.unwrap();
        let wanted = format!("process/{}", self.strength.name());
        assert!(verdict.isolation.starts_with(&wanted), "{}", verdict.isolation);
        verdict
    }

    pub(crate) async fn run(&self, source: &str, variables: Value) -> Result<Value, ScriptError> {
        self.verdict(self.js(source, variables), patient()).await.result
    }

    pub(crate) async fn good(&self, source: &str) -> Value {
        match self.run(source, Value::Null).await {
            Ok(value) => value,
            Err(error) => panic!("{source}\n{error:?}"),
        }
    }

    pub(crate) async fn wrong(&self, source: &str) -> ScriptError {
        match self.run(source, Value::Null).await {
            Ok(value) => panic!("{source}\ngave {value}"),
            Err(error) => error,
        }
    }
}

/// The ids of all processes that this one has started, and of those that they have.
pub(crate) fn descendants() -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let alive = !status.contains("State:\tZ");
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:\t"))?;
        alive.then(|| line.parse().ok()).flatten()
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![std::process::id()];
    let mut at = 0;
    while let Some(above) = found.get(at).copied() {
        found.extend(pids.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| pid));
        at += 1;
    }
    found.remove(0);
    found
}

/// Waits until so many processes are there.
pub(crate) async fn descendants_are(wanted: impl Fn(usize) -> bool) -> Vec<u32> {
    loop {
        let there = descendants();
        if wanted(there.len()) {
            return there;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn script(
    runtime: Runtime,
    language: Language,
    source: &str,
    variables: Value,
) -> Program {
    let variables = match variables {
        Value::Object(variables) => variables,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let source = source.to_owned();
    Program::Script(Script { language, runtime: Some(runtime), source, variables })
}

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), ..Limits::default() }
}

/// One test for each runtime and each strength in which native code may run.
macro_rules! at_each_strength {
    ($($(#[$about:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$about])* mod $name {
            use super::*;
            async fn check($world: World) $body
            async fn at(runtime: jalm_isolates::Runtime, strength: jalm_isolates::Strength) {
                if crate::world::there_is(runtime) {
                    check(World::new(runtime, strength)).await;
                }
            }
            crate::world::each!(node_a, Node, A);
            crate::world::each!(node_b, Node, B);
            crate::world::each!(deno_a, Deno, A);
            crate::world::each!(deno_b, Deno, B);
            crate::world::each!(bun_a, Bun, A);
            crate::world::each!(bun_b, Bun, B);
        })*
    };
}
pub(crate) use at_each_strength;

macro_rules! each {
    ($name:ident, $runtime:ident, $strength:ident) => {
        #[tokio::test]
        async fn $name() {
            at(jalm_isolates::Runtime::$runtime, jalm_isolates::Strength::$strength).await;
        }
    };
}
pub(crate) use each;
