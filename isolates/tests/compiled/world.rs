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

/// Whether there is a compiler to be tested.
pub(crate) fn there_is(language: Language) -> bool {
    let (name, question) =
        if language == Language::Go { ("go", "version") } else { ("rustc", "--version") };
    let found = std::process::Command::new(name).arg(question).output().is_ok();
    if !found {
        println!("this host has no {name}");
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
        // `lives.rs` counts them.
        let options = Options { maximum: strength, compiled_ahead: 1, ..Options::new(exe) };
        let isolates = Isolates::new(options);
        Self { isolates, strength, _folder: folder }
    }

    pub(crate) async fn verdict(&self, program: Program, limits: Limits) -> Verdict {
        let verdict = self.isolates.run(Job { program, limits }).await.unwrap();
        let wanted = format!("process/{}", self.strength.name());
        assert!(verdict.isolation.starts_with(&wanted), "{}", verdict.isolation);
        verdict
    }

    pub(crate) async fn run(
        &self,
        language: Language,
        source: &str,
        variables: Value,
    ) -> Result<Value, ScriptError> {
        self.verdict(script(language, source, variables), patient()).await.result
    }

    pub(crate) async fn good(&self, language: Language, source: &str, variables: Value) -> Value {
        match self.run(language, source, variables).await {
            Ok(value) => value,
            Err(error) => panic!("{source}\n{error:?}"),
        }
    }

    pub(crate) async fn wrong(&self, language: Language, source: &str) -> ScriptError {
        self.wrong_within(language, source, patient()).await
    }

    pub(crate) async fn wrong_within(
        &self,
        language: Language,
        source: &str,
        limits: Limits,
    ) -> ScriptError {
        let verdict = self.verdict(script(language, source, Value::Null), limits).await;
        match verdict.result {
            Ok(value) => panic!("{source}\ngave {value}"),
            Err(error) => error,
        }
    }
}

pub(crate) fn script(language: Language, source: &str, variables: Value) -> Program {
    let variables = if let Value::Object(variables) = variables { variables } else { Map::new() };
    let source = source.to_owned();
    Program::Script(Script { language, runtime: None, source, variables })
}

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), ..Limits::default() }
}

/// One test for each strength in which native code may run.
macro_rules! at_each_strength {
    ($language:ident: $($(#[$about:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$about])* mod $name {
            use super::*;
            async fn check($world: World) $body
            #[tokio::test]
            async fn strength_a() {
                if crate::world::there_is(jalm_isolates::Language::$language) {
                    check(World::new(jalm_isolates::Strength::A)).await;
                }
            }
            #[tokio::test]
            async fn strength_b() {
                if crate::world::there_is(jalm_isolates::Language::$language) {
                    check(World::new(jalm_isolates::Strength::B)).await;
                }
            }
        })*
    };
}
pub(crate) use at_each_strength;
