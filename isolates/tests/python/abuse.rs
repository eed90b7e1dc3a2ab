//! Scripts that mean harm, or do it by mistake: each is ended in time, says why, reaches nothing,
//! and the next script does not notice (research/isolates.md §5 and §8).

use crate::world::{World, at_each_strength, patient};
use jalm_isolates::{Limits, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

fn hasty() -> Limits {
    Limits { wall: Duration::from_millis(700), ..Limits::default() }
}

async fn ends(world: &World, source: &str, limits: Limits, codes: &[&str]) -> Verdict {
    let verdict = world.verdict(source, Value::Null, limits).await;
    let code = verdict.result.as_ref().map_err(|error| error.code.as_ref()).expect_err(source);
    assert!(codes.contains(&code), "{source}\n{:#?}", verdict.result);
    assert_eq!(world.good("return 'still here'").await, json!("still here"));
    verdict
}

/// Calls of the operating system by their number on x86-64 and aarch64, with the errno that the
/// sandbox gives.
const CALLS: &str = "
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(x86, arm, *arguments):
    number = x86 if os.uname().machine == 'x86_64' else arm
    result = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else 'worked'
";

at_each_strength! {
    async fn endless_loops_are_ended(world: World) {
        for source in [
            "while True: pass",
            "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
            "import time\ntime.sleep(600)",
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
            "import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')",
            "10 ** (10 ** 9)",
            "import threading\nthreading.Event().wait()",
            "import asyncio\nawait asyncio.sleep(600)",
            "import os\nos.read(os.pipe()[0], 1)",
        ] {
            let verdict = ends(&world, source, hasty(), &["script_timeout"]).await;
            assert!(verdict.duration < Duration::from_secs(20), "{source}: {:?}", verdict.duration);
        }
    }

    async fn what_was_printed_before_the_end_is_kept(world: World) {
        let verdict = ends(&world, "print('so far')\nwhile True: pass", hasty(), &["script_timeout"]).await;
        assert_eq!(verdict.stdout, "so far\n");
    }

    async fn memory_bombs_are_ended(world: World) {
        for source in [
            "x = []\nwhile True: x.append(bytearray(1 << 20))",
            "return 'x' * (1 << 40)",
            "x = 'x'\nwhile True: x += x",
            "import mmap\nkept = []\nwhile True:\n  m = mmap.mmap(-1, 1 << 24)\n  m.write(b'x' * (1 << 24))\n  kept.append(m)",
            "return list(range(10 ** 10))",
        ] {
            let verdict = ends(&world, source, patient(), &["script_memory", "script_error"]).await;
            assert!(verdict.memory_used < patient().memory + 96 * MIB, "{source}: {}", verdict.memory_used);
        }
    }

    async fn deep_nesting_ends_the_script_alone(world: World) {
        let deep = "[".repeat(20_000);
        ends(&world, &deep, patient(), &["script_syntax", "script_memory", "script_error"]).await;
        let codes = ["script_error", "script_crashed"];
        ends(&world, "def f(): return f()\nreturn f()", patient(), &codes).await;
        let source = "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nreturn f()";
        ends(&world, source, patient(), &["script_error", "script_crashed", "script_memory"]).await;
        let source = "x = []\nfor _ in range(100000): x = [x]\nreturn x";
        ends(&world, source, patient(), &codes).await;
    }

    async fn floods_of_output_are_ended_or_cut(world: World) {
        let verdict = world.verdict("for _ in range(10000): print('x' * 10000)\nreturn 1", Value::Null, patient()).await;
        assert_eq!(verdict.result, Ok(json!(1)));
        assert!(verdict.stdout.len() <= 2 << 20, "{}", verdict.stdout.len());
        let limits = Limits { output: MIB, memory: 512 * MIB, ..patient() };
        ends(&world, "return 'x' * (1 << 22)", limits, &["script_output"]).await;
        let raw = "import os\nwhile True: os.write(3, b'o' + (1 << 20).to_bytes(4, 'little') + bytes(1 << 20))";
        ends(&world, raw, limits, &["script_output"]).await;
        let raw = "import os\nwhile True:\n  os.write(1, b'x' * 65536)\n  os.write(2, b'x' * 65536)";
        ends(&world, raw, hasty(), &["script_timeout"]).await;
    }

    async fn a_script_that_writes_frames_itself_only_fools_itself(world: World) {
        let forged = "import os\nos.write(3, b'?' + bytes(4))\nreturn 1";
        ends(&world, forged, patient(), &["script_crashed", "script_memory"]).await;
        ends(&world, "import os\nos.close(3)\nreturn 1", patient(), &["script_crashed"]).await;
        ends(&world, "import os\nos._exit(0)", patient(), &["script_crashed"]).await;
        ends(&world, "import os\nos.abort()", patient(), &["script_crashed", "script_memory"]).await;
        ends(&world, "import ctypes\nctypes.string_at(0)", patient(), &["script_crashed"]).await;
    }

    async fn no_processes_and_no_programs(world: World) {
        for source in [
            "import os\nos.fork()",
            "import os\nos.execv('/bin/sh', ['sh'])",
            "import os\nos.execv('/usr/bin/true', ['true'])",
            "import subprocess\nsubprocess.run(['true'])",
            "import os\nos.posix_spawn('/bin/true', ['true'], {})",
            "import multiprocessing\np = multiprocessing.Process(target=print)\np.start()",
            "import os\nreturn os.system('true') and 1/0",
        ] {
            ends(&world, source, patient(), &["script_error"]).await;
        }
    }

    async fn thread_bombs_are_bounded(world: World) {
        let source = "
import threading, time
kept = []
try:
    while True:
        thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
        thread.start()
        kept.append(thread)
except (RuntimeError, MemoryError):
    return len(kept) < 2000";
        let verdict = world.verdict(source, Value::Null, patient()).await;
        assert!(matches!(verdict.result.as_ref(), Ok(&Value::Bool(true))), "{verdict:?}");
    }

    async fn nothing_of_the_host_can_be_read(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "the secret").unwrap();
        let mut paths = vec![secret.display().to_string()];
        for path in ["/etc/passwd", "/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/proc/self/environ",
            "/proc/self/mem", "/proc/self/root/etc/passwd", "/sys/kernel", "/dev/mem", "/dev/kmsg", "/var/log", "/home",
            "/usr/lib/../../etc/passwd", "/boot"] {
            paths.push(path.to_owned());
        }
        for path in paths {
            let source = format!("import os\nfd = os.open({path:?}, os.O_RDONLY)\nreturn os.listdir(fd) if os.path.isdir({path:?}) else os.read(fd, 9).decode()");
            let error = world.wrong(&source).await;
            let refused = ["PermissionError", "FileNotFoundError", "NotADirectoryError"];
            assert!(refused.iter().any(|kind| error.message.starts_with(kind)), "{path}: {error:?}");
        }
        assert_eq!(world.good("import os\nreturn {k: v for k, v in os.environ.items() if k not in ('LC_ALL', 'LC_CTYPE')}").await, json!({}));
        // Its own socket is 3; nothing else is open but /dev/null three times.
        let source = "import os\nopen = []\nfor fd in range(256):\n  try:\n    os.fstat(fd)\n    open.append(fd)\n  except OSError: pass\nreturn open";
        assert_eq!(world.good(source).await, json!([0, 1, 2, 3]));
    }

    async fn nothing_outside_can_be_written(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("written");
        let mut paths = vec![target.display().to_string(), "/tmp/../written".to_owned()];
        for path in ["/written", "/usr/written", "/usr/lib/written", "/dev/written", "/dev/shm/written", "/var/tmp/written"] {
            paths.push(path.to_owned());
        }
        for path in &paths {
            let error = world.wrong(&format!("open({path:?}, 'w').write('x')")).await;
            assert!(error.message.contains("Error"), "{path}: {error:?}");
        }
        assert!(!target.exists());
        std::fs::write(&target, "as it was").unwrap();
        let path = format!("'{}'", target.display());
        for source in [
            format!("import os\nos.unlink({path})"),
            format!("import os\nos.truncate({path}, 0)"),
            format!("import os\nos.rename({path}, '/tmp/taken')"),
            format!("import os\nos.chmod({path}, 0)"),
            format!("import os\nos.utime({path})"),
            format!("import os\nos.symlink({path}, '/tmp/link')\nopen('/tmp/link', 'w')"),
            format!("import os\nos.link({path}, '/tmp/link')\nopen('/tmp/link', 'w')"),
        ] {
            world.wrong(&source).await;
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "as it was");
    }

    async fn there_is_no_network(world: World) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for source in [
            format!("import socket\nsocket.create_connection(('127.0.0.1', {port}), 5)"),
            "import socket\nsocket.create_connection(('169.254.169.254', 80), 5)".to_owned(),
            "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)".to_owned(),
            "import socket\nsocket.socket(socket.AF_INET6)".to_owned(),
            "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0abstract')".to_owned(),
            "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)".to_owned(),
            "import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)".to_owned(),
            "import socket\nsocket.getaddrinfo('localhost', 80)".to_owned(),
            "import urllib.request\nurllib.request.urlopen('http://127.0.0.1/')".to_owned(),
        ] {
            let error = world.wrong(&source).await;
            let refused = ["PermissionError", "gaierror", "URLError"];
            assert!(refused.iter().any(|kind| error.message.starts_with(kind)), "{source}: {error:?}");
        }
    }

    async fn forbidden_calls_are_refused(world: World) {
        let source = format!("{CALLS}
parent = os.getppid()
return {{
    'ptrace': call(101, 117, 16, parent, 0, 0), 'read memory': call(310, 270, parent, 0, 0, 0, 0, 0),
    'write memory': call(311, 271, parent, 0, 0, 0, 0, 0), 'kill parent': call(62, 129, parent, 9),
    'kill all': call(62, 129, -1, 9), 'tgkill': call(234, 131, parent, parent, 9),
    'limit parent': call(302, 261, parent, 7, 0, 0), 'pin parent': call(203, 122, parent, 0, 0),
    'mount': call(165, 40, b'none', b'/tmp', b'tmpfs', 0, 0), 'pivot': call(155, 41, b'/tmp', b'/tmp'),
    'chroot': call(161, 51, b'/tmp'), 'unshare': call(272, 97, 0x10000000), 'setns': call(308, 268, 3, 0),
    'setuid': call(105, 146, 0), 'io_uring': call(425, 425, 1, 0), 'bpf': call(321, 280, 0, 0, 0),
    'perf': call(298, 241, 0, 0, 0, 0, 0), 'keyctl': call(250, 219, 0, 0, 0, 0, 0),
    'userfaultfd': call(323, 282, 0), 'module': call(175, 105, 0, 0, 0), 'shm': call(29, 194, 0, 4096, 0o1600),
    'prctl': call(157, 167, 4, 1, 0, 0, 0), 'seccomp': call(317, 277, 0, 0, 0), 'memfd': call(319, 279, b'x', 0),
    'fork': call(56, 220, 17, 0, 0, 0, 0), 'personality': call(135, 92, 0xffffffff),
    'pidfd': call(434, 434, parent, 0), 'getfd': call(438, 438, 3, 0, 0), 'symlink': call(266, 36, b'/etc', -100, b'/tmp/x'),
}}");
        let found = world.good(&source).await;
        for (name, result) in found.as_object().unwrap() {
            assert_eq!(result, "EPERM", "{name}");
        }
        let unknown = world.good(&format!("{CALLS}return call(435, 435, 0, 0)")).await;
        assert_eq!(unknown, "ENOSYS");
    }

    async fn limits_cannot_be_raised(world: World) {
        let source = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)";
        assert!(world.wrong(source).await.message.contains("Error"));
        let source = "import resource\nreturn resource.getrlimit(resource.RLIMIT_CPU)[0]";
        assert_eq!(world.good(source).await, json!(62));
    }

    async fn what_one_script_changes_the_next_one_does_not_see(world: World) {
        let spoil = "
import builtins, json, os, sys, signal
builtins.len = lambda _: 42
json.dumps = lambda *a, **k: '{\"ok\": \"forged\"}'
sys.path.insert(0, '/tmp')
sys.modules['math'] = None
os.umask(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
try: open('/tmp/left-behind', 'w').write('x')
except OSError: pass
return 1";
        // Whether it still finds its own way out after that is its own affair.
        drop(world.run(spoil, Value::Null).await);
        let source = "import json, math, os, sys, signal\nreturn [len([1]), json.dumps(1), '/tmp' in sys.path, os.path.exists('/tmp/left-behind'), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL]";
        assert_eq!(world.good(source).await, json!([1, "1", false, false, true]));
    }

    async fn dropping_a_run_kills_it(world: World) {
        let run = world.run("while True: pass", Value::Null);
        assert!(tokio::time::timeout(Duration::from_millis(300), run).await.is_err());
        assert_eq!(world.good("return 1").await, json!(1));
        world.only_idle_children_are_left().await;
    }

    async fn nothing_is_left_after_many_runs_and_an_end(world: World) {
        for n in 0..30 {
            assert_eq!(world.run("return n", json!({ "n": n })).await, Ok(json!(n)));
        }
        world.only_idle_children_are_left().await;
        world.isolates.shutdown().await;
        world.nothing_is_left().await;
    }

    async fn a_killed_zygote_is_replaced(world: World) {
        assert_eq!(world.good("return 1").await, json!(1));
        for pid in world.processes() {
            crate::world::kill(pid);
        }
        world.nothing_is_left().await;
        // Whoever was on the way may be told so; the next one gets a new zygote.
        let mut tries = 0;
        while world.isolates.run(crate::world::job("return 2")).await.is_err() {
            tries += 1;
            assert!(tries < 20);
        }
        assert_eq!(world.good("return 2").await, json!(2));
    }
}

