//! Runners, and a job in one of them.

use super::process::Runner;
use super::wire::{BEGINS, Head, Job, NO_CODE};
use crate::api::{Limits, Options, Refused, Strength, Verdict};
use crate::host::verdict;
use crate::mutex::lock;
use crate::native::frames::Said;
use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

/// How much longer than its wall clock a job may take before its runner is killed. The runner ends
/// it by itself, if it is not hanging in what is no guest's code.
const GRACE: Duration = Duration::from_millis(100);

/// Room for the frames around printed text and result.
const ENVELOPE: u64 = 64 * 1024;

/// Runners of one kind.
#[derive(Debug)]
pub(super) struct Pool {
    /// Runners without a job; the last one in is the first one out, its memory is warm.
    idle: Mutex<Vec<Runner>>,
    places: Semaphore,
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

/// What a runner did with a job.
enum Heard {
    /// It came to an end, or said too much.
    Answer(Said),
    /// It has not got the code.
    NoCode,
    /// It ended before it began.
    NeverBegan,
}

impl Pool {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            idle: Mutex::default(),
            places: Semaphore::new(options.wasm_runners.max(1)),
            kept: options.wasm_kept,
        }
    }

    /// Ends all runners that are idle; no job begins any more.
    pub(super) fn shutdown(&self) {
        self.places.close();
        self.idle().clear();
    }

    /// A job in a runner; `python` is what the runner begins with, if it is one of Python.
    pub(super) async fn call(
        &self,
        head: &Head,
        data: &[u8],
        code: &[u8],
        (place, started): (&Place<'_>, Instant),
        python: Option<&File>,
    ) -> Result<Verdict, Refused> {
        let _place = self.places.acquire().await.map_err(|_| stopping())?;
        let limits = place.limits;
        let most = limits.output.saturating_mul(2).saturating_add(ENVELOPE);
        // A runner may have died while it was idle, without a job of its own.
        for _ in 0..3 {
            let mut runner = self.runner(place, python).await?;
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
    async fn runner(&self, place: &Place<'_>, python: Option<&File>) -> Result<Runner, Refused> {
        while let Some(mut runner) = self.pop() {
            if !runner.is_gone() {
                return Ok(runner);
            }
        }
        let started = Runner::start(&place.options.worker_exe, place.strength, python).await;
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
        lock(&self.idle)
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

pub(super) fn stopping() -> Refused {
    unavailable("the runner is stopping")
}

pub(super) fn unavailable(why: &str) -> Refused {
    Refused::Unavailable { why: why.to_owned() }
}
