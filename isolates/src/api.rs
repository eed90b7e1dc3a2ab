//! What callers see: jobs in, verdicts out.

use crate::languages::{Language, Runtime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The first argument of a process that is to become a worker; see [`crate::worker_main`].
pub const WORKER_ARG: &str = "__isolate-worker";

/// Settings of the isolates.
#[derive(Clone, Debug)]
pub struct Options {
    /// An executable that calls [`crate::worker_main`] when its first argument is [`WORKER_ARG`];
    /// usually the own one.
    pub worker_exe: PathBuf,
    /// Weaker sandboxes are refused.
    pub minimum: Strength,
    /// Stronger sandboxes are not tried; below `A` only in tests.
    pub maximum: Strength,
    /// Scripts that run at once; the others wait in line.
    pub max_children: usize,
    /// Processes for JavaScript, TypeScript, jq and templates that are kept ready for the next
    /// script, once there was a first one.
    pub isolate_ahead: usize,
    /// The Python interpreter, by name or path.
    pub python: PathBuf,
    /// Python processes that are kept ready for the next script, once there was a first one.
    pub python_ahead: usize,
    /// The component of `runtime: wasi`, which `scripts/python_wasi.sh` builds.
    pub python_wasi: PathBuf,
    /// Where machine code is kept that was made here; without a folder, none is. It must be the
    /// server's alone, and the secret of its seals is beside it.
    pub cache: Option<PathBuf>,
    /// Node, by name or path.
    pub node: PathBuf,
    /// Deno, by name or path.
    pub deno: PathBuf,
    /// Bun, by name or path.
    pub bun: PathBuf,
    /// Processes of Node, and of Deno and Bun, that are kept ready for the next script, once there
    /// was a first one.
    pub node_ahead: usize,
    /// Rust's compiler, by name or path.
    pub rustc: PathBuf,
    /// Go's command, by name or path.
    pub go: PathBuf,
    /// Processes that are kept ready for the next program of Rust or Go, once there was a first one.
    pub compiled_ahead: usize,
    /// Bytes of compiled programs that are kept in memory.
    pub compiled_kept: u64,
    /// WebAssembly modules that run at once, each in a process of its own.
    pub wasm_runners: usize,
    /// So many of these processes are kept for the next module; none costs a start for each one.
    pub wasm_kept: usize,
    /// What scripts may depend on, and who installs it.
    pub dependencies: crate::deps::Settings,
}

impl Options {
    /// The usual settings, with this executable as the worker.
    pub fn new(worker_exe: PathBuf) -> Self {
        Self {
            worker_exe,
            minimum: Strength::B,
            maximum: Strength::A,
            max_children: 2 * std::thread::available_parallelism().map_or(2, usize::from),
            isolate_ahead: 4,
            python: PathBuf::from("python3"),
            python_ahead: 4,
            python_wasi: PathBuf::from("data/engines/python-wasi.wasm"),
            cache: None,
            node: PathBuf::from("node"),
            deno: PathBuf::from("deno"),
            bun: PathBuf::from("bun"),
            node_ahead: 1,
            rustc: PathBuf::from("rustc"),
            go: PathBuf::from("go"),
            compiled_ahead: 2,
            compiled_kept: 32 * 1024 * 1024,
            wasm_runners: std::thread::available_parallelism().map_or(2, usize::from),
            wasm_kept: 2,
            dependencies: crate::deps::Settings::default(),
        }
    }
}

/// How strong a sandbox is (DESIGN §6). Ordered from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Strength {
    /// Bare: seccomp and resource limits.
    C,
    /// Container: Landlock besides.
    B,
    /// Full: namespaces and an empty root besides.
    A,
}

impl Strength {
    /// `A`, `B` or `C`.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// Foreign code and its bounds.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to run.
    pub program: Program,
    /// Within what.
    pub limits: Limits,
}

