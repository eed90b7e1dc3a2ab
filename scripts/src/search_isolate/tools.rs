//! Interpreters, toolchains and container runtimes in the search path.

use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What is looked for, by kind, with the argument that gives a version.
const TOOLS: &[(&str, &[(&str, &str)])] = &[
    (
        "interpreters",
        &[
            ("python3", "--version"),
            ("node", "--version"),
            ("deno", "--version"),
            ("bun", "--version"),
            ("ruby", "--version"),
            ("wasmtime", "--version"),
        ],
    ),
    (
        "toolchains",
        &[
            ("rustc", "--version"),
            ("go", "version"),
            ("gcc", "--version"),
            ("uv", "--version"),
            ("npm", "--version"),
        ],
    ),
    (
        "container_runtimes",
        &[
            ("runc", "--version"),
            ("crun", "--version"),
            ("runsc", "--version"),
            ("kata-runtime", "--version"),
            ("firecracker", "--version"),
            ("podman", "--version"),
            ("docker", "--version"),
            ("bwrap", "--version"),
        ],
    ),
];

pub(super) fn look() -> Value {
    let kinds = TOOLS.iter().map(|(kind, tools)| {
        let found = tools.iter().map(|(name, question)| ((*name).to_owned(), ask(name, question)));
        ((*kind).to_owned(), Value::Object(found.collect::<Map<_, _>>()))
    });
    Value::Object(kinds.collect())
}

fn ask(name: &str, question: &str) -> Value {
    if locate(name).is_none() {
        return json!({ "found": false });
    }
    let output = Command::new(name).arg(question).stdin(Stdio::null()).output();
    let said = output.ok().filter(|output| output.status.success()).map(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().unwrap_or_default().trim().to_owned()
    });
    match said {
        Some(version) => json!({ "found": true, "version": version }),
        None => json!({ "found": true, "version": null, "detail": "it does not tell its version" }),
    }
}

fn locate(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
