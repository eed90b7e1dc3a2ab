//! Processes that are ready, and one script in one of them.

use super::enter::Settings;
use super::program::Program;
use super::start::begin;
use crate::api::{Limits, Options, Refused, Strength, Verdict};
use crate::host::process::Failure;
use crate::native::child::{Child, unavailable};
use crate::native::isolation;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{Mutex, oneshot};

const MIB: u64 = 1024 * 1024;

/// Less than this, and Node does not start.
const LEAST_MEMORY: u64 = 32 * MIB;

/// A script as Node reads it.
#[derive(Deserialize)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) strict: bool,
    /// For each of some places in the text, the author's: line and column of both, from 0.
    pub(crate) places: Value,
}

impl Code {
    /// What the worker made of TypeScript.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

/// Scripts on Node.
#[derive(Debug, Default)]
pub(crate) struct Node {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the host has; asked once.
    program: Option<Result<Program, String>>,
    /// What the host gives, once a process could be locked in.
    strength: Option<Strength>,
    /// What was found when none could be.
    refused: Option<Refused>,
    ready: VecDeque<Coming>,
    stopped: bool,
}

/// A process that waits for a script, or is on its way there.
#[derive(Debug)]
struct Coming {
    memory: u64,
    child: oneshot::Receiver<Result<Child, Failure>>,
}

impl Node {
    /// Runs a script; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        options: &Options,
        code: &Code,
        variables: &Map<String, Value>,
        limits: &Limits,
    ) -> Result<Verdict, Refused> {
        let (mut child, isolation) = self.take(options, limits.memory).await?;
        let socket = child.ready().await?;
        let job = json!({
            "source": code.text,
            "strict": code.strict,
            "places": code.places,
            "variables": variables,
        });
        child.run(socket, &job.to_string(), limits, isolation).await
    }

    /// Ends those that wait.
    pub(crate) async fn shutdown(&self) {
        let mut state = self.state.lock().await;
        state.stopped = true;
        state.ready.clear();
    }

    /// A process that is ready; the next one is begun in its place.
    async fn take(&self, options: &Options, memory: u64) -> Result<(Child, Arc<str>), Refused> {
        // In whole MiB, as Node counts.
        let memory = memory.clamp(LEAST_MEMORY, u64::MAX - MIB).next_multiple_of(MIB);
        loop {
            let (coming, strength) = {
                let mut state = self.state.lock().await;
                if state.stopped {
                    return Err(unavailable("the runner is stopping"));
                }
                let (program, strength) = state.prepare(options, memory).await?;
                let start = || Coming {
                    memory,
                    child: begin(
                        options.worker_exe.clone(),
                        Settings { program: program.clone(), memory },
                        strength,
                    ),
                };
                let same = state.ready.iter().position(|coming| coming.memory == memory);
                let coming = same.and_then(|at| state.ready.remove(at)).unwrap_or_else(start);
                // Those for scripts with another bound on memory have waited in vain.
                state.ready.retain(|coming| coming.memory == memory);
                while state.ready.len() < options.node_ahead {
                    state.ready.push_back(start());
                }
                (coming, strength)
            };
            let mut child = coming
                .child
                .await
                .map_err(|_| unavailable("Node's thread ended"))?
                .map_err(|(layer, why)| unavailable(&format!("{layer}: {why}")))?;
            // One that was killed while it waited is no use.
            if matches!(child.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return Ok((child, isolation(strength)));
            }
        }
    }
}

impl State {
    /// Finds Node and the strongest sandbox for it, once.
    async fn prepare(
        &mut self,
        options: &Options,
        memory: u64,
    ) -> Result<(Program, Strength), Refused> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let program = match &self.program {
            Some(known) => known.clone(),
            None => {
                let (name, search) = (options.node.clone(), std::env::var_os("PATH"));
                let found =
                    tokio::task::spawn_blocking(move || Program::find(&name, search.as_deref()));
                let found = found.await.unwrap_or_else(|error| Err(error.to_string()));
                self.program.insert(found).clone()
            }
        };
        let program = program.map_err(|why| Refused::NoInterpreter { language: "node", why })?;
        if let Some(strength) = self.strength {
            return Ok((program, strength));
        }
        // Native code is refused where there is no Landlock (DESIGN §6), whatever the minimum.
        let least = options.minimum.max(Strength::B);
        let mut failures: Vec<Failure> = Vec::new();
        for strength in [Strength::A, Strength::B] {
            if strength > options.maximum || strength < least {
                continue;
            }
            let settings = Settings { program: program.clone(), memory };
            let child = begin(options.worker_exe.clone(), settings, strength).await;
            match child.map_err(|_| unavailable("Node's thread ended"))? {
                Ok(child) => {
                    let (sender, receiver) = oneshot::channel();
                    let _ = sender.send(Ok(child));
                    self.ready.push_back(Coming { memory, child: receiver });
                    self.strength = Some(strength);
                    return Ok((program, strength));
                }
                Err(failure) => failures.push(failure),
            }
        }
        let reasons: Vec<String> =
            failures.iter().map(|(layer, why)| format!("{layer}: {why}")).collect();
        let reasons = reasons.join("; ");
        if failures.iter().any(|(layer, _)| layer == "worker") {
            return Err(unavailable(&reasons));
        }
        let refused = Refused::BelowMinimum { minimum: least, strength: None, reasons };
        self.refused = Some(refused.clone());
        Err(refused)
    }
}
