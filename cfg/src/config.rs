//! The resolved settings.

use crate::load::{ConfigProblem, Origin, Tree};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`KEYS` describes each setting")]
pub struct Config {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub store: String,
    pub token: Option<String>,
    pub log_level: String,
    pub log_format: LogFormat,
    pub files: PathBuf,
    pub connections: BTreeMap<String, String>,
    pub auto_connections: bool,
    pub policy: Policy,
    pub max_in_flight: usize,
    pub max_calls: usize,
    pub max_scripts: Option<usize>,
    pub script_processes: usize,
    /// In MiB.
    pub script_disk: usize,
    /// `A`, `B` or `C`.
    pub isolation_minimum: String,
    pub isolate_ahead: usize,
    pub python: PathBuf,
    pub python_ahead: usize,
    pub python_wasi: PathBuf,
    pub node: PathBuf,
    pub deno: PathBuf,
    pub bun: PathBuf,
    pub node_ahead: usize,
    pub rustc: PathBuf,
    pub go: PathBuf,
    pub compiled_ahead: usize,
    /// In MiB.
    pub compiled_kept: usize,
    pub wasm_runners: Option<usize>,
    pub wasm_kept: usize,
    pub dependencies: Dependencies,
    pub shutdown_grace: Duration,
    /// Where each value came from, by path.
    pub origins: BTreeMap<String, Origin>,
    /// The values as they are shown, by path; secrets are `***`.
    pub shown: BTreeMap<String, String>,
}

/// The operator's ceiling over what intents may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`KEYS` describes each setting")]
pub struct Policy {
    pub http: Vec<String>,
    pub private_networks: bool,
    pub db: Vec<String>,
    pub file_read: Vec<String>,
    pub file_write: Vec<String>,
    pub notify: Vec<String>,
    pub script_languages: Vec<String>,
    pub script_network: bool,
    pub env: Vec<String>,
}

/// Packages that scripts name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`KEYS` describes each setting")]
pub struct Dependencies {
    pub allowed: bool,
    pub lock_age: Duration,
    pub size: usize,
    pub timeout: Duration,
    pub uv: PathBuf,
    pub npm: PathBuf,
    pub cargo: PathBuf,
    pub installer_env: BTreeMap<String, String>,
}

impl Dependencies {
    fn from_tree(tree: &Tree) -> Self {
        let program = |path: &str, usual: &str| tree.text(path).unwrap_or_else(|| usual.to_owned());
        Self {
            allowed: tree.flag("isolation.dependencies").unwrap_or(true),
            lock_age: tree
                .duration("isolation.dependency_lock_age")
                .unwrap_or(Duration::from_hours(24)),
            size: tree.count("isolation.dependency_size").unwrap_or(512),
            timeout: tree
                .duration("isolation.dependency_timeout")
                .unwrap_or(Duration::from_mins(5)),
            uv: program("isolation.uv", "uv").into(),
            npm: program("isolation.npm", "npm").into(),
            cargo: program("isolation.cargo", "cargo").into(),
            installer_env: tree.names("isolation.installer_env"),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Reads the tree, whose kinds have been checked.
    pub(crate) fn from_tree(tree: &Tree) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let listen_text = tree.text("listen").unwrap_or_default();
        let listen: SocketAddr = listen_text.parse().unwrap_or_else(|_| {
            problems.push(tree.problem(
                "listen",
                format!("`{listen_text}` is not an address with a port"),
                "write IP:PORT, for example 127.0.0.1:8888 or [::1]:8888",
            ));
            SocketAddr::from(([127, 0, 0, 1], 8888))
        });
        let token = tree.text("token").filter(|token| !token.is_empty());
        let local = listen.ip().is_loopback();
        if !local && token.is_none() && !tree.flag("insecure_no_auth").unwrap_or(false) {
            problems.push(tree.problem(
                "listen",
                format!("`{listen}` can be reached from other machines, and no token is set"),
                "set `token` (JALM_TOKEN), listen on 127.0.0.1, or pass --insecure-no-auth if something else guards the port",
            ));
        }
        let grace = tree.duration("shutdown.grace").unwrap_or(Duration::from_secs(30));
        if !problems.is_empty() {
            return Err(problems);
        }
        let data = PathBuf::from(tree.text("data").unwrap_or_default());
        let under = |name: &str| data.join(name);
        Ok(Self {
            listen,
            store: tree
                .text("store")
                .unwrap_or_else(|| format!("sqlite:{}", under("jalm.db").display())),
            token,
            log_level: tree.text("log.level").unwrap_or_default(),
            log_format: match tree.text("log.format").as_deref() {
                Some("json") => LogFormat::Json,
                _ => LogFormat::Text,
            },
            files: tree.text("files").map_or_else(|| under("files"), PathBuf::from),
            connections: tree.names("connections"),
            auto_connections: tree.flag("auto_connections").unwrap_or(true),
            policy: Policy {
                http: tree.texts("policy.http"),
                private_networks: tree.flag("policy.private_networks").unwrap_or(local),
                db: tree.texts("policy.db"),
                file_read: tree.texts("policy.file_read"),
                file_write: tree.texts("policy.file_write"),
                notify: tree.texts("policy.notify"),
                script_languages: tree.texts("policy.script_languages"),
                script_network: tree.flag("policy.script_network").unwrap_or(true),
                env: tree.texts("policy.env"),
            },
            max_in_flight: tree.count("limits.max_in_flight").unwrap_or(100_000),
            max_calls: tree.count("limits.max_calls").unwrap_or(1024),
            max_scripts: tree.count("limits.max_scripts"),
            script_processes: tree.count("limits.script_processes").unwrap_or(256),
            script_disk: tree.count("limits.script_disk").unwrap_or(256),
            isolation_minimum: tree.text("isolation.minimum").unwrap_or_default(),
            isolate_ahead: tree.count("isolation.isolate_ahead").unwrap_or(4),
            python: tree.text("isolation.python").map_or_else(|| "python3".into(), PathBuf::from),
            python_ahead: tree.count("isolation.python_ahead").unwrap_or(4),
            python_wasi: tree
                .text("isolation.python_wasi")
                .map_or_else(|| under("engines/python-wasi.wasm"), PathBuf::from),
            node: tree.text("isolation.node").map_or_else(|| "node".into(), PathBuf::from),
            deno: tree.text("isolation.deno").map_or_else(|| "deno".into(), PathBuf::from),
            bun: tree.text("isolation.bun").map_or_else(|| "bun".into(), PathBuf::from),
            node_ahead: tree.count("isolation.node_ahead").unwrap_or(1),
            rustc: tree.text("isolation.rustc").map_or_else(|| "rustc".into(), PathBuf::from),
            go: tree.text("isolation.go").map_or_else(|| "go".into(), PathBuf::from),
            compiled_ahead: tree.count("isolation.compiled_ahead").unwrap_or(2),
            dependencies: Dependencies::from_tree(tree),
            compiled_kept: tree.count("isolation.compiled_kept").unwrap_or(32),
            wasm_runners: tree.count("isolation.wasm_runners"),
            wasm_kept: tree.count("isolation.wasm_kept").unwrap_or(2),
            shutdown_grace: grace,
            origins: tree.origins(),
            shown: tree.shown(),
            data,
        })
    }
}