/// Foreign code with its data.
#[derive(Clone, Debug)]
pub enum Program {
    /// A script in a language.
    Script(Script),
    /// A jq filter. The result is the list of its outputs.
    Jq {
        /// The filter as its author wrote it.
        filter: String,
        /// The value at `.`.
        input: Value,
        /// `$name` values.
        variables: Map<String, Value>,
    },
    /// A MiniJinja template. The result is its text.
    Template {
        /// The template as its author wrote it.
        source: String,
        /// Templates that it may include, extend or import, by name.
        includes: BTreeMap<String, String>,
        /// Names and their values.
        data: Map<String, Value>,
        /// Whether values are escaped for HTML.
        autoescape: bool,
    },
    /// Tries forbidden system calls and gives each one's errno; for the conformance suite.
    #[cfg(feature = "testkit")]
    Probe {
        /// The names of the attempts to make.
        attempts: Vec<String>,
    },
    /// The same in the process that runs WebAssembly.
    #[cfg(feature = "testkit")]
    ProbeWasm {
        /// The names of the attempts to make.
        attempts: Vec<String>,
    },
}

/// A function body with `return`, whose local names are the variables; or a script that defines
/// `main`, whose parameters are filled from the variables by name; or one that prints its result.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it is written in.
    pub language: Language,
    /// What runs it; none means the usual one.
    pub runtime: Option<Runtime>,
    /// The script as its author wrote it.
    pub source: String,
    /// Local names and their values.
    pub variables: Map<String, Value>,
}

/// Bounds of one run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest it may run, from the moment it starts.
    pub wall: Duration,
    /// Bytes of memory it may take.
    pub memory: u64,
    /// Bytes of result and of printed text, each.
    pub output: u64,
    /// Threads that it may have at once, those of its runtime included. For processes only: the
    /// other kinds have one.
    pub processes: u32,
    /// Bytes of its own folder, where it has one.
    pub disk: u64,
}

/// Threads that a script may have unless told otherwise.
pub const USUAL_PROCESSES: u32 = 256;

/// Bytes of a script's own folder unless told otherwise.
pub const USUAL_DISK: u64 = 64 * 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            wall: Duration::from_secs(30),
            memory: 128 * MIB,
            output: 16 * MIB,
            processes: USUAL_PROCESSES,
            disk: USUAL_DISK,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The result, or what the code did wrong.
    pub result: Result<Value, ScriptError>,
    /// What it printed.
    pub stdout: String,
    /// What it printed as errors and warnings.
    pub stderr: String,
    /// How long it ran, its own process included.
    pub duration: Duration,
    /// The most memory its process had, in bytes.
    pub memory_used: u64,
    /// What was in force: `isolate/A: namespaces, landlock, seccomp, limits`.
    pub isolation: Arc<str>,
}

