//! Disks and files that fail: a clear error, no damage, and on it goes when the cause is gone.
#![allow(clippy::unwrap_used, reason = "tests may fail by panicking")]

use jalm_tests::{Chance, Finished, Runner, World, seed, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;

fn pure() -> Value {
    json!({ "intent": "pure", "steps": [{ "id": "uuid", "atom": "generate_uuid" }] })
}

/// Executions of an earlier life, by id.
async fn filled(world: &World, count: usize) -> BTreeMap<String, Value> {
    let runner = world.start().await;
    let mut all = BTreeMap::new();
    for _ in 0..count {
        let ended = runner.run(pure()).await;
        all.insert(ended["execution_id"].as_str().unwrap().to_owned(), ended);
    }
    assert_eq!(runner.stop().await, Some(0));
    all
}

async fn all_are_there(runner: &Runner, all: &BTreeMap<String, Value>) {
    for (id, before) in all {
        assert_eq!(&runner.show(id).await, before);
    }
}

/// The bytes of all files in a folder, without the lock that a refused start may rewrite.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let named = files.map(|entry| {
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    });
    named.filter(|(name, _)| !matches!(name.as_str(), "jalm.db.lock" | "jalm.db-shm")).collect()
}

/// An error that says what and where, with a hint, and nothing on stdout.
#[track_caller]
fn says(refused: &Finished, parts: &[&str]) {
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{refused:#?}");
    assert!(!refused.err.contains("panicked"), "{refused:#?}");
    for part in parts.iter().chain(&["error: ", "help: "]) {
        assert!(refused.err.contains(part), "no {part}: {refused:#?}");
    }
}

/// Runs the server in a mount namespace of its own, with a small disk as its data folder. What is
/// mounted there is seen by nobody else and goes with the process.
const SMALL_DISK: &str = "mount -t tmpfs -o size=2m none \"$JALM_TEST_DISK\" && exec \"$@\"";

/// Mounting needs the right to make namespaces, which containers may not have.
async fn can_mount(world: &World) -> bool {
    let disk = world.folder().join("probe");
    std::fs::create_dir(&disk).unwrap();
    let mut command = tokio::process::Command::new("unshare");
    command.args(["-m", "--propagation", "private", "mount", "-t", "tmpfs", "none"]).arg(disk);
    command.output().await.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_refuses_work_and_takes_it_again_when_there_is_room() {
    let world = World::new().await;
    if !can_mount(&world).await {
        return file_size_limit(&world).await;
    }
    std::fs::create_dir(world.data()).unwrap();
    let server = world.server().env("JALM_TEST_DISK", world.data().into_os_string());
    let under = ["unshare", "-m", "--propagation", "private", "sh", "-c", SMALL_DISK, "sh"];
    let runner = server.under(under).start().await;
    // The disk as this process sees it: through the root of the server's process.
    let disk = format!("/proc/{}/root{}", runner.pid(), world.data().display());
    let first = runner.run(pure()).await;
    let filler = format!("{disk}/filler");
    fill(&filler);
    let (free, taken) = (Cell::new(false), RefCell::default());
    let check = async {
        is_full(&runner).await;
        // Reading goes on.
        let id = first["execution_id"].as_str().unwrap();
        assert_eq!(runner.show(id).await, first);
        std::fs::remove_file(&filler).unwrap();
        free.set(true);
    };
    tokio::join!(submit_until(&free, &runner, &taken), check);
    goes_on(&runner, &taken.into_inner()).await;
}

fn fill(path: &str) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    while file.write_all(&[7; 1]).is_ok() {}
}

/// Submits one after the other; what was taken. The one that meets the full disk gets its answer
/// when it has become durable, later ones are refused.
async fn submit_until(enough: &Cell<bool>, runner: &Runner, taken: &RefCell<Vec<String>>) {
    while !enough.get() {
        let body = json!({ "jalm_config": pure(), "params": { "x": "y".repeat(10_000) } });
        let answer = runner.post("/exec", &body).await;
        match answer.status {
            202 => taken.borrow_mut().push(answer.id()),
            503 => {}
            other => panic!("{other}: {:#}", answer.body),
        }
    }
}

/// Waits until the server says that it cannot write; then work is refused with the reason.
async fn is_full(runner: &Runner) {
    let health = until("the disk being full", async || {
        let health = runner.get("/health").await;
        (health.status == 503).then_some(health.body)
    })
    .await;
    assert_eq!(health["store"]["status"], "degraded", "{health:#}");
    assert_eq!(runner.get("/health/live").await.status, 200);
    assert_eq!(runner.get("/health/ready").await.status, 503);
    let refused = runner.post("/exec", &json!({ "jalm_config": pure() })).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("store_unavailable")));
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.body["detail"].as_str().unwrap().contains("jalm.db"), "{:#}", refused.body);
}

