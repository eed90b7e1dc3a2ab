//! Each layer alone: with it an attempt is refused, without it the same attempt succeeds. So the
//! other tests can fail, and no layer leans on another one.

use crate::common::{World, hasty, js, patient};
use jalm_isolates::{Program, Refused, Strength};
use serde_json::{Value, json};

/// Everything that is off besides the layer in question.
const BARE: [&str; 2] = ["seccomp", "capabilities"];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

async fn see(strength: Strength, without: &[&str], attempt: &str) -> Option<Value> {
    let world = World::without(strength, without);
    if world.isolates.report().await.strength != Some(strength) {
        println!("this host gives no strength {}", strength.name());
        return None;
    }
    Some(world.probe_one(attempt).await)
}

/// The answer at this strength, without these layers, if the host gives it.
async fn expect(strength: Strength, without: &[&str], attempt: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    if let Some(seen) = see(strength, without, attempt).await {
        assert_eq!(seen, wanted, "{attempt} at {} without {without:?}", strength.name());
    }
}

/// What a process without any sandbox is refused, the host refuses.
#[tokio::test]
async fn without_seccomp_the_kernel_answers_every_call_itself() {
    let world = World::without(Strength::C, &["seccomp", "capabilities", "limits", "dumpable"]);
    let names = jalm_isolates::probe(&[]);
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let outside = std::process::Command::new(crate::common::worker_exe())
        .arg("probe")
        .args(&names)
        .output()
        .unwrap();
    let outside: Value = serde_json::from_slice(&outside.stdout).unwrap();
    let mut let_through = 0;
    for (name, errno) in world.probe(&names).await {
        if outside[&name] != json!(libc::EPERM) {
            assert_ne!(errno, json!(libc::EPERM), "{name}");
            let_through += 1;
        }
    }
    assert!(let_through > 40, "{let_through}");
}

#[tokio::test]
async fn without_landlock_files_can_be_opened() {
    let open = "open:/etc/passwd";
    expect(Strength::B, &["seccomp"], open, libc::EACCES).await;
    expect(Strength::B, &["seccomp", "landlock"], open, 0).await;
    expect(Strength::B, &["seccomp"], "read:/proc/self/environ", libc::EACCES).await;
    expect(Strength::B, &["seccomp"], "memory_of_parent", libc::EACCES).await;
}

#[tokio::test]
async fn without_landlock_ports_can_be_reached() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let connect = format!("connect:{}", listener.local_addr().unwrap().port());
    expect(Strength::B, &["seccomp"], &connect, libc::EACCES).await;
    expect(Strength::B, &["seccomp", "landlock"], &connect, 0).await;
}

#[tokio::test]
async fn without_landlock_others_can_be_signalled() {
    let kill = format!("kill:{}", std::process::id());
    // Asks only whether it might.
    let program = |name: &str| Program::Probe { attempts: vec![name.to_owned()] };
    for (without, wanted) in [(vec!["seccomp"], libc::EPERM), (vec!["seccomp", "landlock"], 0)] {
        let world = World::without(Strength::B, &without);
        if world.isolates.report().await.strength == Some(Strength::B) {
            let verdict = world.run(program(&kill), patient()).await.unwrap();
            assert_eq!(verdict.result.unwrap()[&kill], json!(wanted), "{without:?}");
        }
    }
}

#[tokio::test]
async fn without_namespaces_the_host_can_be_seen() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let connect = format!("connect:{}", listener.local_addr().unwrap().port());
    let kill = format!("kill:{}", std::process::id());
    for (attempt, with) in [
        ("open:/etc/passwd", libc::ENOENT),
        ("open:/proc/self/status", libc::ENOENT),
        (connect.as_str(), libc::ENETUNREACH),
        (kill.as_str(), libc::ESRCH),
    ] {
        expect(Strength::A, &["seccomp", "landlock"], attempt, with).await;
        let bare = ["seccomp", "landlock", "namespaces"];
        expect(Strength::A, &bare, attempt, 0).await;
    }
}

