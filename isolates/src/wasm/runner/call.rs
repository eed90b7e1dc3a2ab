//! One call: a store that is made for it and thrown away.

use super::alarm::Alarm;
use super::guest::{Guest, Printed};
use super::modules::Loaded;
use super::{errors, main};
use crate::api::ScriptError;
use crate::engines;
use crate::wasm::wire::Head;
use crate::wire::Outcome;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmtime::{Engine, Store};

/// How a call ended that did not trap.
pub(super) enum Ended {
    /// With the results of `main`; none if it has none.
    Result(Option<Value>),
    /// It says itself that it failed.
    Failed,
}

/// Why a call did not end well.
pub(super) enum Broken {
    /// The script's contract is not kept.
    Contract(ScriptError),
    /// Whatever wasmtime says.
    Trap(wasmtime::Error),
}

impl From<wasmtime::Error> for Broken {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<ScriptError> for Broken {
    fn from(error: ScriptError) -> Self {
        Self::Contract(error)
    }
}

/// Calls a module with its variables, as JSON.
pub(super) fn run(
    engine: &Engine,
    turns: &Runtime,
    module: &Loaded,
    head: &Head,
    data: &[u8],
) -> Outcome {
    let wall = Duration::from_millis(head.wall_ms);
    let deadline = Instant::now() + wall.min(Duration::from_secs(1 << 30));
    let (out, err) = (Printed::new(head.output), Printed::new(head.output));
    let mut store = Store::new(engine, Guest::new(data.to_vec(), head.memory, &out, &err));
    store.limiter(|guest| &mut guest.meter);
    store.set_epoch_deadline(1);
    let ended = {
        let _alarm = Alarm::after(wall);
        let call = call(&mut store, module, head, data);
        // The alarm ends a guest that computes, this one that sleeps.
        turns.block_on(async { tokio::time::timeout(wall, call).await })
    };
    let meter = &store.data().meter;
    let memory = u64::try_from(meter.peak).unwrap_or(u64::MAX);
    let result = match ended {
        _ if out.overflown() || err.overflown() => Err(ScriptError::too_much(head.output)),
        Err(_) => Err(ScriptError::too_late()),
        Ok(Ok(Ended::Result(value))) => Ok(value),
        Ok(Ok(Ended::Failed)) => Err(errors::failed()),
        Ok(Err(Broken::Contract(error))) => Err(error),
        Ok(Err(Broken::Trap(error))) => errors::of(&error, meter.refused),
    };
    drop(store);
    let (stdout, stderr) = (out.take(), err.take());
    let bounds = engines::Bounds { deadline, memory: head.memory, output: head.output };
    let result = result.map(|value| value.unwrap_or_else(|| engines::from_print(&stdout, &bounds)));
    Outcome { result, stdout, stderr, memory }
}

async fn call(
    store: &mut Store<Guest>,
    module: &Loaded,
    head: &Head,
    data: &[u8],
) -> Result<Ended, Broken> {
    let ready = match module {
        Loaded::Component(ready) => {
            let command = ready.instantiate_async(&mut *store).await?;
            let ended = command.wasi_cli_run().call_run(&mut *store).await?;
            return Ok(if ended.is_ok() { Ended::Result(None) } else { Ended::Failed });
        }
        Loaded::Module(ready) => ready,
    };
    let instance = ready.instantiate_async(&mut *store).await?;
    if let Ok(start) = instance.get_typed_func::<(), ()>(&mut *store, "_start") {
        start.call_async(&mut *store, ()).await?;
        return Ok(Ended::Result(None));
    }
    let Some(main) = instance.get_func(&mut *store, "main") else {
        return Err(errors::no_entry().into());
    };
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize") {
        initialize.call_async(&mut *store, ()).await?;
    }
    let ty = main.ty(&*store);
    let arguments = main::arguments(&ty, &head.shape.names, data)?;
    let mut results = main::room(&ty)?;
    main.call_async(&mut *store, &arguments, &mut results).await?;
    Ok(Ended::Result(main::result(&results)?))
}
