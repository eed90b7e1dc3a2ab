//! Who lives how long: jobs, worker, server.

use crate::common::{World, hasty, js, patient, processes_of, worker_exe};
use jalm_isolates::{Isolates, Job, Limits, Options, Program, Refused, Strength};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

fn forever() -> Limits {
    Limits { wall: Duration::from_hours(1), ..patient() }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended with another one already.
    let killed = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    assert!(matches!(killed, Ok(()) | Err(rustix::io::Errno::SRCH)), "{killed:?}");
}

at_each_strength! {
    async fn nobody_waits_so_the_script_is_ended(world: &World) {
        let idle = world.idle().await.len();
        let mut run = Box::pin(world.run(js("for (;;) {}"), forever()));
        tokio::select! {
            _ = &mut run => panic!("it does not end by itself"),
            _ = world.processes_are(|now| now > idle) => {}
        }
        drop(run);
        world.processes_are(|now| now == idle).await;
        world.still_works().await;
    }

    async fn a_killed_worker_is_replaced(world: &World) {
        let before = world.idle().await;
        let mut run = Box::pin(world.run(js("for (;;) {}"), forever()));
        tokio::select! {
            _ = &mut run => panic!("it does not end by itself"),
            _ = world.processes_are(|now| now > before.len()) => {}
        }
        for pid in &before {
            kill(*pid);
        }
        // Who waits hears at once that nothing came of it.
        let refused = run.await.unwrap_err();
        assert!(matches!(refused, Refused::Unavailable { .. }), "{refused}");
        world.processes_are(|now| now == 0).await;
        world.still_works().await;
        assert!(world.processes().iter().all(|pid| !before.contains(pid)));
    }

    async fn a_killed_script_is_said_to_be_killed(world: &World) {
        let before = world.idle().await;
        let mut run = Box::pin(world.run(js("for (;;) {}"), forever()));
        let now = tokio::select! {
            _ = &mut run => panic!("it does not end by itself"),
            now = world.processes_are(|now| now > before.len()) => now,
        };
        for pid in now.iter().filter(|pid| !before.contains(pid)) {
            kill(*pid);
        }
        let error = run.await.unwrap().result.unwrap_err();
        assert_eq!(error.code, "script_crashed");
        assert!(error.message.contains("signal 9"), "{}", error.message);
        world.still_works().await;
    }

    async fn shutting_down_ends_everything(world: &World) {
        let idle = world.idle().await.len();
        let mut run = Box::pin(world.run(js("for (;;) {}"), forever()));
        tokio::select! {
            _ = &mut run => panic!("it does not end by itself"),
            _ = world.processes_are(|now| now > idle) => {}
        }
        world.isolates.shutdown().await;
        assert!(run.await.is_err());
        world.processes_are(|now| now == 0).await;
        let refused = world.run(js("return 1"), patient()).await.unwrap_err();
        assert!(refused.to_string().contains("stopping"), "{refused}");
    }

    /// As many as are allowed, and not one more; the others come when there is room.
    async fn no_more_scripts_run_at_once_than_allowed(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let world = World::with(strength, &[], 2);
        let idle = world.idle().await.len();
        let started = |source: &str| {
            let (isolates, job) = (world.isolates.clone(), Job { program: js(source), limits: forever() });
            tokio::spawn(async move { isolates.run(job).await })
        };
        let long: Vec<_> = (0..2).map(|_| started("for (;;) {}")).collect();
        world.processes_are(|now| now == idle + 2).await;
        let third = started("return 'third'");
        // Nothing shows that something does not happen; many turns of everybody's loop come close.
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(world.processes().len() <= idle + 2);
            assert!(!third.is_finished());
        }
        long[0].abort();
        assert_eq!(third.await.unwrap().unwrap().result.unwrap(), json!("third"));
        long[1].abort();
        world.processes_are(|now| now == idle).await;
    }

    async fn the_time_in_line_does_not_count(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let world = World::with(strength, &[], 1);
        let (first, second) = tokio::join!(
            world.run(js("for (;;) {}"), hasty()),
            world.run(js("return 1"), Limits { wall: Duration::from_secs(30), ..hasty() }),
        );
        assert_eq!(first.unwrap().result.unwrap_err().code, "script_timeout");
        assert_eq!(second.unwrap().result.unwrap(), 1);
    }

    /// The kernel ends the worker with its server, and the scripts with their worker.
    async fn nothing_outlives_a_killed_server(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let exe = folder.path().join("isolate-server");
        // A file of its own: the processes are found by its name, which a link would not keep.
        std::fs::hard_link(worker_exe(), &exe)
            .or_else(|_| std::fs::copy(worker_exe(), &exe).map(drop))
            .unwrap();
        let mut server = Command::new(&exe)
            .args(["serve", strength.name()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("strength"), "{line}");
        let idle = if strength == Strength::A { 3 } else { 2 };
        while processes_of(&exe).len() < idle + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill().unwrap();
        server.wait().unwrap();
        while !processes_of(&exe).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn isolates_that_are_dropped_end_their_worker(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let World { isolates, exe, _folder } = World::with(strength, &[], 1);
        let job = Job { program: js("return 1"), limits: patient() };
        isolates.run(job).await.unwrap();
        assert!(!processes_of(&exe).is_empty());
        drop(isolates);
        while !processes_of(&exe).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Limits without bounds do not make anything overflow.
    async fn limits_may_be_endless(world: &World) {
        let limits = Limits { wall: Duration::MAX, memory: u64::MAX, output: u64::MAX, ..Limits::default() };
        assert_eq!(world.run(js("return 1"), limits).await.unwrap().result.unwrap(), 1);
        let limits = Limits { wall: Duration::ZERO, memory: 0, output: 0, ..Limits::default() };
        let error = world.run(js("return 1"), limits).await.unwrap().result.unwrap_err();
        assert!(["script_timeout", "script_memory", "script_crashed", "script_output"].contains(&error.code.as_ref()), "{error:?}");
    }
}

/// The worker has a descriptor for each of them, and not more than a few hundred.
#[tokio::test]
async fn more_scripts_than_a_worker_can_watch_wait_in_line() {
    let world = World::with(Strength::C, &[], 100_000);
    let idle = world.idle().await.len();
    let started = |_| {
        let program = Program::Probe { attempts: vec!["sleep:3600000".to_owned()] };
        let (isolates, job) = (world.isolates.clone(), Job { program, limits: forever() });
        tokio::spawn(async move { isolates.run(job).await })
    };
    let all: Vec<_> = (0..300).map(started).collect();
    world.processes_are(|now| now == idle + 200).await;
    assert!(all.iter().all(|one| !one.is_finished()));
    all.iter().for_each(tokio::task::JoinHandle::abort);
    world.processes_are(|now| now == idle).await;
    world.still_works().await;
}

#[tokio::test]
async fn a_sandbox_below_the_minimum_is_refused() {
    let options = Options {
        minimum: Strength::B,
        maximum: Strength::C,
        max_children: 1,
        ..Options::new(worker_exe().to_owned())
    };
    let isolates = Isolates::new(options);
    let refused =
        isolates.run(Job { program: js("return 1"), limits: patient() }).await.unwrap_err();
    let Refused::BelowMinimum { minimum, strength, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*minimum, *strength), (Strength::B, Some(Strength::C)));
    assert!(refused.hint().contains("isolation.minimum"));
}

#[tokio::test]
async fn a_worker_that_cannot_be_started_is_said() {
    for exe in ["/no/such/worker", "/bin/true", "/bin/cat"] {
        let options = Options {
            minimum: Strength::C,
            maximum: Strength::A,
            max_children: 1,
            ..Options::new(exe.into())
        };
        let isolates = Isolates::new(options);
        assert_eq!(isolates.report().await.strength, None);
        let job = Job { program: js("return 1"), limits: patient() };
        let refused = isolates.run(job).await.unwrap_err();
        assert!(refused.to_string().contains("worker"), "{refused}");
    }
}

#[tokio::test]
async fn what_is_in_force_is_said() {
    let world = World::without(Strength::C, &[]);
    let isolates = &world.isolates;
    assert_eq!(isolates.known_report(), None);
    let report = isolates.report().await;
    assert_eq!(isolates.known_report().as_ref(), Some(&report));
    assert_eq!(report.summary(), "strength C: seccomp, limits");
    let verdict = isolates.run(Job { program: js("return 1"), limits: patient() }).await.unwrap();
    assert_eq!(&*verdict.isolation, "isolate/C: seccomp, limits");
    assert!(verdict.memory_used > 0);
}
