//! Installers that do not do as they should.

use crate::world::World;
use futures_util::future::join_all;
use jalm_isolates::{DependencySettings, Language, Strength};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A uv that notes what it is called with and what it finds, and then does this.
fn fake(settings: &mut DependencySettings, folder: &Path, then: &str) {
    let log = folder.join("log").display().to_string();
    let text = format!("echo \"$2\" >> {log}\nenv > {log}.env\n{then}");
    settings.uv = World::program(folder, "uv", &text);
}

/// Pins a package and installs it.
const GOOD: &str = "case $2 in
compile) printf 'first==1.0 \\\\\\n    --hash=sha256:ab\\n' > requirements.txt ;;
install) echo 'value = 1' > built/first.py ;;
esac";

fn log(world: &World) -> String {
    std::fs::read_to_string(world.folder.path().join("log")).unwrap_or_default()
}

#[tokio::test]
async fn forty_at_once_install_once() {
    let world = World::with(Strength::A, |settings, folder| fake(settings, folder, GOOD));
    let all = join_all((0..40).map(|_| world.python(json!(["first"])))).await;
    let locks: Vec<_> = all.into_iter().map(|one| one.unwrap().lock()).collect();
    assert!(locks.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(locks[0]["packages"], json!(["first==1.0"]));
    assert_eq!(log(&world), "compile\ninstall\n");
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_named() {
    let world = World::with(Strength::A, |settings, _| settings.npm = "no-npm-here".into());
    let given = json!(["is-number"]);
    let error = world.prepare(Language::JavaScript, given, None).await.unwrap_err();
    assert_eq!((error.code, error.may_pass()), ("dependency_tool_missing", false));
    assert!(error.message.contains("`no-npm-here`") && error.hint.contains("`isolation.npm`"));
    // An interpreter without pip, and no uv.
    let mut world = World::new(Strength::A);
    let text = "case \"$*\" in *pip*) exit 1 ;; esac\necho '{\"executable\": \"'$0'\", \"version\": \"3.11.0\", \"path\": [], \"prefixes\": []}'";
    let python = World::program(world.folder.path(), "python", text);
    world.use_python(python).await;
    let error = world.python(json!(["first"])).await.unwrap_err();
    assert_eq!((error.code, error.may_pass()), ("dependency_tool_missing", false), "{error:?}");
    assert!(error.message.contains("no `uv`") && error.message.contains("no pip"), "{error}");
}

#[tokio::test]
async fn nothing_of_the_servers_environment_reaches_an_installer() {
    let world = World::with(Strength::A, |settings, folder| {
        fake(settings, folder, GOOD);
        settings.environment.insert("HTTPS_PROXY".to_owned(), "http://proxy".to_owned());
    });
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")), "nothing to be seen");
    world.python(json!(["first"])).await.unwrap();
    let found = std::fs::read_to_string(world.folder.path().join("log.env")).unwrap();
    let names: Vec<&str> = found.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // Some are what the shell itself adds.
    let known = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "TZ",
        "XDG_CONFIG_HOME",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "TMPDIR",
        "NO_COLOR",
        "HTTPS_PROXY",
        "UV_CACHE_DIR",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    let others: Vec<&&str> = names.iter().filter(|name| !known.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(names.contains(&"HTTPS_PROXY") && names.contains(&"PATH"));
}

#[tokio::test]
async fn what_takes_too_much_room_or_time_is_ended() {
    for (then, code, again) in [
        ("head -c 3000000 /dev/zero > a; sleep 1000", "dependency_too_large", false),
        (
            "for n in 1 2 3 4; do head -c 1000000 /dev/zero > $n; done; sleep 1000",
            "dependency_too_large",
            false,
        ),
        ("sleep 1000", "dependency_timeout", true),
    ] {
        let world = World::with(Strength::A, |settings, folder| {
            fake(settings, folder, then);
            settings.size = 2 * 1024 * 1024;
            settings.time = Duration::from_secs(3);
        });
        let error = world.python(json!(["first"])).await.unwrap_err();
        assert_eq!((error.code, error.may_pass()), (code, again), "{error:?}");
        assert_eq!(left(&world), Vec::<PathBuf>::new());
    }
}

/// What is half-done.
fn left(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world.data().join("deps/tmp")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_cancelled_step_leaves_no_installer_and_no_folder() {
    let then = "echo $$ > ../../../pids\nsetsid sleep 1000 &\necho $! >> ../../../pids\nwait";
    let world = World::with(Strength::A, |settings, folder| fake(settings, folder, then));
    let pids = world.data().join("pids");
    let text = || std::fs::read_to_string(&pids).unwrap_or_default();
    {
        let waits = world.python(json!(["first"]));
        let begun = async {
            while text().lines().count() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            done = waits => panic!("{done:?}"),
            () = begun => {}
        }
    }
    let alive = |pid: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    };
    while text().lines().any(alive) || !left(&world).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_an_installer_says_is_told_without_passwords() {
    let then = "echo 'error: cannot do it with https://me:secret@host/simple'; exit 3";
    let world = World::with(Strength::A, |settings, folder| fake(settings, folder, then));
    let error = world.python(json!(["first"])).await.unwrap_err();
    assert_eq!((error.code, error.may_pass()), ("dependency_failed", false));
    assert_eq!(error.said.as_deref(), Some("error: cannot do it with https://***@host/simple"));
}

#[tokio::test]
async fn a_half_built_environment_is_never_used() {
    let then = "case $2 in
compile) printf 'first==1.0 --hash=sha256:ab\\n' > requirements.txt ;;
install) echo 'value = 1' > built/first.py; test -e ../../../good || kill -9 $$ ;;
esac";
    let world = World::with(Strength::A, |settings, folder| fake(settings, folder, then));
    let error = world.python(json!(["first"])).await.unwrap_err();
    assert_eq!(error.code, "dependency_failed");
    let all = std::fs::read_dir(world.data().join("deps/python")).unwrap();
    assert_eq!(all.count(), 0);
    std::fs::write(world.data().join("good"), "").unwrap();
    world.python(json!(["first"])).await.unwrap();
    assert_eq!(log(&world), "compile\ninstall\ninstall\n");
}
