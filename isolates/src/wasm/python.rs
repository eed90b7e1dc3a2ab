//! The interpreter of Python: its component is compiled once and kept on disk, and runs scripts in
//! runners of its own.

use super::engine::{Guests, compiler};
use super::pool::{Place, Pool, unavailable};
use super::wire::Head;
use crate::api::{Limits, Options, Refused, Script, Verdict};
use crate::compiled::sealed;
use crate::shelf::{Key, Shelf};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::StatVfsMountFlags;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

const MIB: u64 = 1024 * 1024;

/// Machine code of interpreters that is kept on disk: this one's, and that of the last release.
const KEPT: u64 = 128 * MIB;

/// Compiling it takes some seconds, on a busy machine many, and this much memory.
const COMPILER: Limits = Limits {
    wall: Duration::from_mins(10),
    memory: 3 * 1024 * MIB,
    output: 128 * MIB,
    processes: 1,
    disk: 0,
};

/// Python in WebAssembly.
#[derive(Debug)]
pub(crate) struct Python {
    code: OnceCell<Arc<File>>,
    runners: Pool,
}

/// What there is of the interpreter.
enum Found {
    /// Its machine code.
    Code(File),
    /// The component, as base64, and where its machine code is to go. The lock keeps others from
    /// compiling it as well.
    Component { text: String, key: Key, shelf: Option<(Shelf, File)> },
}

impl Python {
    pub(crate) fn new(options: &Options) -> Self {
        Self { code: OnceCell::new(), runners: Pool::new(options) }
    }

    /// Ends all runners that are idle; no job begins any more.
    pub(crate) fn shutdown(&self) {
        self.runners.shutdown();
    }

    /// Its machine code, once it is there.
    pub(crate) fn ready(&self) -> Option<Arc<File>> {
        self.code.get().cloned()
    }

    /// Finds or makes its machine code; whoever asks at the same time waits for it. `compile` asks
    /// a child to do so.
    pub(crate) async fn prepare(
        &self,
        options: &Options,
        compile: impl AsyncFnOnce(String, Limits) -> Result<Verdict, Refused>,
    ) -> Result<Arc<File>, Refused> {
        let made = self.code.get_or_try_init(async || {
            let (component, cache) = (options.python_wasi.clone(), options.cache.clone());
            let (text, key, place) =
                match blocking(move || find(&component, cache.as_deref())).await? {
                    Found::Code(file) => return Ok(Arc::new(file)),
                    Found::Component { text, key, shelf: place } => (text, key, place),
                };
            tracing::info!("Python for WebAssembly is being compiled, for the first time here");
            let started = Instant::now();
            let verdict = compile(text, COMPILER).await?;
            let code = match verdict.result {
                Ok(Value::String(code)) => code,
                Ok(_) => return Err(unavailable("the compiler's answer makes no sense")),
                Err(error) => return Err(broken(&options.python_wasi, &error.message)),
            };
            let file = blocking(move || keep(&code, &key, place)).await?;
            tracing::info!(seconds = started.elapsed().as_secs_f32(), "Python is compiled");
            Ok(Arc::new(file))
        });
        made.await.cloned()
    }

    /// Runs a script; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        code: &File,
        script: &Script,
        place: &Place<'_>,
    ) -> Result<Verdict, Refused> {
        let job = json!({ "source": script.source, "variables": script.variables }).to_string();
        let head = Head {
            key: [0; 32],
            shape: super::compile::Shape { component: true, names: Vec::new() },
            wall_ms: u64::try_from(place.limits.wall.as_millis()).unwrap_or(u64::MAX).max(1),
            memory: place.limits.memory,
            output: place.limits.output,
            #[cfg(feature = "testkit")]
            probe: None,
        };
        self.runners.call(&head, job.as_bytes(), &[], (place, Instant::now()), Some(code)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(unavailable(&error.to_string())))
}

fn find(component: &Path, cache: Option<&Path>) -> Result<Found, Refused> {
    let bytes = std::fs::read(component).map_err(|error| {
        if error.kind() != ErrorKind::NotFound {
            return broken(component, &error.to_string());
        }
        let shown = component.display();
        Refused::NoInterpreter {
            language: "python on `runtime: wasi`",
            why: format!(
                "there is no {shown}; `scripts/python_wasi.sh {shown}` builds it, \
                 `isolation.python_wasi` says where it is"
            ),
        }
    })?;
    let key = key(&bytes).map_err(|error| unavailable(&format!("wasmtime: {error:#}")))?;
    let shelf = cache.and_then(|cache| {
        let shelf = Shelf::open(cache, "engines", KEPT);
        // It is compiled again at the next start, then.
        shelf.inspect_err(|error| tracing::warn!(%error, "nothing is kept of Python")).ok()
    });
    let shelf = match shelf {
        None => None,
        Some(shelf) => {
            if let Some(file) = shelf.get(&key) {
                return usable(file).map(Found::Code);
            }
            let lock = shelf.lock().map_err(|error| unavailable(&error.to_string()))?;
            // Somebody else may have been first.
            if let Some(file) = shelf.get(&key) {
                return usable(file).map(Found::Code);
            }
            Some((shelf, lock))
        }
    };
    Ok(Found::Component { text: STANDARD.encode(bytes), key, shelf })
}

/// What machine code comes from: the component, and a compiler with its settings on this machine.
fn key(component: &[u8]) -> wasmtime::Result<Key> {
    let mut hasher = DefaultHasher::new();
    compiler(Guests::Python)?.precompile_compatibility_hash().hash(&mut hasher);
    let hash = Sha256::new().chain_update(component).chain_update(hasher.finish().to_le_bytes());
    Ok(hash.finalize().into())
}

/// Puts machine code where it is found again, and opens it.
fn keep(code: &str, key: &Key, shelf: Option<(Shelf, File)>) -> Result<File, Refused> {
    let code =
        STANDARD.decode(code).map_err(|_| unavailable("the compiler's answer makes no sense"))?;
    if let Some((shelf, _lock)) = shelf {
        let kept = shelf.put(key, &code);
        // It is compiled again at the next start, then.
        let _ = kept.inspect_err(|error| tracing::warn!(%error, "nothing is kept of Python"));
        if let Some(file) = shelf.get(key) {
            return usable(file);
        }
    }
    in_memory(&code)
}

/// Where nothing may be executed, nothing can be mapped to be executed.
fn usable(file: File) -> Result<File, Refused> {
    let mounted = rustix::fs::fstatvfs(&file).map(|found| found.f_flag);
    if mounted.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOEXEC)) {
        let content = crate::shelf::content(file);
        return in_memory(&content.map_err(|error| unavailable(&error.to_string()))?);
    }
    Ok(file)
}

fn in_memory(code: &[u8]) -> Result<File, Refused> {
    sealed("python", code, true).map(File::from).map_err(|error| unavailable(&error.to_string()))
}

fn broken(component: &Path, why: &str) -> Refused {
    Refused::NoInterpreter {
        language: "python on `runtime: wasi`",
        why: format!(
            "{0} cannot be used: {why}; `scripts/python_wasi.sh {0}` builds it anew",
            component.display()
        ),
    }
}