/// A private folder only where there are namespaces.
#[tokio::test]
async fn with_namespaces_a_script_has_a_folder_of_its_own_and_it_is_bounded() {
    let world = World::new(jalm_isolates::Strength::A);
    let source = "open('/tmp/x', 'w').write('here')\nimport os\nreturn [os.getcwd(), open('x').read(), os.listdir('/tmp')]";
    assert_eq!(world.good(source).await, json!(["/tmp", "here", ["x"]]));
    let error = world
        .wrong("with open('/tmp/big', 'wb') as file:\n  while True: file.write(bytes(1 << 20))")
        .await;
    assert!(
        error.message.contains("No space left") || error.message.contains("too large"),
        "{error:?}"
    );
    let error = world.wrong("for n in range(10 ** 6): open(f'/tmp/{n}', 'w').close()").await;
    assert!(error.message.contains("No space left"), "{error:?}");
}

#[tokio::test]
async fn mounts_of_the_host_stay_as_they_are() {
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    let world = World::new(jalm_isolates::Strength::A);
    assert_eq!(world.good("return 1").await, json!(1));
    assert_eq!(mounts(), before);
    world.isolates.shutdown().await;
    world.nothing_is_left().await;
    assert_eq!(mounts(), before);
}

#[tokio::test]
async fn an_interpreter_that_is_not_there_is_named() {
    let options = jalm_isolates::Options {
        python: "no-such-python".into(),
        ..jalm_isolates::Options::new(env!("CARGO_BIN_EXE_isolate-worker").into())
    };
    let isolates = jalm_isolates::Isolates::new(options);
    let refused = isolates.run(crate::world::job("return 1")).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is nothing here that runs python: there is no `no-such-python` here"
    );
    assert!(refused.hint().contains("isolation.python"));
}

#[tokio::test]
async fn native_code_is_refused_without_landlock() {
    let options = jalm_isolates::Options {
        minimum: jalm_isolates::Strength::C,
        maximum: jalm_isolates::Strength::C,
        ..jalm_isolates::Options::new(env!("CARGO_BIN_EXE_isolate-worker").into())
    };
    let isolates = jalm_isolates::Isolates::new(options);
    let refused = isolates.run(crate::world::job("return 1")).await.unwrap_err();
    assert!(matches!(refused, jalm_isolates::Refused::NativePython { .. }), "{refused}");
}
