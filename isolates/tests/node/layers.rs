//! A layer that is switched off lets something through: so each of them does something.

use crate::world::{RUNTIMES, World, there_is};
use jalm_isolates::{Runtime, Strength};
use serde_json::{Value, json};

async fn given(
    (runtime, strength): (Runtime, Strength),
    without: &[&str],
    source: &str,
) -> Result<Value, String> {
    let world = World::without(runtime, strength, without);
    world
        .run(source, Value::Null)
        .await
        .map_err(|error| format!("{}: {}", error.code, error.message))
}

#[tokio::test]
async fn without_seccomp_a_script_makes_sockets() {
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        let source = "const s = require('dgram').createSocket('udp4'); await new Promise((done, fail) => { s.on('error', fail); s.bind(0, done) }); return 'made'";
        assert!(given((runtime, Strength::B), &[], source).await.is_err());
        assert_eq!(given((runtime, Strength::B), &["seccomp"], source).await, Ok(json!("made")));
    }
}

#[tokio::test]
async fn without_landlock_a_script_reads_the_hosts_files() {
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        let source = "return require('fs').readFileSync('/etc/passwd').length > 0";
        assert!(given((runtime, Strength::B), &[], source).await.is_err());
        assert_eq!(given((runtime, Strength::B), &["landlock"], source).await, Ok(json!(true)));
        // With namespaces there is nothing to read even then.
        let error = given((runtime, Strength::A), &["landlock"], source).await.unwrap_err();
        assert!(error.contains("ENOENT"), "{error}");
    }
}

/// Two locks on the one door: the filter, and Landlock's short list of what may be executed.
#[tokio::test]
async fn without_seccomp_landlock_lets_no_other_program_start() {
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        // Deno does not say why.
        let code = |code: &str| (runtime != Runtime::Deno).then(|| code.to_owned());
        let run = |program: &str| {
            format!(
                "const r = require('child_process').spawnSync({program:?}, ['--version']); return [r.status, r.error?.code ?? null]"
            )
        };
        let other = run("/usr/bin/env");
        let closed = given((runtime, Strength::B), &["seccomp"], &other).await;
        assert_eq!(closed, Ok(json!([null, code("EACCES")])));
        assert_eq!(
            given((runtime, Strength::B), &["seccomp", "landlock"], &other).await,
            Ok(json!([0, null]))
        );
        let closed = given((runtime, Strength::B), &["landlock"], &other).await;
        assert_eq!(closed, Ok(json!([null, code("EPERM")])));
    }
}

#[tokio::test]
async fn without_limits_a_script_takes_what_it_wants() {
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        let source = "return new Uint8Array(400 << 20).fill(1).length >> 20";
        assert!(given((runtime, Strength::B), &[], source).await.is_err());
        assert_eq!(given((runtime, Strength::B), &["limits"], source).await, Ok(json!(400)));
    }
}

#[tokio::test]
async fn without_namespaces_a_script_sees_the_hosts_numbers() {
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        assert_eq!(
            given((runtime, Strength::A), &[], "return [process.pid, process.ppid]").await,
            Ok(json!([2, 1]))
        );
        let pid = given((runtime, Strength::B), &[], "return process.ppid").await;
        assert_eq!(pid, Ok(json!(std::process::id())));
    }
}
