//! Scripts in Python: each in an instance of the interpreter that was made before the script came,
//! while nobody waited.

use super::alarm::Alarm;
use super::errors;
use super::guest::{Guest, Printed};
use crate::api::ScriptError;
use crate::native::frames;
use crate::wasm::engine::{Guests, pooling};
use crate::wasm::wire::Head;
use crate::wire::Outcome;
use std::time::Duration;
use tokio::runtime::Runtime;
use wasmtime::component::{Component, InstancePre, Linker, TypedFunc};
use wasmtime::{Engine, Result, Store};

/// Where the machine code of the interpreter is when the process begins.
const CODE: &str = "/proc/self/fd/1";

/// The interpreter.
pub(super) struct Python {
    engine: Engine,
    ready: InstancePre<Guest>,
    next: Option<Instance>,
}

/// One that has run nothing yet.
struct Instance {
    store: Store<Guest>,
    run: TypedFunc<(String,), (String,)>,
    out: Printed,
    err: Printed,
}

impl Python {
    /// Maps its machine code, in a process that is not locked in yet: inside there are no files.
    pub(super) fn load() -> Result<Self> {
        let engine = pooling(Guests::Python)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        #[expect(unsafe_code, reason = "machine code is not checked")]
        // SAFETY: the server only gives what a child of its own has compiled from the component
        // that its operator named, and of what was kept on disk only what bears its seal.
        let component = unsafe { Component::deserialize_file(&engine, CODE) }?;
        let ready = linker.instantiate_pre(&component)?;
        Ok(Self { engine, ready, next: None })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Makes an instance for the next script. What fails now is told to whoever brings that one.
    pub(super) fn prepare(&mut self, turns: &Runtime) {
        self.next = None;
        self.next = self.instance(turns).ok();
    }

    fn instance(&self, turns: &Runtime) -> Result<Instance> {
        let (out, err) = (Printed::new(0), Printed::new(0));
        // The interpreter's own memory is not the script's.
        let mut store = Store::new(&self.engine, Guest::new(Vec::new(), u64::MAX, &out, &err));
        store.limiter(|guest| &mut guest.meter);
        store.set_epoch_deadline(u64::MAX / 2);
        let run = turns.block_on(async {
            let instance = self.ready.instantiate_async(&mut store).await?;
            instance.get_typed_func::<(String,), (String,)>(&mut store, "run")
        })?;
        Ok(Instance { store, run, out, err })
    }

    /// Runs a script. What is left of its instance is thrown away by [`Self::prepare`].
    pub(super) fn run(&mut self, turns: &Runtime, head: &Head, job: Vec<u8>) -> Outcome {
        let made = match self.next.take() {
            Some(next) => Ok(next),
            None => self.instance(turns),
        };
        let Instance { store, run, out, err } = match made {
            Ok(instance) => self.next.insert(instance),
            Err(error) => {
                let what = format!("the interpreter cannot be started: {error:#}");
                return crate::engines::quiet(Err(ScriptError::new("script_error", what)));
            }
        };
        out.allow(head.output);
        err.allow(head.output);
        let meter = &mut store.data_mut().meter;
        let most = usize::try_from(head.memory).unwrap_or(usize::MAX);
        meter.most = meter.now.saturating_add(most);
        store.set_epoch_deadline(1);
        let wall = Duration::from_millis(head.wall_ms);
        let ended = {
            let _alarm = Alarm::after(wall);
            // The alarm ends a script that computes, this one that sleeps.
            turns.block_on(async {
                let call = async {
                    let (end,) = run.call_async(&mut *store, (String::from_utf8(job)?,)).await?;
                    Ok(end)
                };
                tokio::time::timeout(wall, call).await
            })
        };
        let meter = &store.data().meter;
        let memory = u64::try_from(meter.peak).unwrap_or(u64::MAX);
        let result = match ended {
            _ if out.overflown() || err.overflown() => Err(ScriptError::too_much(head.output)),
            Err(_) => Err(ScriptError::too_late()),
            Ok(Ok(end)) if u64::try_from(end.len()).is_ok_and(|long| long > head.output) => {
                Err(ScriptError::too_much(head.output))
            }
            Ok(Ok(end)) => frames::result(end.as_bytes()),
            Ok(Err(error)) => errors::of(&error, meter.refused)
                .map(Option::unwrap_or_default)
                .map_err(errors::of_interpreter),
        };
        Outcome { result, stdout: out.take(), stderr: err.take(), memory }
    }
}
