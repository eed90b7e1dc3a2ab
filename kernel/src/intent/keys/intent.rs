//! The keys of an intent, outside its steps.

use super::step::RETRY;
use super::{Rule, Shape, Table, key, later};

/// The whole config.
pub(in crate::intent) static INTENT: Table = Table {
    required: &["intent", "steps"],
    ..Table::new(
        "intent",
        "A JALM intent: a name, permissions, and steps over six layers",
        &[
            key("intent", Shape::Name(Rule::Intent), "The intent's name: 1 to 128 letters, digits, `_`, `.` and `-`")
                .elsewhere(&["title", "workflow", "flow", "pipeline", "job"]),
            key("version", Shape::Name(Rule::Version), "The intent's own version, as SemVer"),
            key("description", Shape::Text { example: "Sales of the day" }, "What it is for, for people").elsewhere(&["summary", "about", "doc"]),
            key("input", Shape::Map, "JSON Schema of `params`; defaults in it are filled in")
                .elsewhere(&["params", "inputs", "parameters", "schema"]),
            key("context", Shape::Map, "Constants, read in expressions as `context.NAME`")
                .elsewhere(&["vars", "variables", "constants", "env"]),
            key("grants", Shape::Table(&GRANTS), "What an execution may touch; without it, what the operator's policy gives by default")
                .elsewhere(&["permissions", "allow", "scopes"]),
            key("defaults", Shape::Table(&DEFAULTS), "What steps get that say nothing themselves"),
            key("limits", Shape::Table(&LIMITS), "Bounds of the whole execution").elsewhere(&["timeout"]),
            key("steps", Shape::Steps, "What is done: each step follows the one before it, unless it has `needs`")
                .elsewhere(&["tasks", "jobs", "actions", "nodes", "stages"]),
            key("output", Shape::Anything, "The execution's output, with expressions over `steps`")
                .elsewhere(&["outputs", "result", "returns"]),
            key("meta", Shape::Table(&META), "Notes for other tools; the runner does not read them").elsewhere(&["metadata", "labels", "tags"]),
            later("secrets", "leave secrets out of this intent for now: whatever is in `params` or `context` is recorded"),
            later("triggers", "start it from outside, with `jalm run FILE` or `POST /exec`").elsewhere(&["on", "schedule", "cron"]),
            later("on_error", "give the steps `on_error: continue`, and read `steps.ID.status` in a step behind them"),
            later("finally", "give the steps `on_error: continue`, and put what must always run behind them"),
            later("concurrency_key", "let the caller wait for one execution before it starts the next"),
            later("rate_limit", "let the caller limit how often it starts the intent"),
            later("session_state", "pass the values as `params`, or keep them with `cache_set` and `cache_get`"),
        ],
    )
};

/// `defaults`.
pub(in crate::intent) static DEFAULTS: Table = Table::new(
    "defaults",
    "What steps get that say nothing themselves",
    &[
        key(
            "timeout",
            Shape::Duration { zero: false },
            "The longest time one attempt of a step may take; 30 s without it",
        ),
        key("retry", Shape::Retry(&RETRY), "How often a failed step is tried"),
    ],
);

/// `limits`.
pub(in crate::intent) static LIMITS: Table = Table::new(
    "limits",
    "Bounds of the whole execution",
    &[
        key(
            "timeout",
            Shape::Duration { zero: false },
            "The longest time the execution may take; 24 h without it",
        ),
        later("concurrency", "let the caller wait for one execution before it starts the next"),
    ],
);

/// `grants`.
pub(in crate::intent) static GRANTS: Table =
    Table::new(
        "grants",
        "What an execution may touch; a kind that is left out grants nothing of that kind",
        &[
            key(
                "http",
                Shape::Texts { example: "\"https://api.example.com/*\"" },
                "URL patterns that steps may call",
            )
            .elsewhere(&["urls", "hosts", "network", "net"]),
            key("db", Shape::Texts { example: "sales" }, "Names of database connections")
                .elsewhere(&["database", "databases", "sql"]),
            key("file", Shape::Table(&FILE_GRANTS), "Files that steps may read and write")
                .elsewhere(&["files", "fs"]),
            key("notify", Shape::Texts { example: "queue" }, "Names of channels: queues, webhooks")
                .elsewhere(&["mq", "queues", "channels"]),
            later("secrets", "leave it out; secrets come in a later version"),
            key("script", Shape::Table(&SCRIPT_GRANTS), "What scripts may do besides computing")
                .elsewhere(&["scripts"]),
            later("run", "leave it out; an intent can not start another one yet"),
            later("call", "leave it out; functions of a registry can not be called yet"),
        ],
    );

/// `grants.script`.
pub(in crate::intent) static SCRIPT_GRANTS: Table = Table::new(
    "script grants",
    "What scripts may do besides computing, which needs no grant",
    &[
        key(
            "languages",
            Shape::Texts { example: "python" },
            "The languages in which scripts may be written; all without it",
        )
        .elsewhere(&["language", "lang"]),
        key(
            "network",
            Shape::Flag,
            "Whether scripts reach the addresses of `http`, through the runner's proxy and in no other way",
        )
        .elsewhere(&["net", "http"]),
    ],
);

/// The languages of scripts, by their usual names.
pub const LANGUAGES: &[&str] = &["javascript", "typescript", "python", "wasm", "rust", "go"];

/// `grants.file`.
pub(in crate::intent) static FILE_GRANTS: Table = Table::new(
    "file grants",
    "Globs of files below the file root",
    &[
        key("read", Shape::Texts { example: "\"reports/**\"" }, "Globs of files that may be read"),
        key(
            "write",
            Shape::Texts { example: "\"reports/**\"" },
            "Globs of files that may be written or deleted",
        ),
    ],
);

/// `meta`: free, but for the keys in which older configs said what has a place of its own.
pub(in crate::intent) static META: Table = Table {
    open: true,
    ..Table::new(
        "meta",
        "Notes for other tools; the runner does not read them",
        &[
            later(
                "retry_on_fail",
                "write `defaults: { retry: N }` instead, where N counts the first attempt too",
            ),
            later("schedule", "start it from outside, with `jalm run FILE` or `POST /exec`"),
            later("expected_outputs", "leave it out, and let the last step check its values"),
            later("tls_verify", "leave it out; certificates are verified"),
        ],
    )
};
