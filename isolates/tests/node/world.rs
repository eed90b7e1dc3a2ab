//! Isolates for one test.

use jalm_isolates::{
    Isolates, Job, Language, Limits, Options, Program, Runtime, Script, ScriptError, Strength,
    Verdict,
};
use serde_json::{Map, Value};
use std::time::Duration;

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) strength: Strength,
    _folder: tempfile::TempDir,
}

/// Whether there is a Node to be tested.
pub(crate) fn there_is_node() -> bool {
    let found = std::process::Command::new("node").arg("--version").output().is_ok();
    if !found {
        println!("this host has no Node");
    }
    found
}

impl World {
    /// At most of this strength.
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
        let exe = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_isolate-worker"), &exe).unwrap();
        let isolates = Isolates::new(Options { maximum: strength, ..Options::new(exe) });
        Self { isolates, strength, _folder: folder }
    }

    pub(crate) async fn verdict(&self, program: Program, limits: Limits) -> Verdict {
        let verdict = self.isolates.run(Job { program, limits }).await.unwrap();
        let wanted = format!("process/{}", self.strength.name());
        assert!(verdict.isolation.starts_with(&wanted), "{}", verdict.isolation);
        verdict
    }

    pub(crate) async fn run(&self, source: &str, variables: Value) -> Result<Value, ScriptError> {
        self.verdict(js_with(source, variables), patient()).await.result
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

pub(crate) fn js_with(source: &str, variables: Value) -> Program {
    script(Language::JavaScript, source, variables)
}

pub(crate) fn ts_with(source: &str, variables: Value) -> Program {
    script(Language::TypeScript, source, variables)
}

fn script(language: Language, source: &str, variables: Value) -> Program {
    let variables = match variables {
        Value::Object(variables) => variables,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let source = source.to_owned();
    Program::Script(Script { language, runtime: Some(Runtime::Node), source, variables })
}

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), ..Limits::default() }
}

/// One test for each strength in which native code may run.
macro_rules! at_each_strength {
    ($($(#[$about:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$about])* mod $name {
            use super::*;
            async fn check($world: World) $body
            #[tokio::test]
            async fn strength_a() {
                if crate::world::there_is_node() {
                    check(World::new(jalm_isolates::Strength::A)).await;
                }
            }
            #[tokio::test]
            async fn strength_b() {
                if crate::world::there_is_node() {
                    check(World::new(jalm_isolates::Strength::B)).await;
                }
            }
        })*
    };
}
pub(crate) use at_each_strength;
