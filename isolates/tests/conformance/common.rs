//! A worker of its own for each test, and short ways to run things in it.

use jalm_isolates::{
    Isolates, Job, Language, Limits, Options, Program, Refused, Script, ScriptError, Strength,
    Verdict,
};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const MIB: u64 = 1024 * 1024;

/// The real worker, built for this suite.
pub(crate) fn worker_exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_isolate-worker"))
}

/// Isolates with a worker that has a name of its own, by which its processes are found.
pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) exe: PathBuf,
    pub(crate) _folder: tempfile::TempDir,
}

impl World {
    /// None, and a word about it, if the host does not give this strength.
    pub(crate) async fn at(strength: Strength) -> Option<Self> {
        let world = Self::without(strength, &[]);
        let report = world.isolates.report().await;
        if report.strength == Some(strength) {
            return Some(world);
        }
        println!("this host gives no strength {}: {}", strength.name(), report.missing());
        None
    }

    /// At most of this strength, and without some layers of the sandbox.
    pub(crate) fn without(maximum: Strength, layers: &[&str]) -> Self {
        Self::with(maximum, layers, 4)
    }

    pub(crate) fn with(maximum: Strength, layers: &[&str], max_children: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut name = "isolate-worker".to_owned();
        for layer in layers {
            name.push_str("+without-");
            name.push_str(layer);
        }
        let exe = folder.path().join(name);
        std::os::unix::fs::symlink(worker_exe(), &exe).unwrap();
        let isolates = Isolates::new(Options {
            minimum: Strength::C,
            maximum,
            max_children,
            // So that a world at rest has no process but its worker's.
            isolate_ahead: 0,
            ..Options::new(exe.clone())
        });
        Self { isolates, exe, _folder: folder }
    }

    /// The same with so many processes that are locked in before any script comes.
    pub(crate) fn ahead(maximum: Strength, layers: &[&str], isolate_ahead: usize) -> Self {
        let world = Self::without(maximum, layers);
        let (minimum, exe) = (Strength::C, world.exe.clone());
        let options = Options { minimum, maximum, isolate_ahead, ..Options::new(exe) };
        Self { isolates: Isolates::new(options), ..world }
    }

    pub(crate) async fn run(&self, program: Program, limits: Limits) -> Result<Verdict, Refused> {
        self.isolates.run(Job { program, limits }).await
    }

    /// What a script comes to, within limits that no honest script notices.
    pub(crate) async fn js(&self, source: &str) -> Verdict {
        self.run(js(source), patient()).await.unwrap()
    }

    /// The result of a script that is in order.
    pub(crate) async fn js_ok(&self, source: &str) -> Value {
        let verdict = self.js(source).await;
        verdict.result.unwrap_or_else(|error| panic!("{source}\n{error:#?}"))
    }

    pub(crate) async fn js_error(&self, source: &str) -> ScriptError {
        self.js(source).await.result.expect_err(source)
    }

    pub(crate) async fn jq(&self, filter: &str, input: Value) -> Result<Value, ScriptError> {
        let program = Program::Jq { filter: filter.to_owned(), input, variables: Map::new() };
        self.run(program, patient()).await.unwrap().result
    }

    pub(crate) async fn template(&self, source: &str, data: Value) -> Result<String, ScriptError> {
        let result = self.run(template(source, data), patient()).await.unwrap().result;
        result.map(|text| text.as_str().unwrap().to_owned())
    }

    pub(crate) async fn probe(&self, attempts: &[&str]) -> Map<String, Value> {
        let program =
            Program::Probe { attempts: attempts.iter().map(|&name| name.to_owned()).collect() };
        let result = self.run(program, patient()).await.unwrap().result.unwrap();
        result.as_object().unwrap().clone()
    }

    /// What came of one attempt.
    pub(crate) async fn probe_one(&self, attempt: &str) -> Value {
        self.probe(&[attempt]).await.remove(attempt).unwrap()
    }

    /// The sandbox still works after whatever happened.
    pub(crate) async fn still_works(&self) {
        assert_eq!(self.js_ok("return 6 * 7").await, 42);
    }

    /// The ids of all processes that belong to this world's worker.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes_of(&self.exe)
    }

    /// The processes of a worker that runs nothing: it answers before a script's process is gone.
    pub(crate) async fn idle(&self) -> Vec<u32> {
        self.still_works().await;
        // With namespaces, one process waits for the first one inside.
        let strength = self.isolates.report().await.strength;
        let worker = if strength == Some(Strength::A) { 2 } else { 1 };
        self.processes_are(|now| now == worker).await
    }

    /// Waits until so many processes are there.
    pub(crate) async fn processes_are(&self, wanted: impl Fn(usize) -> bool) -> Vec<u32> {
        loop {
            let there = self.processes();
            if wanted(there.len()) {
                return there;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Processes that were started from this path, and their copies.
pub(crate) fn processes_of(exe: &Path) -> Vec<u32> {
    let mine = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        command.starts_with(exe.as_os_str().as_encoded_bytes()) && !status.contains(") Z ")
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(mine).collect()
}

pub(crate) fn js(source: &str) -> Program {
    js_with(source, Value::Object(Map::new()))
}

pub(crate) fn js_with(source: &str, variables: Value) -> Program {
    let variables = variables.as_object().unwrap().clone();
    let (language, source) = (Language::JavaScript, source.to_owned());
    Program::Script(Script { language, runtime: None, source, variables })
}

pub(crate) fn template(source: &str, data: Value) -> Program {
    Program::Template {
        source: source.to_owned(),
        includes: std::collections::BTreeMap::new(),
        data: data.as_object().unwrap().clone(),
        autoescape: true,
    }
}

/// For what should end well, on a busy machine too.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), memory: 32 * MIB, output: MIB, ..Limits::default() }
}

/// For what must be stopped by the clock.
pub(crate) fn hasty() -> Limits {
    Limits { wall: Duration::from_millis(300), ..patient() }
}

/// Each test three times, in the modules `a`, `b` and `c`.
macro_rules! at_each_strength {
    ($($(#[$about:meta])* async fn $name:ident($world:ident: &World) $body:block)*) => {
        $($(#[$about])* async fn $name($world: &crate::common::World) $body)*
        at_each_strength!(@ a A $($name)*);
        at_each_strength!(@ b B $($name)*);
        at_each_strength!(@ c C $($name)*);
    };
    (@ $module:ident $strength:ident $($name:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $name() {
                let strength = jalm_isolates::Strength::$strength;
                if let Some(world) = crate::common::World::at(strength).await {
                    super::$name(&world).await;
                }
            })*
        }
    };
}
