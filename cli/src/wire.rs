//! Puts the parts together: the only code that knows all of them.

use crate::print::Error;
use crate::settings;
use jalm_cfg::Config;
use jalm_isolates::{DependencySettings, Isolates, Strength};
use jalm_kernel::intent::FileGrants;
use jalm_kernel::ports::{Health, Kv, Queue, Store};
use jalm_layers::{Layers, Policy, ScriptLimits};
use jalm_scheduler::Engine;
use std::sync::Arc;

/// A runner, ready to work.
pub(crate) struct Runner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) isolates: Isolates,
    pub(crate) layers: Arc<Layers>,
    pub(crate) engine: Engine,
}

/// Opens the store and starts the engine, inside a Tokio runtime.
pub(crate) fn runner(config: &Config) -> Result<Runner, Error> {
    survive_file_limits();
    if let Err(error) = jalm_isolates::hide_process() {
        tracing::warn!(%error, "other processes of this user can look into this one");
    }
    let store = open_store(config)?;
    let isolates = isolates(config)?;
    let layers = layers(config, &store, &isolates)?;
    let options = jalm_scheduler::Options {
        max_in_flight: config.max_in_flight,
        max_calls: config.max_calls,
        env: settings::allowed_environment(config),
    };
    let engine = Engine::start(store.clone(), layers.clone(), layers.clone(), options);
    if let Health::Degraded(why) = store.health() {
        tracing::warn!(%why, "the store cannot write");
    }
    Ok(Runner { store, isolates, layers, engine })
}

pub(crate) fn open_store(config: &Config) -> Result<Arc<dyn Store>, Error> {
    jalm_state_store::open(&config.store).map_err(|error| {
        let hint = error.hint();
        Error::failed(error).hint(hint)
    })
}

/// The sandboxes. Nothing is started before the first script runs.
pub(crate) fn isolates(config: &Config) -> Result<Isolates, Error> {
    isolate_options(config).map(Isolates::new)
}

/// The settings of the sandboxes.
pub(crate) fn isolate_options(config: &Config) -> Result<jalm_isolates::Options, Error> {
    let worker_exe = std::env::current_exe()
        .map_err(|error| Error::failed(format!("cannot find my own executable: {error}")))?;
    let mut options = jalm_isolates::Options::new(worker_exe);
    options.minimum = minimum(config);
    options.isolate_ahead = config.isolate_ahead;
    options.python.clone_from(&config.python);
    options.python_ahead = config.python_ahead;
    options.python_wasi.clone_from(&config.python_wasi);
    options.cache = Some(config.data.join("cache"));
    options.node.clone_from(&config.node);
    options.deno.clone_from(&config.deno);
    options.bun.clone_from(&config.bun);
    options.node_ahead = config.node_ahead;
    options.rustc.clone_from(&config.rustc);
    options.go.clone_from(&config.go);
    options.compiled_ahead = config.compiled_ahead;
    options.compiled_kept = (config.compiled_kept as u64).saturating_mul(1024 * 1024);
    options.wasm_kept = config.wasm_kept;
    if let Some(most) = config.wasm_runners {
        options.wasm_runners = most;
    }
    options.dependencies = dependencies(config);
    if let Some(most) = config.max_scripts {
        options.max_children = most;
    }
    Ok(options)
}

fn dependencies(config: &Config) -> DependencySettings {
    const MIB: u64 = 1024 * 1024;
    let settings = &config.dependencies;
    DependencySettings {
        data: settings.allowed.then(|| config.data.clone()),
        uv: settings.uv.clone(),
        npm: settings.npm.clone(),
        cargo: settings.cargo.clone(),
        environment: settings.installer_env.clone(),
        size: u64::try_from(settings.size).unwrap_or(u64::MAX).saturating_mul(MIB),
        time: settings.timeout,
        fresh: settings.lock_age,
    }
}

/// The weakest sandbox that the settings accept.
pub(crate) fn minimum(config: &Config) -> Strength {
    match config.isolation_minimum.as_str() {
        "A" => Strength::A,
        "C" => Strength::C,
        _ => Strength::B,
    }
}

pub(crate) fn layers(
    config: &Config,
    store: &Arc<dyn Store>,
    isolates: &Isolates,
) -> Result<Arc<Layers>, Error> {
    let policy = &config.policy;
    let kv: Arc<dyn Kv> = store.clone();
    let queue: Arc<dyn Queue> = store.clone();
    Layers::new(jalm_layers::Options {
        data: config.data.clone(),
        files: config.files.clone(),
        connections: config.connections.clone(),
        auto_connections: config.auto_connections,
        policy: Policy {
            http: policy.http.clone(),
            private_networks: policy.private_networks,
            own_addresses: Vec::new(),
            db: policy.db.clone(),
            file: FileGrants { read: policy.file_read.clone(), write: policy.file_write.clone() },
            notify: policy.notify.clone(),
            script_languages: policy.script_languages.clone(),
            script_network: policy.script_network,
            script_limits: ScriptLimits {
                processes: u32::try_from(config.script_processes).unwrap_or(u32::MAX),
                disk: (config.script_disk as u64).saturating_mul(1024 * 1024),
            },
        },
        kv,
        queue,
        isolates: isolates.clone(),
    })
    .map_err(|error| {
        Error::usage(error).hint("check `connections`, `files` and `policy` in the settings")
    })
}

/// A limit on file sizes (`ulimit -f`) is an error of the write that meets it, not the end of the
/// process. Inside a runtime, whose signal handling takes the signal from then on.
fn survive_file_limits() {
    const SIGXFSZ: i32 = 25;
    let kind = tokio::signal::unix::SignalKind::from_raw(SIGXFSZ);
    if let Err(error) = tokio::signal::unix::signal(kind) {
        tracing::warn!(%error, "a limit on file sizes would end this process");
    }
}

/// The runtime of commands that wait for something.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("jalm")
        .build()
        .map_err(|error| Error::failed(format!("cannot start threads: {error}")))
}
