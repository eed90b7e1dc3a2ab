//! Children that were locked in before their script came.

use crate::common::{MIB, World, hasty, js, patient};
use jalm_isolates::{Limits, Program, Strength};
use serde_json::json;

const AHEAD: usize = 3;

/// With namespaces, one process waits for the first one inside.
fn worker(strength: Strength) -> usize {
    if strength == Strength::A { 2 } else { 1 }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

at_each_strength! {
    async fn as_many_as_are_wanted_wait_and_each_serves_one_script(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let world = World::ahead(strength, &[], AHEAD);
        world.still_works().await;
        let rest = worker(strength) + AHEAD;
        world.processes_are(|now| now == rest).await;
        let source = "globalThis.seen = (globalThis.seen ?? 0) + 1; return globalThis.seen";
        for _ in 0..3 * AHEAD {
            assert_eq!(world.js_ok(source).await, 1);
        }
        world.processes_are(|now| now == rest).await;
        world.isolates.shutdown().await;
        world.processes_are(|now| now == 0).await;
    }

    /// What `probes.rs` asks of one that was forked for its script.
    async fn they_are_locked_in_as_the_others_are(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let world = World::ahead(strength, &[], AHEAD);
        let all = Program::Probe { attempts: Vec::new() };
        let names = world.run(all, patient()).await.unwrap().result.unwrap();
        let names: Vec<&str> =
            names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        for (name, errno) in world.probe(&names).await {
            let wanted = if name == "clone3" { libc::ENOSYS } else { libc::EPERM };
            assert_eq!(errno, json!(wanted), "{name}");
        }
        let open = world.probe_one("descriptors").await;
        assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    }

    async fn the_limits_of_a_script_hold_in_them(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let world = World::ahead(strength, &[], AHEAD);
        let code = async |source: &str, limits| {
            world.run(js(source), limits).await.unwrap().result.unwrap_err().code.into_owned()
        };
        let small = Limits { memory: 16 * MIB, ..patient() };
        assert_eq!(code("return new Uint8Array(64 << 20).length", small).await, "script_memory");
        assert_eq!(code("for (;;) {}", hasty()).await, "script_timeout");
        let short = Limits { output: 1000, ..patient() };
        assert_eq!(code("return 'x'.repeat(2000)", short).await, "script_output");
        world.still_works().await;
    }

    async fn one_that_is_killed_while_it_waits_is_replaced(world: &World) {
        let strength = world.isolates.report().await.strength.unwrap();
        let world = World::ahead(strength, &[], AHEAD);
        // No script has run, so that none of them is on its way out.
        world.isolates.report().await;
        let there = world.processes_are(|now| now == worker(strength) + AHEAD).await;
        let parents: Vec<u32> = there.iter().filter_map(|pid| parent(*pid)).collect();
        let children: Vec<u32> =
            there.into_iter().filter(|pid| !parents.contains(pid)).collect();
        assert_eq!(children.len(), AHEAD);
        children.into_iter().for_each(kill);
        world.processes_are(|now| now == worker(strength)).await;
        // The news of their death may come after the next script took one.
        for _ in 0..AHEAD {
            match world.run(js("return 1"), patient()).await.unwrap().result {
                Ok(one) => assert_eq!(one, 1),
                Err(error) => assert_eq!(error.code, "script_crashed"),
            }
        }
        for _ in 0..2 * AHEAD {
            world.still_works().await;
        }
        world.processes_are(|now| now == worker(strength) + AHEAD).await;
    }
}

/// Its bounds come with its script.
#[tokio::test]
async fn without_limits_one_that_waited_can_take_what_it_wants() {
    for (without, wanted) in [(vec!["seccomp"], libc::ENOMEM), (vec!["seccomp", "limits"], 0)] {
        let world = World::ahead(Strength::C, &without, AHEAD);
        assert_eq!(world.probe_one("map:17179869184").await, json!(wanted), "{without:?}");
    }
}
