//! Isolates for one test.

use jalm_isolates::{
    Isolates, Job, Language, Limits, Options, Program, Script, ScriptError, Strength, Verdict,
};
use serde_json::{Map, Value};
use std::time::Duration;

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) strength: Strength,
    exe: std::path::PathBuf,
    _folder: tempfile::TempDir,
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
        let isolates = Isolates::new(Options { maximum: strength, ..Options::new(exe.clone()) });
        Self { isolates, strength, exe, _folder: folder }
    }

    pub(crate) async fn verdict(&self, source: &str, variables: Value, limits: Limits) -> Verdict {
        let variables = match variables {
            Value::Object(variables) => variables,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        let program = Program::Script(Script {
            language: Language::Python,
            runtime: None,
            source: source.to_owned(),
            variables,
        });
        let verdict = self.isolates.run(Job { program, limits }).await.unwrap();
        let wanted = format!("process/{}", self.strength.name());
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
        match self.run(source, Value::Null).await {
            Ok(value) => panic!("{source}\ngave {value}"),
            Err(error) => error,
        }
    }
}

impl World {
    /// The zygote and its children: they carry the path of this world's worker in their
    /// environment's place, the command line of the zygote's parent, or descend from it.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let all: Vec<(i32, i32, bool)> = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                let mut fields = stat.rsplit_once(") ")?.1.split(' ');
                let alive = fields.next()? != "Z";
                let parent = fields.next()?.parse().ok()?;
                Some((pid, parent, alive))
            })
            .collect();
        // The thread that started them is ours; what they became is told by their parents.
        let mut mine: Vec<i32> = all
            .iter()
            .filter(|(pid, _, _)| self.is_started_here(*pid))
            .map(|(pid, _, _)| *pid)
            .collect();
        let mut at = 0;
        while at < mine.len() {
            let parent = mine[at];
            mine.extend(all.iter().filter(|(_, of, _)| *of == parent).map(|(pid, _, _)| *pid));
            at += 1;
        }
        mine.retain(|pid| all.iter().any(|(known, _, alive)| known == pid && *alive));
        mine.sort_unstable();
        mine.dedup();
        mine
    }

    fn is_started_here(&self, pid: i32) -> bool {
        // The worker keeps its command line until it becomes the interpreter; the interpreter is
        // told apart by its parent, this very process, and by the zygote's text.
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let worker = line.starts_with(self.exe.as_os_str().as_encoded_bytes());
        let parent = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok());
        worker || (parent == Some(std::process::id()))
    }

    /// Whatever ran is gone; the zygotes, with and without modules, and those that wait for work are
    /// not.
    pub(crate) async fn only_idle_children_are_left(&self) {
        const AHEAD: usize = 4;
        self.until(|left| left.len() <= 2 * (2 + AHEAD)).await;
    }

    pub(crate) async fn nothing_is_left(&self) {
        self.until(<[i32]>::is_empty).await;
    }

    async fn until(&self, good: impl Fn(&[i32]) -> bool) {
        for _ in 0..400 {
            if good(&self.processes()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("left: {:?}", self.processes());
    }
}

/// SIGKILL.
pub(crate) fn kill(pid: i32) {
    // One may have ended with its parent already.
    let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
}

pub(crate) fn job(source: &str) -> Job {
    let program = Program::Script(Script {
        language: Language::Python,
        runtime: None,
        source: source.to_owned(),
        variables: Map::new(),
    });
    Job { program, limits: patient() }
}

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), ..Limits::default() }
}

/// One test for each strength in which native code may run.
macro_rules! at_each_strength {
    ($(async fn $name:ident($world:ident: World) $body:block)*) => {
        $(mod $name {
            use super::*;
            async fn check($world: World) $body
            #[tokio::test]
            async fn strength_a() {
                check(World::new(jalm_isolates::Strength::A)).await;
            }
            #[tokio::test]
            async fn strength_b() {
                check(World::new(jalm_isolates::Strength::B)).await;
            }
        })*
    };
}
pub(crate) use at_each_strength;