async fn goes_on(runner: &Runner, taken: &[String]) {
    until("the store being well again", async || {
        let request = runner.request(Method::POST, "/exec?wait=30s");
        let answer = runner.send(request.json(&json!({ "jalm_config": pure() }))).await;
        (answer.status == 200).then_some(())
    })
    .await;
    assert_eq!(runner.get("/health").await.status, 200);
    for id in taken {
        assert_eq!(
            runner.wait(id).await["status"],
            "completed",
            "an acknowledged execution is lost"
        );
    }
}

/// Where nothing can be mounted, a limit on the size of files stands for the full disk; that it is
/// gone is shown by a new start.
async fn file_size_limit(world: &World) {
    let limited = world.server().under(["prlimit", "--fsize=1000000", "--"]);
    let runner = limited.start().await;
    let (never, taken) = (Cell::new(false), RefCell::default());
    tokio::select! {
        () = submit_until(&never, &runner, &taken) => {}
        () = is_full(&runner) => {}
    }
    runner.kill().await;
    goes_on(&world.start().await, &taken.into_inner()).await;
}

#[tokio::test]
async fn a_limit_on_file_sizes_is_survived_like_a_full_disk() {
    file_size_limit(&World::new().await).await;
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_said_so() {
    let world = World::new().await;
    let all = filled(&world, 3).await;
    let before = bytes(&world.data());
    let mut can = true;
    if can_mount(&world).await {
        let script = "mount --bind \"$JALM_TEST_DISK\" \"$JALM_TEST_DISK\" && mount -o remount,bind,ro \"$JALM_TEST_DISK\" && exec \"$@\"";
        let server = world.server().env("JALM_TEST_DISK", world.data().into_os_string());
        let under = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"];
        says(&server.under(under).fails().await, &["cannot be written", "jalm.db"]);
    } else {
        // Works for everybody but root, whom modes do not bind.
        set_mode(&world.data(), 0o500);
        let refused = world.server().fails().await;
        set_mode(&world.data(), 0o700);
        can = refused.code == Some(1);
        if can {
            says(&refused, &["cannot be written"]);
        }
    }
    assert!(can, "neither mounts nor modes can make a folder read-only here");
    assert_eq!(bytes(&world.data()), before);
    all_are_there(&world.start().await, &all).await;
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_data_folder_that_is_a_file_is_said_so() {
    let world = World::new().await;
    world.file("data", "mine");
    says(&world.server().fails().await, &["data"]);
    assert_eq!(std::fs::read_to_string(world.data()).unwrap(), "mine");
}

/// Bytes in the middle are changed. Whatever the server does with it, it must not end in a panic,
/// show invented executions, or touch the file when it refuses.
#[tokio::test]
async fn a_damaged_store_is_refused_or_read_but_never_made_worse() {
    let mut chance = Chance::new(seed());
    let world = World::new().await;
    let all = filled(&world, 30).await;
    let store = world.data().join("jalm.db");
    let good = std::fs::read(&store).unwrap();
    let mut refused = 0;
    for round in 0..8 {
        let mut bad = good.clone();
        if round % 2 == 0 {
            let page = 4096 * usize::try_from(chance.below(good.len() as u64 / 4096)).unwrap();
            for byte in &mut bad[page..(page + 4096).min(good.len())] {
                *byte = u8::try_from(chance.below(256)).unwrap();
            }
        } else {
            bad.truncate(usize::try_from(chance.below(good.len() as u64 - 1)).unwrap() + 1);
        }
        for name in ["jalm.db-wal", "jalm.db-shm"] {
            let _ = std::fs::remove_file(world.data().join(name));
        }
        std::fs::write(&store, &bad).unwrap();
        if let Ok(runner) = try_start(&world).await {
            for (id, before) in &all {
                let answer = runner.get(&format!("/exec/{id}")).await;
                match answer.status {
                    200 => assert_eq!(&answer.body, before, "round {round}"),
                    404 | 500 | 503 => {}
                    other => panic!("round {round}: {other} {:#}", answer.body),
                }
            }
            assert!(!runner.log().contains("panicked"), "{}", runner.log());
        } else {
            refused += 1;
            assert_eq!(
                std::fs::read(&store).unwrap(),
                bad,
                "round {round}: a refused store was changed"
            );
        }
    }
    assert!(refused > 0, "no damage was noticed");
    for name in ["jalm.db-wal", "jalm.db-shm"] {
        let _ = std::fs::remove_file(world.data().join(name));
    }
    std::fs::write(&store, &good).unwrap();
    all_are_there(&world.start().await, &all).await;
}

/// A server that may refuse to start, but not without saying why.
async fn try_start(world: &World) -> Result<Runner, Finished> {
    let checked = world.jalm(["doctor", "--json", "--data"]).arg(world.data()).run().await;
    let store = checked.json()["checks"][1].clone();
    assert_eq!(store["check"], "store");
    if store["ok"] == true {
        return Ok(world.start().await);
    }
    let refused = world.server().fails().await;
    says(&refused, &["jalm.db"]);
    Err(refused)
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone() {
    let world = World::new().await;
    std::fs::create_dir(world.data()).unwrap();
    let other = rusqlite::Connection::open(world.data().join("jalm.db")).unwrap();
    other.execute_batch("create table mine (x); insert into mine values (1)").unwrap();
    drop(other);
    let before = bytes(&world.data());
    says(&world.server().fails().await, &["jalm.db", "not a store of jalm"]);
    assert_eq!(bytes(&world.data()), before);
    std::fs::write(
        world.data().join("jalm.db"),
        "just text, but longer than a header of SQLite. ".repeat(100),
    )
    .unwrap();
    let before = bytes(&world.data());
    says(&world.server().fails().await, &["jalm.db"]);
    assert_eq!(bytes(&world.data()), before);
}

#[tokio::test]
async fn a_second_server_on_the_same_store_is_refused_until_the_first_is_gone() {
    let world = World::new().await;
    let first = world.start().await;
    let ended = first.run(pure()).await;
    let pid = first.pid().to_string();
    says(&world.server().fails().await, &["in use by another runner", &pid]);
    // A run on the command line is a runner as well.
    let intent = world.file("pure.json", pure().to_string());
    let run = world.jalm(["run"]).arg(intent).run().await;
    says(&run, &["in use by another runner"]);
    // The first one did not notice.
    assert_eq!(first.run(pure()).await["status"], "completed");
    first.kill().await;
    let second = world.start().await;
    assert_eq!(second.show(ended["execution_id"].as_str().unwrap()).await, ended);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let world = World::new().await;
    let all = filled(&world, 3).await;
    let set = |version: i64| {
        let store = rusqlite::Connection::open(world.data().join("jalm.db")).unwrap();
        let old: i64 = store.query_row("pragma user_version", (), |row| row.get(0)).unwrap();
        store.pragma_update(None, "user_version", version).unwrap();
        // Back to one file, as a runner leaves it.
        store.query_row("pragma wal_checkpoint(truncate)", (), |_| Ok(())).unwrap();
        old
    };
    let known = set(999);
    let before = bytes(&world.data());
    says(&world.server().fails().await, &["format 999", &format!("up to {known}")]);
    assert_eq!(bytes(&world.data()), before);
    set(known);
    all_are_there(&world.start().await, &all).await;
}
