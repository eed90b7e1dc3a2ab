//! Scripts that mean harm, or do it by mistake: each is ended in time, says why, reaches nothing,
//! and the next script does not notice (research/isolates.md §5 and §8). What a script cannot even
//! name here (system calls, processes, descriptors of others) is not tried.

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

at_each_strength! {
    async fn endless_loops_are_ended(world: World) {
        for source in [
            "while True: pass",
            "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
            "import time\ntime.sleep(600)",
            "import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')",
            "10 ** (10 ** 9)",
            "import asyncio\nawait asyncio.sleep(600)",
            "import sys\nsys.stdin.read()\nwhile True: pass",
            "class A:\n  def __eq__(self, other):\n    while True: pass\nreturn A() == 1",
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
            "return 'x' * (1 << 30)",
            "x = 'x'\nwhile True: x += x",
            "return list(range(10 ** 9))",
            "return bytes(3 << 30)",
        ] {
            let verdict = ends(&world, source, patient(), &["script_memory", "script_error"]).await;
            assert!(verdict.memory_used < patient().memory + 96 * MIB, "{source}: {}", verdict.memory_used);
        }
    }

    async fn the_bound_on_memory_is_the_jobs(world: World) {
        let source = "return len(bytearray(200 << 20)) >> 20";
        let limits = Limits { memory: 256 * MIB, ..patient() };
        assert_eq!(world.verdict(source, Value::Null, limits).await.result, Ok(json!(200)));
        ends(&world, source, patient(), &["script_memory"]).await;
        let none = Limits { memory: 0, ..patient() };
        let verdict = world.verdict("return 1", Value::Null, none).await;
        assert!(verdict.result.is_ok() || verdict.result.is_err_and(|error| error.code == "script_memory"));
    }

    async fn deep_nesting_ends_the_script_alone(world: World) {
        let codes = ["script_error", "script_crashed", "script_syntax", "script_memory"];
        for source in [
            "[".repeat(20_000),
            format!("return {}1{}", "(".repeat(5000), ")".repeat(5000)),
            "def f(): return f()\nreturn f()".to_owned(),
            "import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(): return f()\nreturn f()".to_owned(),
            "import sys\nsys.setrecursionlimit(10 ** 6)\nclass A:\n  def __eq__(self, o): return self == o\nreturn A() == 1".to_owned(),
            "x = []\nfor _ in range(100000): x = [x]\nreturn x".to_owned(),
            "import json\nreturn json.loads('[' * 1000000)".to_owned(),
        ] {
            ends(&world, &source, patient(), &codes).await;
        }
    }

    async fn floods_of_output_are_ended_or_cut(world: World) {
        let verdict = world.verdict("for _ in range(1000): print('x' * 10000)\nreturn 1", Value::Null, patient()).await;
        assert_eq!(verdict.result, Ok(json!(1)));
        assert!(verdict.stdout.len() <= 2 << 20, "{}", verdict.stdout.len());
        let limits = Limits { output: MIB, memory: 512 * MIB, ..patient() };
        ends(&world, "return 'x' * (1 << 22)", limits, &["script_output"]).await;
        let raw = "import os\nwhile True:\n  os.write(1, b'x' * 65536)\n  os.write(2, b'x' * 65536)";
        ends(&world, raw, limits, &["script_output"]).await;
    }

    async fn a_script_that_ends_its_instance_only_ends_itself(world: World) {
        ends(&world, "import os\nos.abort()", patient(), &["script_error"]).await;
        ends(&world, "import os\nos._exit(3)", patient(), &["script_error"]).await;
        world.verdict("import os\nos.close(1)\nos.close(2)\nreturn 1", Value::Null, patient()).await;
        assert_eq!(world.good("print('there')").await, json!("there"));
    }

    async fn there_are_no_files_processes_or_sockets(world: World) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "the secret").unwrap();
        for source in [
            format!("return open('{}/secret').read()", folder.path().display()),
            "return open('/etc/passwd').read()".to_owned(),
            "return open('/proc/self/environ').read()".to_owned(),
            "import os\nreturn os.listdir('/')".to_owned(),
            "import os\nreturn os.listdir('.')".to_owned(),
            "open('/tmp/x', 'w').write('x')".to_owned(),
            "open('x', 'w').write('x')".to_owned(),
            "import tempfile\ntempfile.TemporaryFile()".to_owned(),
            "import os\nos.fork()".to_owned(),
            "import os\nos.execv('/bin/true', ['true'])".to_owned(),
            "import subprocess\nsubprocess.run(['true'])".to_owned(),
            "import ctypes\nreturn ctypes.CDLL(None).getpid()".to_owned(),
            "import multiprocessing\nmultiprocessing.Process(target=print).start()".to_owned(),
            format!("import socket\nsocket.create_connection(('127.0.0.1', {port}), 5)"),
            "import socket\nsocket.create_connection(('169.254.169.254', 80), 5)".to_owned(),
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('127.0.0.1', 0))".to_owned(),
            "import socket\nsocket.getaddrinfo('localhost', 80)".to_owned(),
            format!("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/')"),
        ] {
            ends(&world, &source, patient(), &["script_error"]).await;
        }
        assert_eq!(world.good("import os\nreturn dict(os.environ)").await, json!({}));
    }

    async fn what_one_script_changes_the_next_one_does_not_see(world: World) {
        let spoil = "
import builtins, json, sys, contract
builtins.len = lambda _: 42
json.dumps = lambda *a, **k: '{\"ok\": \"forged\"}'
contract.run = lambda *_: 'forged'
sys.path.insert(0, '/tmp')
sys.modules['math'] = None
return 1";
        drop(world.run(spoil, Value::Null).await);
        let source = "import json, math, sys\nreturn [len([1]), json.dumps(1), '/tmp' in sys.path]";
        assert_eq!(world.good(source).await, json!([1, "1", false]));
    }
}
