//! One job: its module compiled or found, a runner taken or started, an answer heard.

use super::cache::{Cache, Compiled, Key};
use super::compile::Answer;
use super::process::Runner;
use super::wire::{BEGINS, Head, Job, NO_CODE};
use crate::api::{Limits, Options, Refused, Script, Strength, Verdict};
use crate::host::verdict;
use crate::native::frames::Said;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

const MIB: u64 = 1024 * 1024;

/// Machine code that the server keeps, in bytes.
const KEPT: usize = 128 * 1024 * 1024;

/// Memory that the compiler may take. It needs many times the size of a module.
const COMPILER_MEMORY: u64 = 768 * MIB;

/// The machine code of a module may be so large, as base64.
const COMPILER_OUTPUT: u64 = 128 * MIB;

/// How much longer than its wall clock a job may take before its runner is killed. The runner ends
/// it by itself, if it is not hanging in what is no guest's code.
const GRACE: Duration = Duration::from_millis(100);

/// Room for the frames around printed text and result.
const ENVELOPE: u64 = 64 * 1024;

/// WebAssembly.
#[derive(Debug)]
pub(crate) struct Wasm {
    compiled: Cache,
    /// Runners without a job; the last one in is the first one out, its memory is warm.
    idle: Mutex<Vec<Runner>>,
    places: Semaphore,
    /// So many modules are compiled at once: the compiler takes much memory.
    compilers: Semaphore,
    /// So many runners stay when they have nothing to do.
    kept: usize,
}

/// Where a job goes, and what it must keep to.
pub(crate) struct Place<'a> {
    pub(crate) options: &'a Options,
    pub(crate) strength: Strength,
    /// What is in force, in one line.
    pub(crate) isolation: Arc<str>,
    pub(crate) limits: &'a Limits,
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

/// What a runner did with a job.
enum Heard {
    /// It came to an end, or said too much.
    Answer(Said),
    /// It has not got the code.
    NoCode,
    /// It ended before it began.
    NeverBegan,
}

impl Wasm {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            compiled: Cache::new(KEPT),
            idle: Mutex::default(),
            places: Semaphore::new(options.wasm_runners.max(1)),
            compilers: Semaphore::new(options.wasm_runners.max(1)),
            kept: options.wasm_kept,
        }
    }

    /// Ends all runners that are idle; no job begins any more.
    pub(crate) fn shutdown(&self) {
        self.places.close();
        self.compilers.close();
        self.idle().clear();
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
        self.call(&head, &data, &compiled.code, (place, started)).await
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
        self.call(&head, b"{}", &[], (place, Instant::now())).await
    }

    async fn call(
        &self,
        head: &Head,
        data: &[u8],
        code: &[u8],
        (place, started): (&Place<'_>, Instant),
    ) -> Result<Verdict, Refused> {
        let _place = self.places.acquire().await.map_err(|_| stopping())?;
        let limits = place.limits;
        let most = limits.output.saturating_mul(2).saturating_add(ENVELOPE);
        // A runner may have died while it was idle, without a job of its own.
        for _ in 0..3 {
            let mut runner = self.runner(place).await?;
            let talk = async {
                let job = Job { head, data, code: &[] };
                let first = talk(&mut runner.stream, &job, most).await;
                if !matches!(first, Heard::NoCode) {
                    return first;
                }
                talk(&mut runner.stream, &Job { code, ..job }, most).await
            };
            let wall = limits.wall.saturating_add(GRACE);
            let answer = tokio::time::timeout(wall, talk).await;
            let duration = started.elapsed();
            let isolation = place.isolation.clone();
            let (said, ended) = match answer {
                Err(_) => (Said::default(), runner.stop().await),
                Ok(Heard::Answer(said)) if said.has_ended() => {
                    self.keep(runner);
                    (said, None)
                }
                Ok(Heard::Answer(said)) if said.too_much => (said, runner.stop().await),
                Ok(Heard::Answer(said)) => (said, runner.end().await),
                Ok(Heard::NoCode | Heard::NeverBegan) => {
                    drop(runner);
                    continue;
                }
            };
            let too_much = said.too_much;
            return match said.outcome() {
                Ok(outcome) => verdict::of(Some(outcome), None, false, limits, duration, isolation),
                Err((stdout, stderr)) => {
                    let ended = verdict::of(None, ended, too_much, limits, duration, isolation)?;
                    Ok(Verdict { stdout, stderr, ..ended })
                }
            };
        }
        Err(unavailable("the WebAssembly runner ends before it begins"))
    }

    /// One that is idle, or a new one.
    async fn runner(&self, place: &Place<'_>) -> Result<Runner, Refused> {
        while let Some(mut runner) = self.pop() {
            if !runner.is_gone() {
                return Ok(runner);
            }
        }
        let started = Runner::start(&place.options.worker_exe, place.strength).await;
        started.map_err(|(layer, why)| unavailable(&format!("{layer}: {why}")))
    }

    fn keep(&self, runner: Runner) {
        let mut idle = self.idle();
        if idle.len() < self.kept && !self.places.is_closed() {
            idle.push(runner);
        }
    }

    fn pop(&self) -> Option<Runner> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Runner>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a job and hears what comes of it.
async fn talk(stream: &mut tokio::net::UnixStream, job: &Job<'_>, most: u64) -> Heard {
    // A runner that died breaks the pipe; how it ended says more than that.
    if stream.write_all(&job.to_bytes()).await.is_ok() {
        let _ = stream.write_all(job.code).await;
    }
    let mut first = [0];
    match stream.read_exact(&mut first).await {
        Ok(_) if first == [NO_CODE] => Heard::NoCode,
        Ok(_) if first == [BEGINS] => {
            let mut said = Said::default();
            said.hear(stream, most).await;
            Heard::Answer(said)
        }
        Ok(_) | Err(_) => Heard::NeverBegan,
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

fn stopping() -> Refused {
    unavailable("the runner is stopping")
}

fn unavailable(why: &str) -> Refused {
    Refused::Unavailable { why: why.to_owned() }
}
