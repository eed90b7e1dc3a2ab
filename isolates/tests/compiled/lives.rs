//! What is started, and that nothing of it stays.

use crate::world::{World, at_each_strength, patient, script};
use jalm_isolates::Language::{Go, Rust};
use jalm_isolates::{Isolates, Job, Limits, Options, Refused};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// The ids of all processes that this one has started, and of those that they have.
fn descendants() -> usize {
    let parent = |pid: u32| -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let alive = !status.contains("State:\tZ");
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:\t"))?;
        alive.then(|| line.parse().ok()).flatten()
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![std::process::id()];
    let mut at = 0;
    while let Some(above) = found.get(at).copied() {
        found.extend(pids.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| pid));
        at += 1;
    }
    found.len() - 1
}

async fn descendants_are(wanted: impl Fn(usize) -> bool) {
    while !wanted(descendants()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Folders of compilers without one of their own, by their worker's number.
fn folders() -> usize {
    let own = "jalm-build-";
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let mine = entries.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap_or_default();
        // Others' are of other tests that run now.
        name.strip_prefix(own)
            .and_then(|rest| rest.split('-').next())
            .is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
    mine.count()
}

at_each_strength! { Rust:
    async fn one_waits_for_the_next_script_and_none_stays_after_the_end(world: World) {
        assert_eq!(descendants(), 0);
        assert_eq!(world.good(Rust, "return 1;", Value::Null).await, json!(1));
        descendants_are(|count| count > 0).await;
        world.isolates.shutdown().await;
        descendants_are(|count| count == 0).await;
    }

    async fn who_is_not_waited_for_any_more_is_ended(world: World) {
        // Each sandbox of strength A has two processes that only wait.
        let full = world.strength == jalm_isolates::Strength::A;
        let endless = "fn main() { loop { std::hint::spin_loop() } }";
        let limits = Limits { wall: Duration::from_millis(50), ..patient() };
        assert_eq!(world.wrong_within(Rust, endless, limits).await.code, "script_timeout");
        let slow = "macro_rules! bomb { ($($x:tt)*) => { bomb!($($x)* $($x)*) } }\nfn main() { bomb!(a) }";
        // Beside the one that waits: the program; the compiler, and who watches over it.
        for (source, there) in [(endless, if full { 6 } else { 2 }), (slow, if full { 6 } else { 3 })] {
            let job = Job { program: script(Rust, source, Value::Null), limits: patient() };
            let run = world.isolates.run(job);
            tokio::select! {
                verdict = run => panic!("{verdict:?}"),
                () = descendants_are(|count| count >= there) => {}
            }
            descendants_are(|count| count < there).await;
        }
        assert_eq!(world.isolates.compilations(), 2);
        world.isolates.shutdown().await;
        descendants_are(|count| count == 0).await;
        assert_eq!(folders(), 0);
    }
}

#[tokio::test]
async fn a_host_without_the_compiler_says_which_one_and_where_to_name_it() {
    let options = Options {
        rustc: PathBuf::from("/nowhere/rustc"),
        go: PathBuf::from("no-such-go"),
        ..Options::new(PathBuf::from(env!("CARGO_BIN_EXE_isolate-worker")))
    };
    let isolates = Isolates::new(options);
    for (language, tool, setting) in
        [(Rust, "`/nowhere/rustc`", "`isolation.rustc`"), (Go, "`no-such-go`", "`isolation.go`")]
    {
        let program = script(language, "return 1", Value::Null);
        let refused = isolates.run(Job { program, limits: patient() }).await.unwrap_err();
        assert!(matches!(refused, Refused::NoInterpreter { .. }), "{refused:?}");
        let text = refused.to_string();
        assert!(text.contains(tool) && text.contains(setting), "{text}");
        assert!(refused.hint().contains(setting), "{}", refused.hint());
    }
    assert_eq!(isolates.compilations(), 0);
}
