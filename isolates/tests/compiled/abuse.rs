//! What programs try, each ended in time and kept from what is not theirs.

use crate::world::{World, at_each_strength, patient, script};
use jalm_isolates::Language::{Go, Rust};
use jalm_isolates::{Limits, Strength};
use serde_json::{Value, json};
use std::time::Duration;

fn short() -> Limits {
    Limits { wall: Duration::from_millis(300), ..Limits::default() }
}

at_each_strength! { Rust:
    async fn what_never_ends_is_ended(world: World) {
        for source in [
            "fn main() { print!(\"begun\"); use std::io::Write; std::io::stdout().flush().unwrap(); loop { std::hint::spin_loop() } }",
            "fn main() { print!(\"begun\"); use std::io::Write; std::io::stdout().flush().unwrap(); std::thread::sleep(std::time::Duration::from_secs(3600)) }",
        ] {
            let verdict = world.verdict(script(Rust, source, Value::Null), short()).await;
            assert_eq!(verdict.result.unwrap_err().code, "script_timeout");
        }
    }

    async fn memory_has_an_end(world: World) {
        let source = "fn main() { let mut all: Vec<Vec<u8>> = Vec::new(); loop { all.push(vec![1; 1 << 20]); } }";
        assert_eq!(world.wrong(Rust, source).await.code, "script_memory");
        assert_eq!(world.wrong(Rust, "fn main() { println!(\"{}\", std::hint::black_box(vec![1u8; 400 << 20]).len()) }").await.code, "script_memory");
        assert_eq!(world.good(Rust, "return std::hint::black_box(vec![1u8; 64 << 20]).len();", Value::Null).await, json!(64 << 20));
        let deep = "fn deep(n: u64) -> u64 { let a = [n; 64]; if n == u64::MAX { 0 } else { deep(std::hint::black_box(n + 1)) + std::hint::black_box(a)[3] } }\nfn main() { println!(\"{}\", deep(0)) }";
        assert_eq!(world.wrong(Rust, deep).await.code, "script_crashed");
    }

    async fn output_has_an_end(world: World) {
        let source = "fn main() { loop { println!(\"{}\", \"x\".repeat(1000)) } }";
        let limits = Limits { output: 1 << 20, ..patient() };
        assert_eq!(world.wrong_within(Rust, source, limits).await.code, "script_output");
        let source = "fn run() -> String { \"x\".repeat(2 << 20) }";
        assert_eq!(world.wrong_within(Rust, source, limits).await.code, "script_output");
    }

    async fn there_are_threads_but_no_processes(world: World) {
        let source = "let all: Vec<_> = (0..8).map(|n| std::thread::spawn(move || n * n)).collect();\nreturn all.into_iter().map(|t| t.join().unwrap()).sum::<i64>();";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!(140));
        let source = "return [\"/bin/true\", \"/usr/bin/env\", \"/proc/self/exe\"].map(|p| std::process::Command::new(p).status().is_ok());";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!([false, false, false]));
        let source = "unsafe extern \"C\" { fn fork() -> i32; fn setsid() -> i32; fn kill(p: i32, s: i32) -> i32; fn getppid() -> i32; }\nreturn unsafe { [fork(), setsid(), kill(-1, 9), kill(getppid(), 9)] };";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!([-1, -1, -1, -1]));
        // Threads without end come to an end.
        let source = "let mut n = 0;\nwhile std::thread::Builder::new().spawn(|| std::thread::park()).is_ok() { n += 1 }\nuse std::io::Write;\nprint!(\"{}\", n > 5 && n < 1000);\nstd::io::stdout().flush().unwrap();\nstd::process::exit(0);\n#[allow(unreachable_code)]\nreturn 0;";
        // Either no more can be had, or the memory for them is used up first.
        match world.run(Rust, source, Value::Null).await {
            Ok(value) => assert_eq!(value, json!(true)),
            Err(error) => assert_eq!(error.code, "script_memory", "{error:?}"),
        }
    }

    async fn files_and_networks_are_not_there(world: World) {
        let source = "let read = |p: &str| std::fs::read(p).is_ok();\nlet list = |p: &str| std::fs::read_dir(p).is_ok_and(|d| d.count() > 0);\nreturn [read(\"/etc/passwd\"), read(\"/etc/shadow\"), read(\"/proc/self/environ\"), read(\"/proc/1/environ\"), list(\"/etc\"), list(\"/usr\"), list(\"/home\"), list(\"/proc\"), read(\"/usr/lib/os-release\")].iter().any(|x| *x);";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!(false));
        let source = "use std::net::*;\nreturn [TcpStream::connect(\"127.0.0.1:22\").err().map(|e| e.raw_os_error()), UdpSocket::bind(\"127.0.0.1:0\").err().map(|e| e.raw_os_error()), TcpListener::bind(\"127.0.0.1:0\").err().map(|e| e.raw_os_error())];";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!([1, 1, 1]));
        let source = "return [\"/usr/x\", \"/x\", \"/dev/x\", \"/var/tmp/x\"].map(|p| std::fs::write(p, \"x\").is_ok());";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!([false, false, false, false]));
        let own = "return std::fs::write(\"/tmp/jalm-own-file\", \"x\").is_ok();";
        let full = world.strength == Strength::A;
        assert_eq!(world.good(Rust, own, Value::Null).await, json!(full));
        assert!(!std::path::Path::new("/tmp/jalm-own-file").exists());
        // Nothing of the last call is there for the next one.
        let left = "return std::path::Path::new(\"/tmp/jalm-own-file\").exists();";
        assert_eq!(world.good(Rust, left, Value::Null).await, json!(false));
    }

    async fn nothing_is_open_but_its_own_streams(world: World) {
        let source = "unsafe extern \"C\" { fn fcntl(fd: i32, command: i32, ...) -> i32; }\nreturn (0..2000).filter(|fd| unsafe { fcntl(*fd, 1) } >= 0).collect::<Vec<i32>>();";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!([0, 1, 2, 3]));
        let source = "return std::env::vars().map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>();";
        assert_eq!(world.good(Rust, source, Value::Null).await, json!(["GOTRACEBACK", "LC_ALL", "TZ"]));
    }
}

