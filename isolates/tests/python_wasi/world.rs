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
}

/// Where `scripts/setup.sh` puts what tests run scripts on.
pub(crate) fn engines() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    target.join("engines")
}

/// Whether there is a Python to be tested.
pub(crate) fn there_is_python() -> bool {
    let found = engines().join("python-wasi.wasm").is_file();
    if !found {
        println!("there is no {}/python-wasi.wasm", engines().display());
    }
    found
}

/// The machine code is made once for all tests.
pub(crate) fn options(strength: Strength) -> Options {
    Options {
        minimum: Strength::C,
        maximum: strength,
        python_wasi: engines().join("python-wasi.wasm"),
        cache: Some(engines().join("cache")),
        ..Options::new(env!("CARGO_BIN_EXE_isolate-worker").into())
    }
}

impl World {
    /// At most of this strength.
    pub(crate) fn new(strength: Strength) -> Self {
        Self { isolates: Isolates::new(options(strength)), strength }
    }

    pub(crate) async fn verdict(&self, source: &str, variables: Value, limits: Limits) -> Verdict {
        // Being compiled takes longer than any of these scripts.
        self.isolates.prepare_python().await.unwrap();
        let verdict = self.isolates.run(job(source, variables, limits)).await.unwrap();
        let wanted = format!("wasm/{}", self.strength.name());
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

pub(crate) fn job(source: &str, variables: Value, limits: Limits) -> Job {
    let variables = match variables {
        Value::Object(variables) => variables,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let program = Program::Script(Script {
        language: Language::Python,
        runtime: Some(Runtime::Wasi),
        source: source.to_owned(),
        variables,
    });
    Job { program, limits }
}

/// Limits that no good script reaches, on the busiest machine.
pub(crate) fn patient() -> Limits {
    Limits { wall: Duration::from_mins(1), ..Limits::default() }
}

/// One test for each strength: it runs in the weakest one, too.
macro_rules! at_each_strength {
    ($(async fn $name:ident($world:ident: World) $body:block)*) => {
        $(mod $name {
            use super::*;
            async fn check($world: World) $body
            #[tokio::test]
            async fn strength_a() {
                if crate::world::there_is_python() {
                    check(World::new(jalm_isolates::Strength::A)).await;
                }
            }
            #[tokio::test]
            async fn strength_b() {
                if crate::world::there_is_python() {
                    check(World::new(jalm_isolates::Strength::B)).await;
                }
            }
            #[tokio::test]
            async fn strength_c() {
                if crate::world::there_is_python() {
                    check(World::new(jalm_isolates::Strength::C)).await;
                }
            }
        })*
    };
}
pub(crate) use at_each_strength;
