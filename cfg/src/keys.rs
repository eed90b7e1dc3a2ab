//! Every setting there is.

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Where it stands in the config file: `policy.http`. As a variable: `JALM_POLICY__HTTP`.
    pub path: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Its default as JSON; empty if it has none or depends on others.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number from 1.
    Count,
    /// A whole number from 0.
    Number,
    /// Text such as `30s`, or a number of seconds.
    Duration,
    /// A list of texts.
    Texts,
    /// A map of names to texts.
    Names,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// What to write, for messages.
    pub fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Count => "a whole number from 1".to_owned(),
            Self::Number => "a whole number from 0".to_owned(),
            Self::Duration => "a duration such as 30s, 500ms or 2m".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Names => "a map of names to texts".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about }
}

/// Every setting there is, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    key(
        "listen",
        Kind::Text,
        "\"127.0.0.1:8888\"",
        "Address and port of the HTTP server; port 0 picks a free one",
    ),
    key("data", Kind::Text, "\"data\"", "Folder of everything that is kept"),
    key(
        "store",
        Kind::Text,
        "",
        "Where journals live: sqlite:PATH or memory:; default sqlite:<data>/jalm.db",
    ),
    key("token", Kind::Text, "", "Bearer token that callers of the API must send"),
    key("insecure_no_auth", Kind::Flag, "false", "Listen on a public address without a token"),
    key(
        "log.level",
        Kind::Text,
        "\"info\"",
        "What is logged: error, warn, info, debug, or a filter such as jalm_scheduler=debug",
    ),
    key("log.format", Kind::Choice(&["text", "json"]), "\"text\"", "How log lines look"),
    key("files", Kind::Text, "", "Root folder of file steps; default <data>/files"),
    key("connections", Kind::Names, "{}", "Database connections: name to sqlite:PATH"),
    key(
        "auto_connections",
        Kind::Flag,
        "true",
        "A connection that is not configured is <data>/db/<name>.db",
    ),
    key("policy.http", Kind::Texts, "[\"*\"]", "URL patterns that intents may ask for at most"),
    key(
        "policy.private_networks",
        Kind::Flag,
        "",
        "Whether steps may call private addresses; default: only while the server listens on loopback",
    ),
    key("policy.db", Kind::Texts, "[\"*\"]", "Connections that intents may ask for at most"),
    key(
        "policy.file_read",
        Kind::Texts,
        "[\"**\"]",
        "Globs of files that intents may read at most",
    ),
    key(
        "policy.file_write",
        Kind::Texts,
        "[\"**\"]",
        "Globs of files that intents may write at most",
    ),
    key("policy.notify", Kind::Texts, "[\"*\"]", "Channels that intents may use at most"),
    key(
        "policy.script_languages",
        Kind::Texts,
        "[\"*\"]",
        "Languages in which intents may write scripts at most",
    ),
    key(
        "policy.script_network",
        Kind::Flag,
        "true",
        "Whether intents may give scripts the network, within `policy.http` and by `grants.script`",
    ),
    key("policy.env", Kind::Texts, "[]", "Environment variables that intents may read as env.NAME"),
    key(
        "limits.max_in_flight",
        Kind::Count,
        "100000",
        "Executions held at once; more are refused as busy",
    ),
    key(
        "limits.max_calls",
        Kind::Count,
        "1024",
        "Calls that are out at once; others wait their turn",
    ),
    key(
        "limits.max_scripts",
        Kind::Count,
        "",
        "Scripts that run at once; default twice the processors",
    ),
    key(
        "limits.script_processes",
        Kind::Count,
        "256",
        "Threads that one script may have at once, if its step asks for them",
    ),
    key(
        "limits.script_disk",
        Kind::Number,
        "256",
        "MiB that one script may write, if its step asks for them; they lie in memory",
    ),
    key(
        "isolation.minimum",
        Kind::Choice(&["A", "B", "C"]),
        "\"B\"",
        "Weakest sandbox in which scripts may run",
    ),
    key(
        "isolation.isolate_ahead",
        Kind::Number,
        "4",
        "Processes for JavaScript, TypeScript, jq and templates kept ready for the next script",
    ),
    key(
        "isolation.python",
        Kind::Text,
        "\"python3\"",
        "Python interpreter for scripts, by name or path",
    ),
    key(
        "isolation.python_ahead",
        Kind::Number,
        "4",
        "Python processes kept ready for the next script, once there was a first one",
    ),
    key(
        "isolation.python_wasi",
        Kind::Text,
        "",
        "Python as WebAssembly for scripts with `runtime: wasi`; default <data>/engines/python-wasi.wasm",
    ),
    key(
        "isolation.node",
        Kind::Text,
        "\"node\"",
        "Node for scripts with `runtime: node`, by name or path",
    ),
    key(
        "isolation.deno",
        Kind::Text,
        "\"deno\"",
        "Deno for scripts with `runtime: deno`, by name or path",
    ),
    key(
        "isolation.bun",
        Kind::Text,
        "\"bun\"",
        "Bun for scripts with `runtime: bun`, by name or path",
    ),
    key(
        "isolation.node_ahead",
        Kind::Number,
        "1",
        "Processes of Node, and of Deno and Bun, kept ready for the next script, once there was a first one",
    ),
    key("isolation.rustc", Kind::Text, "\"rustc\"", "Rust's compiler for scripts, by name or path"),
    key("isolation.go", Kind::Text, "\"go\"", "Go's command for scripts, by name or path"),
    key(
        "isolation.compiled_ahead",
        Kind::Number,
        "2",
        "Processes kept ready for the next script in Rust or Go, once there was a first one",
    ),
    key(
        "isolation.dependencies",
        Kind::Flag,
        "true",
        "Whether scripts may name packages of registries, which are installed under <data>/deps",
    ),
    key(
        "isolation.dependency_lock_age",
        Kind::Duration,
        "\"24h\"",
        "How long versions that were found for some requirements are used for new executions",
    ),
    key(
        "isolation.dependency_size",
        Kind::Count,
        "512",
        "MiB that the packages of one script may take",
    ),
    key(
        "isolation.dependency_timeout",
        Kind::Duration,
        "\"5m\"",
        "How long one run of an installer may take",
    ),
    key(
        "isolation.uv",
        Kind::Text,
        "\"uv\"",
        "uv, which installs packages of Python, by name or path; without it, the interpreter's pip does",
    ),
    key(
        "isolation.npm",
        Kind::Text,
        "\"npm\"",
        "npm, which installs packages of Node, by name or path",
    ),
    key(
        "isolation.cargo",
        Kind::Text,
        "\"cargo\"",
        "Cargo, which fetches and builds crates for Rust, by name or path",
    ),
    key(
        "isolation.installer_env",
        Kind::Names,
        "{}",
        "Environment of installers, such as HTTPS_PROXY or PIP_INDEX_URL; nothing else of the server's reaches them but PATH, HOME and the like",
    ),
    key(
        "isolation.compiled_kept",
        Kind::Number,
        "32",
        "MiB of compiled programs kept in memory, the least used going first",
    ),
    key(
        "isolation.wasm_runners",
        Kind::Count,
        "",
        "WebAssembly modules that run at once, each in a process of its own; default the processors",
    ),
    key(
        "isolation.wasm_kept",
        Kind::Number,
        "2",
        "Processes kept for the next WebAssembly module, once there was a first one",
    ),
    key(
        "shutdown.grace",
        Kind::Duration,
        "\"30s\"",
        "How long running calls may take to end at a shutdown",
    ),
];