at_each_strength! { Go:
    async fn go_is_held_to_the_same(world: World) {
        assert_eq!(world.wrong_within(Go, "for { }", short()).await.code, "script_timeout");
        let bomb = "var all [][]byte\nfor { b := make([]byte, 1<<20)\nfor i := range b { b[i] = 1 }\nall = append(all, b) }";
        assert_eq!(world.wrong(Go, bomb).await.code, "script_memory");
        let limits = Limits { output: 1 << 20, ..patient() };
        let flood = "import \"fmt\"\nfor { fmt.Println(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\") }";
        assert_eq!(world.wrong_within(Go, flood, limits).await.code, "script_output");
        let routines = "import \"sync\"\nvar all sync.WaitGroup\nvar lock sync.Mutex\nsum := 0\nfor i := 0; i < 1000; i++ { all.Add(1); go func(n int) { defer all.Done(); lock.Lock(); sum += n; lock.Unlock() }(i) }\nall.Wait()\nreturn sum";
        assert_eq!(world.good(Go, routines, Value::Null).await, json!(499_500));
        let escapes = "import (\n\"net\"\n\"os\"\n\"os/exec\"\n)\n_, read := os.ReadFile(\"/etc/passwd\")\n_, dial := net.Dial(\"tcp\", \"127.0.0.1:22\")\nrun := exec.Command(\"/bin/true\").Run()\n_, name := net.LookupHost(\"localhost.example\")\nreturn []bool{read != nil, dial != nil, run != nil, name != nil}";
        assert_eq!(world.good(Go, escapes, Value::Null).await, json!([true, true, true, true]));
    }
}

/// A layer that is switched off lets something through: so each of them does something.
#[tokio::test]
async fn each_layer_keeps_something_out() {
    let given = async |strength, without: &[&str], source| {
        World::without(strength, without).run(Rust, source, Value::Null).await.ok()
    };
    let read = "return std::fs::read(\"/etc/passwd\").is_ok();";
    assert_eq!(given(Strength::B, &[], read).await, Some(json!(false)));
    assert_eq!(given(Strength::B, &["landlock"], read).await, Some(json!(true)));
    assert_eq!(given(Strength::A, &["landlock"], read).await, Some(json!(false)));
    let socket = "return std::net::UdpSocket::bind(\"127.0.0.1:0\").is_ok();";
    assert_eq!(given(Strength::B, &["seccomp"], socket).await, Some(json!(true)));
    let memory = "return std::hint::black_box(vec![1u8; 400 << 20]).len() >> 20;";
    assert_eq!(given(Strength::B, &[], memory).await, None);
    assert_eq!(given(Strength::B, &["limits"], memory).await, Some(json!(400)));
    let pid = "return std::process::id();";
    assert_eq!(given(Strength::A, &[], pid).await, Some(json!(2)));
}