#[tokio::test]
async fn without_dropping_them_a_server_that_is_root_gives_its_capabilities_away() {
    let effective = async |without: &[&str]| {
        let status = see(Strength::C, without, "read:/proc/self/status").await.unwrap();
        let status = status.as_str().unwrap().to_owned();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        let line = status.lines().find(|line| line.starts_with("CapEff:")).unwrap().to_owned();
        line.trim_start_matches("CapEff:").trim().to_owned()
    };
    assert_eq!(effective(&["seccomp"]).await, "0000000000000000");
    if is_root() {
        assert_ne!(effective(&BARE).await, "0000000000000000");
    }
}

#[tokio::test]
async fn without_its_flag_the_worker_can_be_taken_over_by_its_children() {
    let attempt = "memory_of_parent";
    expect(Strength::C, &["seccomp"], attempt, libc::EACCES).await;
    expect(Strength::C, &["seccomp", "dumpable"], attempt, 0).await;
}

#[tokio::test]
async fn without_limits_a_script_can_take_what_it_wants() {
    let map = "map:17179869184";
    expect(Strength::C, &["seccomp"], map, libc::ENOMEM).await;
    expect(Strength::C, &["seccomp", "limits"], map, 0).await;
    expect(Strength::C, &["seccomp"], "open_many:100", 7).await;
    expect(Strength::C, &["seccomp", "limits"], "open_many:100", 100).await;
    expect(Strength::C, &["seccomp", "limits"], "grow_file:4096", 0).await;
    let program = Program::Probe { attempts: vec!["grow_file:4096".to_owned()] };
    let world = World::without(Strength::C, &["seccomp"]);
    let error = world.run(program, patient()).await.unwrap().result.unwrap_err();
    assert!(error.message.starts_with("File too large"), "{}", error.message);
    // The kernel lets root fork in spite of the limit.
    if !is_root() {
        expect(Strength::C, &["seccomp"], "clone", libc::EAGAIN).await;
    }
    expect(Strength::C, &["seccomp", "limits"], "clone", 0).await;
    // A second more than the wall clock allows, so that the watchdog comes first.
    let limits = see(Strength::C, &["seccomp"], "read:/proc/self/limits").await.unwrap();
    let cpu = limits.as_str().unwrap().lines().find(|line| line.starts_with("Max cpu")).unwrap();
    let words: Vec<&str> = cpu.split_whitespace().collect();
    assert_eq!(words, ["Max", "cpu", "time", "61", "62", "seconds"]);
}

#[tokio::test]
async fn without_closing_them_descriptors_are_inherited() {
    for (without, more) in [(vec![], false), (vec!["descriptors"], true)] {
        let world = World::without(Strength::C, &without);
        let open = world.probe_one("descriptors").await;
        assert_eq!(open.as_array().unwrap().len() > 1, more, "{open}");
    }
}

/// Inside a native loop neither the interpreter nor its handler looks at the clock.
const NATIVE_LOOP: &str = "const a = new Uint8Array(20e6); for (;;) { a.fill(1); a.indexOf(3) }";

#[tokio::test]
async fn each_clock_works_without_the_others() {
    let code = async |without: &[&str], source: &str| {
        let world = World::without(Strength::C, without);
        match world.run(js(source), hasty()).await {
            Ok(verdict) => verdict.result.unwrap_err().code.into_owned(),
            Err(Refused::Unavailable { .. }) => "given up".to_owned(),
            Err(refused) => panic!("{refused}"),
        }
    };
    // The watchdog alone; the limit on processor time alone; the interpreter's own alone.
    assert_eq!(code(&["interrupt", "limits"], "for (;;) {}").await, "script_timeout");
    assert_eq!(code(&["interrupt", "watchdog"], "for (;;) {}").await, "script_timeout");
    assert_eq!(code(&["watchdog", "limits"], "for (;;) {}").await, "script_timeout");
    assert_eq!(code(&["watchdog"], NATIVE_LOOP).await, "script_timeout");
    // Without any of them the server itself gives the worker up.
    assert_eq!(code(&["watchdog", "limits", "interrupt"], "for (;;) {}").await, "given up");
}

/// A worker that was given up is no loss for the next job.
#[tokio::test]
async fn a_worker_that_does_not_watch_is_replaced() {
    let world = World::without(Strength::C, &["watchdog", "limits", "interrupt"]);
    assert!(world.run(js("for (;;) {}"), hasty()).await.is_err());
    world.still_works().await;
}
