//! What a server does with the component: finds it, compiles it once, believes only what it made.

use crate::world::{World, engines, job, options, patient, there_is_python};
use jalm_isolates::{Isolates, Language, Options, Program, Refused, Runtime, Script, Strength};
use serde_json::{Map, Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test]
async fn without_the_component_the_error_names_what_builds_it() {
    let isolates = Isolates::new(Options {
        python_wasi: "/nowhere/python-wasi.wasm".into(),
        ..options(Strength::A)
    });
    let refused = isolates.run(job("return 1", Value::Null, patient())).await.unwrap_err();
    assert!(
        refused.to_string().contains("`scripts/python_wasi.sh /nowhere/python-wasi.wasm`"),
        "{refused}"
    );
    assert!(refused.hint().contains("isolation.python_wasi"));
}

/// The way out that it names is open.
#[tokio::test]
async fn where_native_python_is_refused_the_error_names_this_runtime() {
    let native = |isolates: Isolates| async move {
        let script = Script {
            language: Language::Python,
            runtime: Some(Runtime::Native),
            source: "return 1".to_owned(),
            variables: Map::new(),
        };
        let job = jalm_isolates::Job { program: Program::Script(script), limits: patient() };
        isolates.run(job).await.unwrap_err()
    };
    let refused = native(Isolates::new(options(Strength::C))).await;
    assert!(matches!(refused, Refused::NativePython { .. }), "{refused}");
    assert!(refused.hint().contains("`runtime: wasi`"));
    if there_is_python() {
        assert_eq!(World::new(Strength::C).good("return 1").await, json!(1));
    }
    // Where the operator refuses so weak a sandbox, there is none.
    let strict = Options { minimum: Strength::B, ..options(Strength::C) };
    assert!(matches!(native(Isolates::new(strict)).await, Refused::BelowMinimum { .. }));
}

#[tokio::test]
async fn what_is_no_component_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("python.wasm");
    std::fs::write(&component, b"\0asm\x0d\0\x01\0broken").unwrap();
    let cache = Some(folder.path().join("cache"));
    let isolates =
        Isolates::new(Options { python_wasi: component.clone(), cache, ..options(Strength::A) });
    let refused = isolates.run(job("return 1", Value::Null, patient())).await.unwrap_err();
    assert!(refused.to_string().contains("builds it anew"), "{refused}");
    // One that is no Python does not answer as Python does.
    std::fs::write(&component, b"\0asm\x0d\0\x01\0").unwrap();
    let error = match isolates.run(job("return 1", Value::Null, patient())).await {
        Err(refused) => refused.to_string(),
        Ok(verdict) => verdict.result.unwrap_err().message,
    };
    assert!(error.contains("export"), "{error}");
}

/// The machine code of the shared cache that was used last, with its secret, in a cache of one's
/// own. What others there are is of earlier components.
fn copied(folder: &std::path::Path) -> std::path::PathBuf {
    let cache = folder.join("cache");
    std::fs::create_dir_all(cache.join("engines")).unwrap();
    std::fs::copy(engines().join("cache.key"), folder.join("cache.key")).unwrap();
    let used = |path: &std::path::PathBuf| path.metadata().unwrap().modified().unwrap();
    let last = machine_code(&engines().join("cache")).into_iter().max_by_key(used).unwrap();
    std::fs::copy(&last, cache.join("engines").join(last.file_name().unwrap())).unwrap();
    cache
}

fn machine_code(cache: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(cache.join("engines")).unwrap();
    let all = entries.map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().is_some_and(|name| name != "lock")).collect()
}

#[tokio::test]
async fn forged_machine_code_is_refused_and_made_anew() {
    if !there_is_python() {
        return;
    }
    World::new(Strength::A).good("return 1").await;
    let folder = tempfile::tempdir().unwrap();
    let cache = copied(folder.path());
    for path in machine_code(&cache) {
        let mut bytes = std::fs::read(&path).unwrap();
        // One byte in the middle of the machine code.
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let forged = machine_code(&cache);
    let options = Options { cache: Some(cache.clone()), ..options(Strength::A) };
    let isolates = Isolates::new(options);
    isolates.prepare_python().await.unwrap();
    let verdict = isolates.run(job("return 6 * 7", Value::Null, patient())).await.unwrap();
    assert_eq!(verdict.result, Ok(json!(42)));
    // What is there now is what was made now.
    for path in machine_code(&cache) {
        let content = std::fs::read(&path).unwrap();
        let original = engines().join("cache/engines").join(path.file_name().unwrap());
        if forged.contains(&path) {
            assert!(content == std::fs::read(original).unwrap(), "{}", path.display());
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o77, 0);
    }
}

#[tokio::test]
async fn a_short_wait_does_not_end_what_is_being_compiled() {
    if !there_is_python() {
        return;
    }
    World::new(Strength::A).good("return 1").await;
    let folder = tempfile::tempdir().unwrap();
    let cache = copied(folder.path());
    let isolates = Isolates::new(Options { cache: Some(cache), ..options(Strength::A) });
    let limits = jalm_isolates::Limits { wall: Duration::from_millis(1), ..patient() };
    let first = isolates.run(job("return 1", Value::Null, limits)).await;
    let refused = first.as_ref().err().map(ToString::to_string).unwrap_or_default();
    assert!(first.is_ok() || refused.contains("still being compiled"), "{refused}");
    let verdict = isolates.run(job("return 2", Value::Null, patient())).await.unwrap();
    assert_eq!(verdict.result, Ok(json!(2)));
}

#[tokio::test]
async fn nothing_is_left_when_the_isolates_end() {
    if !there_is_python() {
        return;
    }
    let world = World::new(Strength::A);
    assert_eq!(world.good("return 1").await, json!(1));
    let endless = world.run("while True: pass", Value::Null);
    assert!(tokio::time::timeout(Duration::from_millis(300), endless).await.is_err());
    assert_eq!(world.good("return 2").await, json!(2));
    world.isolates.shutdown().await;
    // Theirs end with them, so it is enough to look for one's own.
    let children = || {
        let ours = format!("\nPPid:\t{}\n", std::process::id());
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let status =
            entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok());
        status.filter(|status| status.contains(&ours) && !status.contains("State:\tZ")).count()
    };
    while children() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(world.isolates.run(job("return 1", Value::Null, patient())).await.is_err());
}