/// What foreign code did wrong, for its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptError {
    /// `script_error`, `script_syntax`, `script_timeout`, `script_memory`, `script_output`,
    /// `script_processes`, `script_disk` or `script_crashed`.
    pub code: std::borrow::Cow<'static, str>,
    /// What happened.
    pub message: String,
    /// The line in the author's source, from 1.
    pub line: Option<u32>,
    /// The column in that line, from 1.
    pub column: Option<u32>,
    /// Where it came from, innermost first.
    pub traceback: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ScriptError {
    /// An error without a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            line: None,
            column: None,
            traceback: None,
            hint: None,
        }
    }

    pub(crate) fn out_of_memory() -> Self {
        Self::new("script_memory", "the script needs more memory than it may have")
            .hint("work on less data at once, or raise the step's `memory`")
    }

    pub(crate) fn too_late() -> Self {
        Self::new("script_timeout", "the script was not done in time")
            .hint("let it do less, or raise the step's `timeout`")
    }

    pub(crate) fn too_much(limit: u64) -> Self {
        Self::new("script_output", format!("the script gave more than {limit} bytes"))
            .hint("return or print less, or write it to a file in a step of its own")
    }

    pub(crate) fn too_many(limit: u32) -> Self {
        Self::new("script_processes", format!("the script had more than {limit} threads at once"))
            .hint("work with fewer threads, or raise the step's `processes`")
    }

    /// What the system said names no limit, so that is added.
    pub(crate) fn or_disk(self, limit: u64) -> Self {
        let full = [
            "No space left on device",
            "no space left on device",
            "ENOSPC",
            "EFBIG",
            "File too large",
            "file too large",
        ];
        if self.code != "script_error" || !full.iter().any(|words| self.message.contains(words)) {
            return self;
        }
        let message = format!("{}; its folder takes {limit} bytes", self.message);
        Self { code: "script_disk".into(), message, ..self }
            .hint("write less, or raise the step's `disk`")
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Why nothing was run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This host gives a weaker sandbox than the operator asks for.
    #[error(
        "scripts need a sandbox of strength {}, this host gives {}: {reasons}",
        minimum.name(),
        strength.map_or("none", Strength::name)
    )]
    BelowMinimum {
        /// What is asked for.
        minimum: Strength,
        /// What there is.
        strength: Option<Strength>,
        /// What is missing.
        reasons: String,
    },
    /// The host's own Python is refused in so weak a sandbox, and there is another way.
    #[error("the host's Python needs a sandbox of strength B: {reasons}")]
    NativePython {
        /// What is missing.
        reasons: String,
    },
    /// The language has no such runtime.
    #[error("{} does not run on `{}`", language.name(), runtime.name())]
    NoSuchRuntime {
        /// The language.
        language: Language,
        /// What was asked for.
        runtime: Runtime,
    },
    /// The host has no interpreter of the language.
    #[error("there is nothing here that runs {language}: {why}")]
    NoInterpreter {
        /// The language.
        language: &'static str,
        /// What was looked for, and where.
        why: String,
    },
    /// The script may use the network, and this host's sandboxes have none to give.
    #[error("scripts cannot have the network here: {why}")]
    NoNetwork {
        /// What is missing.
        why: String,
    },
    /// The worker does not start, or went away.
    #[error("the sandbox cannot be used: {why}")]
    Unavailable {
        /// What happened.
        why: String,
    },
}

impl Refused {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BelowMinimum { .. } => {
                "`jalm doctor` says what the host lacks; or lower `isolation.minimum` in the settings"
            }
            Self::NativePython { .. } => {
                "`runtime: wasi` runs it in every sandbox; `jalm doctor` says what the host lacks"
            }
            Self::NoSuchRuntime { .. } => "leave `runtime` out for the usual one",
            Self::NoInterpreter { .. } => {
                "install it, or name it in the settings (`isolation.python`, `isolation.python_wasi`, `isolation.node`, `isolation.deno`, `isolation.bun`, `isolation.rustc`, `isolation.go`); `jalm doctor` says what is found"
            }
            Self::NoNetwork { .. } => {
                "call with an `exec_http` step instead; or give the runner user namespaces: `jalm doctor` says what the host lacks"
            }
            Self::Unavailable { .. } => "try again; if it stays so, `jalm doctor` says more",
        }
    }
}

/// What a host gives to a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The strength that comes of it; none if not even the weakest can be had.
    pub strength: Option<Strength>,
    /// Each layer and whether it is in force.
    pub layers: Vec<Layer>,
}

/// One layer of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `namespaces`, `landlock`, `seccomp`, `limits`.
    pub name: String,
    /// Whether it is there.
    pub works: bool,
    /// What it is, or why it is missing.
    pub detail: String,
}

impl Report {
    /// One line: `strength A: namespaces, landlock, seccomp, limits`.
    pub fn summary(&self) -> String {
        let works: Vec<&str> = self
            .layers
            .iter()
            .filter(|layer| layer.works)
            .map(|layer| layer.name.as_str())
            .collect();
        match self.strength {
            Some(strength) => format!("strength {}: {}", strength.name(), works.join(", ")),
            None => "no sandbox can be had here".to_owned(),
        }
    }

    /// What is missing, in words; empty if nothing is.
    pub fn missing(&self) -> String {
        let missing: Vec<String> = self
            .layers
            .iter()
            .filter(|layer| !layer.works)
            .map(|layer| format!("{}: {}", layer.name, layer.detail))
            .collect();
        missing.join("; ")
    }
}
