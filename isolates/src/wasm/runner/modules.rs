//! Machine code that is loaded, until it is too much.

use super::guest::Guest;
use crate::api::ScriptError;
use crate::wasm::cache::Key;
use crate::wasm::wire::Head;
use std::collections::HashMap;
use std::rc::Rc;
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module, Result};
use wasmtime_wasi::p2::bindings::CommandPre;

/// The most code that is kept loaded, in bytes; one module always is.
const MOST: usize = 64 * 1024 * 1024;

/// A module that can be called.
pub(super) enum Loaded {
    Module(InstancePre<Guest>),
    Component(CommandPre<Guest>),
}

pub(super) struct Modules {
    engine: Engine,
    linker: Linker<Guest>,
    component_linker: ComponentLinker<Guest>,
    loaded: HashMap<Key, Entry>,
    clock: u64,
}

struct Entry {
    module: Rc<Loaded>,
    size: usize,
    used: u64,
}

impl Modules {
    pub(super) fn new(engine: &Engine) -> Result<Self> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, |guest: &mut Guest| &mut guest.wasi)?;
        let mut component_linker = ComponentLinker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component_linker)?;
        let (engine, loaded) = (engine.clone(), HashMap::new());
        Ok(Self { engine, linker, component_linker, loaded, clock: 0 })
    }

    /// Bytes of code that are loaded.
    pub(super) fn size(&self) -> usize {
        self.loaded.values().map(|entry| entry.size).sum()
    }

    /// The module of a job. None if it is not loaded and there is no code to load.
    pub(super) fn get(
        &mut self,
        head: &Head,
        code: &[u8],
    ) -> Option<Result<Rc<Loaded>, ScriptError>> {
        self.clock += 1;
        if let Some(entry) = self.loaded.get_mut(&head.key) {
            entry.used = self.clock;
            return Some(Ok(entry.module.clone()));
        }
        if code.is_empty() {
            return None;
        }
        self.make_room(code.len());
        Some(self.load(head, code).map_err(|error| cannot_load(&error)))
    }

    fn make_room(&mut self, size: usize) {
        while self.size().saturating_add(size) > MOST {
            let oldest = self.loaded.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { return };
            self.loaded.remove(&oldest);
        }
    }

    fn load(&mut self, head: &Head, code: &[u8]) -> Result<Rc<Loaded>> {
        let module = if head.shape.component {
            #[expect(unsafe_code, reason = "machine code is not checked")]
            // SAFETY: as below.
            let component = unsafe { Component::deserialize(&self.engine, code) }?;
            let ready = self.component_linker.instantiate_pre(&component)?;
            Loaded::Component(CommandPre::new(ready)?)
        } else {
            #[expect(unsafe_code, reason = "machine code is not checked")]
            // SAFETY: the server only sends what a child of its own has compiled from this
            // source; scripts have no way to give machine code.
            let module = unsafe { Module::deserialize(&self.engine, code) }?;
            Loaded::Module(self.linker.instantiate_pre(&module)?)
        };
        let entry = Entry { module: Rc::new(module), size: code.len(), used: self.clock };
        let module = entry.module.clone();
        self.loaded.insert(head.key, entry);
        Ok(module)
    }
}

/// What it wants from outside is not there, or it is larger than a pool's place.
fn cannot_load(error: &wasmtime::Error) -> ScriptError {
    ScriptError::new("script_error", format!("the module cannot be used: {error:#}")).hint(
        "a module may import WASI preview 1 (`wasi_snapshot_preview1`), a component WASI 0.2, and \
         nothing else; a component exports `wasi:cli/run`",
    )
}
