//! The runner's side: one thread, one job at a time, each in a store of its own.
//!
//! | file | part |
//! |---|---|
//! | `modules` | machine code that is loaded |
//! | `guest` | what a call has: its memory's bounds, what it prints |
//! | `call` | one call |
//! | `main` | arguments and results of an exported `main` |
//! | `errors` | what became of it, in the author's words |
//! | `alarm` | the deadline |

mod alarm;
mod call;
mod errors;
mod guest;
mod main;
mod modules;

use super::wire::{BEGINS, NO_CODE, Received, frame};
use crate::api::Strength;
use crate::sandbox;
use crate::wire::{Notice, Outcome};
use crate::worker::{leave, tell};
use modules::Modules;
use rustix::fd::{AsFd, OwnedFd};
use std::fs::File;
use std::io::Write;
use wasmtime::Engine;

/// Never returns: the process serves until the server goes.
pub(crate) fn become_runner(socket: OwnedFd, strength: Strength) -> ! {
    alarm::say_why_when_aborting();
    let memory = sandbox::data_memory();
    let ready = sandbox::enter_runner(strength);
    let notice = match ready {
        Err(missing) => Notice::Failed { layer: missing.layer.to_owned(), why: missing.why },
        Ok(report) => match Runner::new(memory) {
            Ok(runner) => {
                if tell(socket.as_fd(), &Notice::Ready(report)).is_ok() {
                    runner.serve(&mut File::from(socket));
                }
                leave(0)
            }
            Err(error) => {
                Notice::Failed { layer: "worker".to_owned(), why: format!("wasmtime: {error:#}") }
            }
        },
    };
    let _ = tell(socket.as_fd(), &notice);
    leave(1)
}

struct Runner {
    engine: Engine,
    modules: Modules,
    turns: tokio::runtime::Runtime,
    /// Memory that the process has without any job.
    memory: u64,
}

impl Runner {
    fn new(memory: u64) -> wasmtime::Result<Self> {
        let engine = super::engine::pooling()?;
        alarm::of(&engine)?;
        let modules = Modules::new(&engine)?;
        // One thread; it can only wait for time, because there is nothing else to wait for.
        let turns = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let memory = memory.saturating_add(super::engine::TABLE_MEMORY);
        Ok(Self { engine, modules, turns, memory })
    }

    /// Serves until the server closes the socket.
    fn serve(mut self, socket: &mut File) {
        while let Ok(job) = Received::read(socket) {
            let answered = match self.run(&job, socket) {
                Some(outcome) => socket.write_all(&answer(&outcome)),
                None => socket.write_all(&[NO_CODE]),
            };
            if answered.is_err() {
                return;
            }
        }
    }

    /// None if there is no code for it.
    fn run(&mut self, job: &Received, socket: &mut File) -> Option<Outcome> {
        let Received { head, data, code } = job;
        let code_size = u64::try_from(self.modules.size() + code.len()).unwrap_or(u64::MAX);
        sandbox::runner_limits(head.memory, head.output, self.memory.saturating_add(code_size));
        #[cfg(feature = "testkit")]
        if let Some(attempts) = &head.probe {
            let _ = socket.write_all(&[BEGINS]);
            return Some(crate::engines::quiet(Ok(crate::engines::probe::run(attempts))));
        }
        let module = match self.modules.get(head, code)? {
            Ok(module) => module,
            Err(error) => {
                let _ = socket.write_all(&[BEGINS]);
                return Some(crate::engines::quiet(Err(error)));
            }
        };
        let _ = socket.write_all(&[BEGINS]);
        Some(call::run(&self.engine, &self.turns, &module, head, data))
    }
}

/// The outcome as frames.
fn answer(outcome: &Outcome) -> Vec<u8> {
    let Outcome { result, stdout, stderr, memory } = outcome;
    let end = match result {
        Ok(value) => serde_json::json!({ "ok": value }),
        Err(error) => serde_json::json!({ "error": error }),
    };
    let mut bytes = Vec::with_capacity(stdout.len() + stderr.len() + 256);
    for (kind, text) in [(b'o', stdout), (b'e', stderr)] {
        if !text.is_empty() {
            frame(&mut bytes, kind, text.as_bytes());
        }
    }
    frame(&mut bytes, b'm', memory.to_string().as_bytes());
    frame(&mut bytes, b'r', end.to_string().as_bytes());
    bytes
}
