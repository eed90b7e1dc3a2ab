//! Who lives how long: scripts, the processes that wait for them, and the server.

use crate::world::{
    RUNTIMES, World, at_each_strength, descendants, descendants_are, options, patient, script,
    there_is,
};
use jalm_isolates::{Isolates, Job, Language, Limits, Options, Refused, Strength};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Processes for each Node that waits: it is the third one of a family where there are namespaces.
fn family(world: &World) -> usize {
    if world.strength == Strength::A { 3 } else { 1 }
}

at_each_strength! {
    async fn nothing_is_started_before_the_first_script_and_one_waits_afterwards(world: World) {
        assert_eq!(descendants(), Vec::<u32>::new());
        for n in 0..5 {
            assert_eq!(world.run("return n", json!({ "n": n })).await, Ok(json!(n)));
        }
        descendants_are(|now| now == family(&world)).await;
        world.isolates.shutdown().await;
        descendants_are(|now| now == 0).await;
        let job = Job { program: world.js("return 1", Value::Null), limits: patient() };
        assert!(world.isolates.run(job).await.is_err());
    }

    async fn many_at_once_do_not_mix(world: World) {
        let runs = (0..12).map(|n| {
            let world = &world;
            async move { (n, world.run("return n * 2", json!({ "n": n })).await) }
        });
        for (n, result) in futures_util::future::join_all(runs).await {
            assert_eq!(result, Ok(json!(n * 2)));
        }
    }

    async fn dropping_a_run_kills_it(world: World) {
        world.good("return 1").await;
        let run = world.run("for (;;) {}", Value::Null);
        assert!(tokio::time::timeout(Duration::from_millis(300), run).await.is_err());
        descendants_are(|now| now == family(&world)).await;
    }

    async fn dropping_the_isolates_ends_everything(world: World) {
        world.good("return 1").await;
        drop(world);
        descendants_are(|now| now == 0).await;
    }

    async fn a_process_that_was_killed_while_it_waited_is_replaced(world: World) {
        world.good("return 1").await;
        // Those that end by themselves and those that only begin are among them for a moment.
        descendants_are(|now| now == family(&world)).await;
        while !descendants().is_empty() {
            descendants().into_iter().for_each(kill);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Whoever was on the way may be told so; the next one gets another process.
        let mut tries = 0;
        while world.isolates.run(Job { program: world.js("return 1", Value::Null), limits: patient() }).await.is_err() {
            tries += 1;
            assert!(tries < 20);
        }
        assert_eq!(world.good("return 2").await, json!(2));
    }

    async fn limits_may_be_endless_or_nothing(world: World) {
        let limits = Limits { wall: Duration::from_hours(1), memory: u64::MAX, output: u64::MAX, ..Limits::default() };
        let verdict = world.verdict(world.js("return 1", Value::Null), limits).await;
        assert_eq!(verdict.result, Ok(json!(1)));
        let limits = Limits { wall: Duration::ZERO, memory: 0, output: 0, ..Limits::default() };
        let error = world.verdict(world.js("return 1", Value::Null), limits).await.result.unwrap_err();
        assert!(["script_timeout", "script_output"].contains(&error.code.as_ref()), "{error:?}");
    }
}

#[tokio::test]
async fn mounts_of_the_host_stay_as_they_are() {
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        let before = mounts();
        let world = World::new(runtime, Strength::A);
        assert_eq!(world.good("return 1").await, json!(1));
        world.isolates.shutdown().await;
        descendants_are(|now| now == 0).await;
        assert_eq!(mounts(), before);
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let worker: PathBuf = env!("CARGO_BIN_EXE_isolate-worker").into();
    for runtime in RUNTIMES {
        for (name, why) in
            [("no-such-program", "there is no `no-such-program` here"), ("true", "does not answer")]
        {
            let isolates = Isolates::new(Options {
                node: name.into(),
                deno: name.into(),
                bun: name.into(),
                ..Options::new(PathBuf::clone(&worker))
            });
            let program = script(runtime, Language::JavaScript, "return 1", Value::Null);
            let refused = isolates.run(Job { program, limits: patient() }).await.unwrap_err();
            assert!(refused.to_string().contains(why), "{refused}");
            let setting = format!("isolation.{}", runtime.name());
            assert!(refused.hint().contains(&setting), "{setting}");
        }
    }
}

#[tokio::test]
async fn native_code_is_refused_without_landlock() {
    for runtime in RUNTIMES.into_iter().filter(|runtime| there_is(*runtime)) {
        let isolates = Isolates::new(Options {
            minimum: Strength::C,
            maximum: Strength::C,
            ..options(env!("CARGO_BIN_EXE_isolate-worker").into())
        });
        let program = script(runtime, Language::JavaScript, "return 1", Value::Null);
        let refused = isolates.run(Job { program, limits: patient() }).await.unwrap_err();
        assert!(matches!(refused, Refused::BelowMinimum { .. }), "{refused}");
    }
}
