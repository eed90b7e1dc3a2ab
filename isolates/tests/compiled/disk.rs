//! Programs on disk: they outlive the server, and only what it put there itself is run.

use crate::world::{patient, script, there_is};
use jalm_isolates::Language::{self, Go, Rust};
use jalm_isolates::{Isolates, Job, Options};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn isolates(folder: &Path) -> Isolates {
    let cache = Some(folder.join("cache"));
    Isolates::new(Options { cache, ..Options::new(env!("CARGO_BIN_EXE_isolate-worker").into()) })
}

/// What a script gives in a server of its own, and how often that one compiled.
async fn run(folder: &Path, language: Language, source: &str) -> (Value, u64) {
    let isolates = isolates(folder);
    let program = script(language, source, Value::Null);
    let verdict = isolates.run(Job { program, limits: patient() }).await.unwrap();
    let compilations = isolates.compilations();
    isolates.shutdown().await;
    (verdict.result.unwrap(), compilations)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("cache/programs")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn the_next_server_does_not_compile_again() {
    let folder = tempfile::tempdir().unwrap();
    for (language, source) in [(Rust, "return 6 * 7;"), (Go, "return 6 * 7")] {
        if there_is(language) {
            assert_eq!(run(folder.path(), language, source).await, (json!(42), 1));
            assert_eq!(run(folder.path(), language, source).await, (json!(42), 0));
        }
    }
}

#[tokio::test]
async fn a_program_that_was_changed_or_brought_from_elsewhere_is_not_run() {
    if !there_is(Rust) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), Rust, "return 1;").await, (json!(1), 1));
    assert_eq!(run(folder.path(), Rust, "return 2;").await, (json!(2), 1));
    // Each under the name of the other.
    let [one, two] = <[PathBuf; 2]>::try_from(files(folder.path())).unwrap();
    let aside = folder.path().join("aside");
    for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
        std::fs::rename(from, to).unwrap();
    }
    assert_eq!(run(folder.path(), Rust, "return 1;").await, (json!(1), 1));
    // By a server with another secret.
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(other.path().join("cache/programs")).unwrap();
    for file in files(folder.path()) {
        let name = file.file_name().unwrap().to_owned();
        std::fs::copy(&file, other.path().join("cache/programs").join(name)).unwrap();
    }
    assert_eq!(run(other.path(), Rust, "return 1;").await, (json!(1), 1));
}
