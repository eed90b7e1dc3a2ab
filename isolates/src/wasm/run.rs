//! A module and its jobs: compiled or found, then run.

use super::cache::{Cache, Compiled, Key};
use super::compile::Answer;
use super::pool::{Place, Pool, stopping, unavailable};
use super::wire::Head;
use crate::api::{Limits, Options, Refused, Script, Verdict};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::Instant;
use tokio::sync::Semaphore;

const MIB: u64 = 1024 * 1024;

/// Machine code that the server keeps, in bytes.
const KEPT: usize = 128 * 1024 * 1024;

/// Memory that the compiler may take. It needs many times the size of a module.
const COMPILER_MEMORY: u64 = 768 * MIB;

/// The machine code of a module may be so large, as base64.
const COMPILER_OUTPUT: u64 = 128 * MIB;

/// WebAssembly.
#[derive(Debug)]
pub(crate) struct Wasm {
    compiled: Cache,
    /// So many modules are compiled at once: the compiler takes much memory.
    compilers: Semaphore,
    runners: Pool,
}

/// Why a module could not be compiled.
pub(crate) enum NotCompiled {
    /// Nothing was run.
    Refused(Refused),
    /// The compiler's own verdict.
    Wrong(Box<Verdict>),
}

impl From<Refused> for NotCompiled {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Wasm {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            compiled: Cache::new(KEPT),
            compilers: Semaphore::new(options.wasm_runners.max(1)),
            runners: Pool::new(options),
        }
    }

    /// Ends all runners that are idle; no job begins any more.
    pub(crate) fn shutdown(&self) {
        self.compilers.close();
        self.runners.shutdown();
    }

    /// Runs a script; dropping the future kills it. `compile` asks a child for machine code.
    pub(crate) async fn run(
        &self,
        script: &Script,
        place: &Place<'_>,
        compile: impl AsyncFnOnce(Limits) -> Result<Verdict, Refused>,
    ) -> Result<Verdict, Refused> {
        let started = Instant::now();
        let key: Key = Sha256::digest(script.source.as_bytes()).into();
        let compiled = self.compiled.get(key, async || {
            let _compiler = self.compilers.acquire().await.map_err(|_| stopping())?;
            let memory = COMPILER_MEMORY;
            let limits = Limits { memory, output: COMPILER_OUTPUT, ..*place.limits };
            machine_code(compile(limits).await?)
        });
        let compiled = match compiled.await {
            Ok(compiled) => compiled,
            Err(NotCompiled::Refused(refused)) => return Err(refused),
            Err(NotCompiled::Wrong(wrong)) => {
                return Ok(Verdict { isolation: place.isolation.clone(), ..*wrong });
            }
        };
        let data = serde_json::to_vec(&script.variables)
            .map_err(|error| unavailable(&format!("the variables cannot be sent: {error}")))?;
        let head = Head {
            key,
            shape: compiled.shape.clone(),
            wall_ms: u64::try_from(place.limits.wall.as_millis()).unwrap_or(u64::MAX).max(1),
            memory: place.limits.memory,
            output: place.limits.output,
            #[cfg(feature = "testkit")]
            probe: None,
        };
        self.runners.call(&head, &data, &compiled.code, (place, started), None).await
    }

    /// Tries system calls in a runner.
    #[cfg(feature = "testkit")]
    pub(crate) async fn probe(
        &self,
        attempts: Vec<String>,
        place: &Place<'_>,
    ) -> Result<Verdict, Refused> {
        let head = Head {
            key: [0; 32],
            shape: super::compile::Shape { component: false, names: Vec::new() },
            wall_ms: u64::try_from(place.limits.wall.as_millis()).unwrap_or(u64::MAX),
            memory: place.limits.memory,
            output: place.limits.output,
            probe: Some(attempts),
        };
        self.runners.call(&head, b"{}", &[], (place, Instant::now()), None).await
    }
}

/// What the compiler gave, unless it is what went wrong.
fn machine_code(verdict: Verdict) -> Result<Compiled, NotCompiled> {
    let value = match &verdict.result {
        Ok(value) => value,
        Err(error) => {
            let mut error = error.clone();
            match error.code.as_ref() {
                "script_timeout" => error.message = "the module was not compiled in time".into(),
                "script_memory" => {
                    error.message = "the module takes too much memory to compile".into();
                    error.hint = Some("split it, or leave out what it does not use".into());
                }
                "script_output" => error.message = "the module's machine code is too large".into(),
                _ => {}
            }
            let wrong = Verdict { result: Err(error), ..verdict };
            return Err(NotCompiled::Wrong(Box::new(wrong)));
        }
    };
    let broken = || unavailable("the compiler's answer makes no sense");
    let Answer { shape, code } = Answer::deserialize(value).map_err(|_| broken())?;
    let code = STANDARD.decode(code).map_err(|_| broken())?;
    Ok(Compiled { shape, code })
}
