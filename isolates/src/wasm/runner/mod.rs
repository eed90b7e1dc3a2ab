//! The runner's side: one thread, one job at a time, each in a store of its own.
//!
//! | file | part |
//! |---|---|
//! | `modules` | machine code that is loaded |
//! | `guest` | what a call has: its memory's bounds, what it prints |
//! | `call` | one call |
//! | `python` | one script in the interpreter of Python |
//! | `main` | arguments and results of an exported `main` |
//! | `errors` | what became of it, in the author's words |
//! | `alarm` | the deadline |

mod alarm;
mod call;
mod errors;
mod guest;
mod main;
mod modules;
mod python;

use super::engine::Guests;
use super::wire::{BEGINS, NO_CODE, Received, frame};
use crate::api::Strength;
use crate::sandbox;
use crate::wire::{Notice, Outcome};
use crate::worker::{leave, tell};
use modules::Modules;
use python::Python;
use rustix::fd::{AsFd, OwnedFd};
use std::fs::File;
use std::io::Write;
use wasmtime::Engine;

/// Memory of an instance of Python, its stack and what it is made of included.
const INSTANCE: u64 = 64 * 1024 * 1024;

/// Never returns: the process serves until the server goes.
///
/// `python`: it runs scripts in Python, and nothing else.
pub(crate) fn become_runner(socket: OwnedFd, strength: Strength, python: bool) -> ! {
    alarm::say_why_when_aborting();
    // Our own interpreter is only mapped here; it runs nothing yet.
    let python = python.then(Python::load);
    let memory = sandbox::data_memory();
    let ready = sandbox::enter_runner(strength);
    let notice = match ready {
        Err(missing) => Notice::Failed { layer: missing.layer.to_owned(), why: missing.why },
        Ok(report) => match Runner::new(memory, python) {
            Ok(mut runner) => {
                runner.prepare();
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
    guests: Loaded,
    turns: tokio::runtime::Runtime,
    /// Memory that the process has without any job.
    memory: u64,
}

/// What a runner can run.
enum Loaded {
    Modules(Engine, Box<Modules>),
    Python(Box<Python>),
}

impl Runner {
    fn new(memory: u64, python: Option<wasmtime::Result<Python>>) -> wasmtime::Result<Self> {
        let (guests, memory) = if let Some(python) = python {
            let python = python?;
            alarm::of(python.engine())?;
            // One instance stands before its script's memory counts.
            (Loaded::Python(Box::new(python)), memory.saturating_add(INSTANCE))
        } else {
            let engine = super::engine::pooling(Guests::Modules)?;
            alarm::of(&engine)?;
            let modules = Box::new(Modules::new(&engine)?);
            let memory = memory.saturating_add(super::engine::TABLE_MEMORY);
            (Loaded::Modules(engine, modules), memory)
        };
        // One thread; it can only wait for time, because there is nothing else to wait for.
        let turns = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { guests, turns, memory })
    }

    /// Serves until the server closes the socket.
    fn serve(mut self, socket: &mut File) {
        while let Ok(job) = Received::read(socket) {
            let answered = match self.run(job, socket) {
                Some(outcome) => socket.write_all(&answer(&outcome)),
                None => socket.write_all(&[NO_CODE]),
            };
            if answered.is_err() {
                return;
            }
            self.prepare();
        }
    }

    /// What can be done for the next job while nobody waits.
    fn prepare(&mut self) {
        if let Loaded::Python(python) = &mut self.guests {
            python.prepare(&self.turns);
        }
    }

    /// None if there is no code for it.
    fn run(&mut self, job: Received, socket: &mut File) -> Option<Outcome> {
        let Received { head, data, code } = job;
        let loaded = match &self.guests {
            Loaded::Modules(_, modules) => modules.size() + code.len(),
            Loaded::Python(_) => 0,
        };
        let before = self.memory.saturating_add(u64::try_from(loaded).unwrap_or(u64::MAX));
        sandbox::runner_limits(head.memory, head.output, before);
        #[cfg(feature = "testkit")]
        if let Some(attempts) = &head.probe {
            let _ = socket.write_all(&[BEGINS]);
            return Some(crate::engines::quiet(Ok(crate::engines::probe::run(attempts))));
        }
        let (engine, modules) = match &mut self.guests {
            Loaded::Modules(engine, modules) => (engine, modules),
            Loaded::Python(python) => {
                let _ = socket.write_all(&[BEGINS]);
                return Some(python.run(&self.turns, &head, data));
            }
        };
        let module = match modules.get(&head, &code)? {
            Ok(module) => module,
            Err(error) => {
                let _ = socket.write_all(&[BEGINS]);
                return Some(crate::engines::quiet(Err(error)));
            }
        };
        let _ = socket.write_all(&[BEGINS]);
        Some(call::run(engine, &self.turns, &module, &head, &data))
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
