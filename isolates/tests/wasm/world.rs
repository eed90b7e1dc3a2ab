//! Isolates for one test, and short ways to write modules.

use jalm_isolates::{
    Isolates, Job, Language, Limits, Options, Program, Refused, Script, ScriptError, Strength,
    Verdict,
};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const MIB: u64 = 1024 * 1024;

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) strength: Strength,
    exe: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    /// None, and a word about it, if the host does not give this strength.
    pub(crate) async fn at(strength: Strength) -> Option<Self> {
        let world = Self::with(strength, &[], 2);
        let report = world.isolates.report().await;
        if report.strength == Some(strength) {
            return Some(world);
        }
        println!("this host gives no strength {}: {}", strength.name(), report.missing());
        None
    }

    /// At most of this strength, without some layers, with so many runners.
    pub(crate) fn with(strength: Strength, layers: &[&str], wasm_runners: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut name = "isolate-worker".to_owned();
        for layer in layers {
            name.push_str("+without-");
            name.push_str(layer);
        }
        let exe = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_isolate-worker"), &exe).unwrap();
        let options = Options {
            minimum: Strength::C,
            maximum: strength,
            wasm_runners,
            ..Options::new(exe.clone())
        };
        Self { isolates: Isolates::new(options), strength, exe, _folder: folder }
    }

    /// One runner at once, of which so many are kept.
    pub(crate) fn keeping(strength: Strength, wasm_kept: usize) -> Self {
        let world = Self::with(strength, &[], 1);
        let options = Options {
            minimum: Strength::C,
            maximum: strength,
            wasm_kept,
            ..Options::new(world.exe.clone())
        };
        Self { isolates: Isolates::new(options), ..world }
    }

    pub(crate) async fn try_run(
        &self,
        source: &str,
        variables: Value,
        limits: Limits,
    ) -> Result<Verdict, Refused> {
        self.isolates.run(Job { program: wasm(source, variables), limits }).await
    }

    pub(crate) async fn verdict(&self, source: &str, variables: Value, limits: Limits) -> Verdict {
        let verdict = self.try_run(source, variables, limits).await.unwrap();
        let wanted = format!("wasm/{}: wasmtime, ", self.strength.name());
        assert!(verdict.isolation.starts_with(&wanted), "{}", verdict.isolation);
        verdict
    }

    pub(crate) async fn run(&self, source: &str, variables: Value) -> Result<Value, ScriptError> {
        self.verdict(source, variables, patient()).await.result
    }

    pub(crate) async fn good(&self, source: &str) -> Value {
        match self.run(source, Value::Null).await {
            Ok(value) => value,
            Err(error) => panic!("{source}\n{error:?}"),
        }
    }

    pub(crate) async fn wrong(&self, source: &str) -> ScriptError {
        self.wrong_within(source, patient()).await
    }

    pub(crate) async fn wrong_within(&self, source: &str, limits: Limits) -> ScriptError {
        match self.verdict(source, Value::Null, limits).await.result {
            Ok(value) => panic!("{source}\ngave {value}"),
            Err(error) => error,
        }
    }

    pub(crate) async fn still_works(&self) {
        assert_eq!(self.good(&constant(42)).await, 42);
    }

    /// The ids of all processes that run WebAssembly for this world.
    pub(crate) fn runners(&self) -> Vec<u32> {
        self.processes()
            .into_iter()
            .filter(|(_, command)| command.contains("\0wasm"))
            .map(|(pid, _)| pid)
            .collect()
    }

    /// All processes of this world, with their commands.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let entries = std::fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let one = |pid: u32| {
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mine = command.starts_with(self.exe.to_str()?) && !status.contains(") Z ");
            mine.then_some((pid, command))
        };
        pids.filter_map(one).collect()
    }

    /// Waits until the processes that run WebAssembly are as wanted.
    pub(crate) async fn runners_are(&self, wanted: impl Fn(&[u32]) -> bool) -> Vec<u32> {
        loop {
            let there = self.runners();
            if wanted(&there) {
                return there;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub(crate) fn wasm(source: &str, variables: Value) -> Program {
    let variables = match variables {
        Value::Object(variables) => variables,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    Program::Script(Script {
        language: Language::Wasm,
        runtime: None,
        source: source.to_owned(),
        variables,
    })
}

/// For what should end well, on a busy machine too.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), memory: 32 * MIB, output: MIB, ..Limits::default() }
}

/// For what must be stopped by the clock.
pub(crate) fn hasty() -> Limits {
    Limits { wall: Duration::from_millis(300), ..patient() }
}

/// A module whose `main` gives a number.
pub(crate) fn constant(number: i32) -> String {
    format!(r#"(module (func (export "main") (result i32) (i32.const {number})))"#)
}

/// A WASI command that may read and print; `body` is its `_start`. There is a page of memory;
/// `$print` prints so many bytes from a place to a descriptor.
pub(crate) fn command(body: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $print (param $fd i32) (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") {body})
  {DATA})"#
    )
}

/// At 1024: a word, a JSON object, a line.
const DATA: &str = r#"(data (i32.const 1024) "hello\n")
  (data (i32.const 1040) "{\"a\": [1, 2.5]}")"#;

/// One test for each strength, in the modules `a`, `b` and `c`.
macro_rules! at_each_strength {
    ($($(#[$about:meta])* async fn $name:ident($world:ident: &World) $body:block)*) => {
        $($(#[$about])* async fn $name($world: &crate::world::World) $body)*
        $crate::world::at_each_strength!(@ a A $($name)*);
        $crate::world::at_each_strength!(@ b B $($name)*);
        $crate::world::at_each_strength!(@ c C $($name)*);
    };
    (@ $module:ident $strength:ident $($name:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $name() {
                let strength = jalm_isolates::Strength::$strength;
                if let Some(world) = crate::world::World::at(strength).await {
                    super::$name(&world).await;
                }
            })*
        }
    };
}
pub(crate) use at_each_strength;
