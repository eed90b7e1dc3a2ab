//! The command line as people and scripts use it: what it prints where, and how it ends.
#![allow(clippy::unwrap_used, reason = "tests may fail by panicking")]

mod exec;
mod look;
mod run;
mod serve;

use jalm_tests::World;
use std::path::PathBuf;

/// Compares output with a snapshot, without what differs from run to run.
macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({
            filters => vec![
                (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
                (r"\b[0-9a-f]{64}\b", "<hash>"),
                (r"\d+(\.\d+)? (µs|ms|s)\b", "<time>"),
                (r"isolate/[ABC]: [a-z, ]+", "<isolation>"),
                (r"127\.0\.0\.1:\d+", "<address>"),
                // Columns are as wide as what was redacted.
                (r" {2,}", "  "),
            ],
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $text) });
    };
}
pub(crate) use snapshot;

/// An intent with a step that needs a param, and one that calls the stub.
fn hello(world: &World) -> PathBuf {
    world.file(
        "hello.yaml",
        "intent: hello\n\
         input: { type: object, properties: { who: { type: string }, n: { type: integer, default: 1 } }, required: [who] }\n\
         steps:\n\
         \x20 - { id: greet, set: { text: \"Hello {{ params.who }}\" } }\n\
         \x20 - { id: uuid, atom: generate_uuid }\n\
         output: { text: \"{{ steps.greet.output.text }}\", n: \"{{ params.n }}\" }\n",
    )
}

fn call(world: &World, path: &str) -> PathBuf {
    let url = world.stub().url(path);
    let intent = format!(
        "intent: call\nsteps:\n  - {{ id: call, atom: exec_http, timeout: 10m, input: {{ url: \"{url}\" }} }}\n"
    );
    world.file("call.yaml", intent)
}
