//! Isolates for one test.

use jalm_isolates::{
    Isolates, Job, Language, Limits, Options, Program, Script, ScriptError, Strength, Verdict,
};
use serde_json::{Map, Value};
use std::time::Duration;

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) strength: Strength,
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
        let isolates = Isolates::new(Options { maximum: strength, ..Options::new(exe) });
        Self { isolates, strength, _folder: folder }
    }

    pub(crate) async fn verdict(&self, source: &str, variables: Value, limits: Limits) -> Verdict {
        let variables = match variables {
            Value::Object(variables) => variables,
            _ => Map::new(),
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

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_secs(60), ..Limits::default() }
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
