//! What the process around wasmtime can do, if somebody breaks out of wasmtime.

use crate::world::{World, at_each_strength, patient};
use jalm_isolates::{Job, Program, Strength};
use serde_json::{Map, Value};

async fn ask(world: &World, attempts: Vec<String>) -> Value {
    let job = Job { program: Program::ProbeWasm { attempts }, limits: patient() };
    world.isolates.run(job).await.unwrap().result.unwrap()
}

async fn probe(world: &World, attempts: &[&str]) -> Map<String, Value> {
    let attempts = attempts.iter().map(|&name| name.to_owned()).collect();
    ask(world, attempts).await.as_object().unwrap().clone()
}

/// What a runner may do and a script's own process may not: it has a timer and limits of its own.
const ITS_OWN: [&str; 2] = ["set_alarm", "raise_own_limit"];

at_each_strength! {
    async fn the_process_can_neither_open_nor_connect_nor_fork(world: &World) {
        let names = ask(world, Vec::new()).await;
        let names: Vec<&str> =
            names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(names.len() >= 60, "{names:?}");
        for (name, errno) in probe(world, &names).await {
            let wanted = if name == "clone3" { libc::ENOSYS } else { libc::EPERM };
            let own = ITS_OWN.contains(&name.as_str())
                // The first process of a namespace takes itself for its parent.
                || world.strength == Strength::A && name == "kill_parent_thread";
            assert_eq!(errno == wanted, !own, "{name}: {errno}");
        }
    }

    async fn the_process_has_its_socket_and_nothing_else_open(world: &World) {
        let open = probe(world, &["descriptors"]).await;
        assert!(open["descriptors"].as_array().unwrap().len() <= 3, "{open:?}");
    }
}

/// wasmtime's own limit is the first one; this is for whoever broke out of it.
#[tokio::test]
async fn a_runner_gets_no_more_memory_than_its_call() {
    for (without, errno) in [(vec!["seccomp"], libc::ENOMEM), (vec!["seccomp", "limits"], 0)] {
        let world = World::with(Strength::C, &without, 1);
        let map = "map:17179869184";
        assert_eq!(probe(&world, &[map]).await[map], errno, "{without:?}");
    }
}

/// The other layers hold without the filter, each for itself.
#[tokio::test]
async fn without_seccomp_namespaces_and_landlock_still_hold() {
    for (strength, without, attempt, errno) in [
        (Strength::A, vec!["seccomp", "landlock"], "open:/etc/passwd", libc::ENOENT),
        (Strength::B, vec!["seccomp"], "open:/etc/passwd", libc::EACCES),
        (Strength::B, vec!["seccomp", "landlock"], "open:/etc/passwd", 0),
    ] {
        let world = World::with(strength, &without, 1);
        if world.isolates.report().await.strength == Some(strength) {
            let found = probe(&world, &[attempt]).await;
            assert_eq!(found[attempt], errno, "{without:?} {attempt}");
        }
    }
}
