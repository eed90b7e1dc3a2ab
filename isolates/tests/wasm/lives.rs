//! Who lives how long: calls, runners, server.

use crate::world::{World, at_each_strength, constant, hasty, patient};
use jalm_isolates::{Limits, Strength};
use serde_json::Value;
use std::time::Duration;

const FOREVER: &str = r#"(module (func (export "main") (loop $l (br $l))))"#;

fn forever() -> Limits {
    Limits { wall: Duration::from_hours(1), ..patient() }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // One of a runner's two processes may have gone with the other.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

at_each_strength! {
    async fn nothing_is_started_before_the_first_module(world: &World) {
        assert_eq!(world.runners().len(), 0);
        world.still_works().await;
        assert!(!world.runners().is_empty());
    }

    async fn a_runner_serves_many_calls(world: &World) {
        world.still_works().await;
        let first = world.runners();
        for _ in 0..20 {
            world.still_works().await;
        }
        assert_eq!(world.runners(), first);
    }

    async fn a_killed_runner_is_replaced(world: &World) {
        world.still_works().await;
        let before = world.runners();
        for pid in &before {
            kill(*pid);
        }
        world.still_works().await;
        let after = world.runners_are(|now| !now.iter().any(|pid| before.contains(pid))).await;
        assert!(!after.is_empty());
    }

    async fn who_is_killed_in_the_middle_takes_only_his_own_call_along(world: &World) {
        // Compiled, so that nothing but a runner is needed; and there is one that has nothing to do.
        assert!(world.verdict(FOREVER, Value::Null, hasty()).await.result.is_err());
        world.still_works().await;
        let first = world.runners();
        let mut call = Box::pin(world.verdict(FOREVER, Value::Null, forever()));
        // The call is in the runner when another one needs a runner of its own.
        let now = tokio::select! {
            biased;
            _ = &mut call => panic!("it does not end by itself"),
            now = async {
                loop {
                    world.still_works().await;
                    let now = world.runners();
                    if now.iter().any(|pid| !first.contains(pid)) {
                        return now;
                    }
                }
            } => now,
        };
        for pid in &now {
            if first.contains(pid) {
                kill(*pid);
            }
        }
        let one = constant(1);
        let (call, other) = tokio::join!(call, world.run(&one, Value::Null));
        let error = call.result.unwrap_err();
        assert_eq!(error.code, "script_crashed");
        assert!(error.message.contains("signal 9"), "{}", error.message);
        assert_eq!(other.unwrap(), 1);
    }

    async fn nobody_waits_so_the_call_is_ended(world: &World) {
        let mut call = Box::pin(world.verdict(FOREVER, Value::Null, forever()));
        let there = tokio::select! {
            _ = &mut call => panic!("it does not end by itself"),
            there = world.runners_are(|now| !now.is_empty()) => there,
        };
        drop(call);
        world.runners_are(|now| !now.iter().any(|pid| there.contains(pid))).await;
        world.still_works().await;
    }

    async fn shutting_down_ends_everything(world: &World) {
        world.still_works().await;
        world.isolates.shutdown().await;
        while !world.processes().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let refused = world.try_run(&constant(1), Value::Null, patient()).await.unwrap_err();
        assert!(refused.to_string().contains("stopping"), "{refused}");
    }

    async fn more_calls_than_runners_wait_in_line(world: &World) {
        let calls = (0..6).map(|_| world.verdict(FOREVER, Value::Null, hasty()));
        for verdict in futures_util::future::join_all(calls).await {
            assert_eq!(verdict.result.unwrap_err().code, "script_timeout");
        }
        let most = if world.strength == Strength::A { 4 } else { 2 };
        // One that was late is still ending.
        world.runners_are(|now| now.len() <= most).await;
    }

    async fn limits_may_be_endless(world: &World) {
        let limits = Limits { wall: Duration::MAX, memory: u64::MAX, output: u64::MAX, ..Limits::default() };
        assert_eq!(world.verdict(&constant(1), Value::Null, limits).await.result, Ok(1.into()));
    }
}

/// It costs a start for each call, and nothing in between.
#[tokio::test]
async fn none_is_kept_if_none_should_be() {
    let world = World::keeping(Strength::A, 0);
    for number in 0..3 {
        let result = world.try_run(&constant(number), Value::Null, patient()).await.unwrap().result;
        assert_eq!(result, Ok(number.into()));
        world.runners_are(<[u32]>::is_empty).await;
    }
}

/// Without the timer inside, the server ends the call from outside.
#[tokio::test]
async fn a_runner_that_hangs_is_killed_and_replaced() {
    for strength in [Strength::A, Strength::C] {
        let world = World::with(strength, &["interrupt"], 1);
        let verdict = world.try_run(FOREVER, Value::Null, hasty()).await.unwrap();
        assert_eq!(verdict.result.unwrap_err().code, "script_timeout");
        assert_eq!(
            world.try_run(&constant(2), Value::Null, patient()).await.unwrap().result,
            Ok(2.into())
        );
    }
}
