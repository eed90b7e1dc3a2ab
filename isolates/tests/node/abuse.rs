//! Scripts that mean harm, or do it by mistake: each is ended in time, says why, reaches nothing,
//! and the next script does not notice (research/isolates.md §5 and §8).

use crate::world::{World, at_each_strength, patient};
use jalm_isolates::{Limits, Runtime, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

fn hasty() -> Limits {
    Limits { wall: Duration::from_millis(700), ..Limits::default() }
}

/// `FROM` and `TO` in the source are the descriptors of its socket.
async fn ends(world: &World, source: &str, limits: Limits, codes: &[&str]) -> Verdict {
    let source = &world.on_socket(source);
    let verdict = world.verdict(world.js(source, Value::Null), limits).await;
    let code = verdict.result.as_ref().map_err(|error| error.code.as_ref()).expect_err(source);
    assert!(codes.contains(&code), "{source}\n{verdict:#?}");
    assert_eq!(world.good("return 'still here'").await, json!("still here"));
    verdict
}

at_each_strength! {
    async fn endless_loops_are_ended(world: World) {
        for source in [
            "for (;;) {}",
            "for (;;) { try { for (;;) {} } catch {} finally { continue } }",
            "for (;;) await 0",
            "setInterval(() => {}, 1000); await new Promise(() => {})",
            "const a = new Uint8Array(20e6); for (;;) { a.fill(1); a.indexOf(3) }",
            // Bun gives up such an expression by itself after some seconds.
            world.of("return /^(a+)+$/.test('a'.repeat(64) + 'b')", "return /^(a+)+$/.test('a'.repeat(64) + 'b')", "for (;;) {}"),
            "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
            "process.on('SIGTERM', () => {}); for (;;) {}",
            "process.on('exit', () => { for (;;) {} }); process.exit()",
            "require('fs').readSync(FROM, Buffer.alloc(1))",
            "return { toJSON() { for (;;) {} } }",
            "throw Object.defineProperty(new Error('x'), 'stack', { get() { for (;;) {} } })",
        ] {
            let verdict = ends(&world, source, hasty(), &["script_timeout"]).await;
            assert!(verdict.duration < Duration::from_secs(20), "{source}: {:?}", verdict.duration);
        }
    }

    async fn what_was_printed_before_the_end_is_kept(world: World) {
        let verdict = ends(&world, "print('so far'); for (;;) {}", hasty(), &["script_timeout"]).await;
        assert_eq!(verdict.stdout, "so far\n");
    }

    async fn memory_bombs_are_ended(world: World) {
        for source in [
            "const a = []; for (;;) a.push('x'.repeat(100000) + a.length)",
            "const a = []; for (;;) a.push([a.length])",
            "const a = []; for (;;) a.push(new Uint8Array(1000000).fill(1))",
            "const a = []; for (;;) a.push(Buffer.alloc(1000000, 1))",
            "const m = new Map(); for (let i = 0;; i++) m.set(i, {})",
            "return 'x'.repeat(2 ** 28).split('')",
            "return new ArrayBuffer(2 ** 30).byteLength",
            "const a = []; for (;;) a.push(new SharedArrayBuffer(1000000)) && new Uint8Array(a.at(-1)).fill(1)",
            "const a = []; for (;;) { const m = new WebAssembly.Memory({ initial: 100 }); new Uint8Array(m.buffer).fill(1); a.push(m) }",
        ] {
            // Some ends are V8's own: it stops by a trap, or an error that says so.
            let codes = ["script_memory", "script_error"];
            let verdict = ends(&world, source, patient(), &codes).await;
            assert!(verdict.memory_used < patient().memory + 160 * MIB, "{source}: {}", verdict.memory_used);
        }
        let catching = "for (;;) { try { const a = []; for (;;) a.push(new Uint8Array(1000000).fill(1)) } catch {} }";
        ends(&world, catching, hasty(), &["script_memory", "script_timeout"]).await;
    }

    /// A bound of one's own is a process of one's own.
    async fn the_bound_on_memory_is_the_jobs(world: World) {
        let source = "const a = []; for (let i = 0; i < 200; i++) a.push(new Uint8Array(1000000).fill(1)); return a.length";
        let limits = Limits { memory: 512 * MIB, ..patient() };
        for _ in 0..2 {
            assert_eq!(world.verdict(world.js(source, Value::Null), limits).await.result, Ok(json!(200)));
            ends(&world, source, patient(), &["script_memory"]).await;
        }
    }

    async fn deep_nesting_ends_the_script_alone(world: World) {
        for source in [
            "const f = () => f() + 1; return f()".to_owned(),
            "[".repeat(200_000),
            format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
            "return JSON.parse('['.repeat(1000000))".to_owned(),
            "let a = []; for (let i = 0; i < 100000; i++) a = [a]; return a".to_owned(),
        ] {
            // Bun reads some of it for longer than anybody waits.
            let limits = Limits { wall: Duration::from_secs(world.of(60, 60, 5)), ..patient() };
            let late = world.of("script_error", "script_error", "script_timeout");
            ends(&world, &source, limits, &["script_error", "script_syntax", "script_crashed", late]).await;
        }
        let deep = world.ts(&"[".repeat(20_000), Value::Null);
        let job = jalm_isolates::Job { program: deep, limits: patient() };
        let error = world.isolates.run(job).await.unwrap().result.unwrap_err();
        assert!(["script_crashed", "script_syntax"].contains(&error.code.as_ref()), "{error:?}");
    }

    async fn floods_of_output_are_ended(world: World) {
        let limits = Limits { output: MIB, ..patient() };
        let verdict = ends(&world, "for (;;) console.log('again and again')", limits, &["script_output"]).await;
        assert!(verdict.stdout.starts_with("again and again\n"));
        assert!(verdict.stdout.len() < 20 * 1024, "{}", verdict.stdout.len());
        ends(&world, "return 'x'.repeat(1 << 22)", limits, &["script_output"]).await;
        ends(&world, "return Array(1 << 20).fill(1)", limits, &["script_output"]).await;
        let raw = "const fs = require('fs'); for (;;) fs.writeSync(TO, Buffer.concat([Buffer.from('o'), Buffer.from([0, 0, 16, 0]), Buffer.alloc(1 << 20)]))";
        ends(&world, raw, limits, &["script_output"]).await;
        ends(&world, "const fs = require('fs'); for (;;) fs.writeSync(1, 'x'.repeat(65536))", hasty(), &["script_timeout", world.of("script_timeout", "script_output", "script_timeout")]).await;
    }

    async fn a_script_that_writes_frames_itself_only_fools_itself(world: World) {
        let codes = ["script_crashed", "script_memory"];
        ends(&world, "require('fs').writeSync(TO, '?\\0\\0\\0\\0'); await new Promise((done) => setTimeout(done, 60000))", patient(), &codes).await;
        ends(&world, "require('fs').closeSync(TO); return 1", patient(), &codes).await;
        ends(&world, "process.removeAllListeners(); await new Promise(() => {})", patient(), &codes).await;
        let verdict = ends(&world, "process.abort()", patient(), &codes).await;
        assert_eq!(verdict.result.unwrap_err().code, "script_memory", "aborting is what engines do without memory");
    }

    async fn no_processes_and_no_programs(world: World) {
        for source in [
            "return require('child_process').execSync('true')",
            "return require('child_process').spawnSync('/usr/bin/node', ['-e', '0']).error ?? 1",
            "const c = require('child_process').spawn('true'); await new Promise((done, fail) => c.on('exit', done).on('error', fail))",
            "return require('child_process').fork('/tmp/x.js')",
            "require('cluster').fork()",
            "if (process.execve) process.execve('/usr/bin/node', ['node', '-e', '0'], {}); throw new Error('not there')",
        ] {
            let result = world.run(source, Value::Null).await;
            match result {
                Err(error) => assert!(["script_error", "script_crashed"].contains(&error.code.as_ref()), "{source}\n{error:?}"),
                // Deno tells of it later, or by the status only; nothing is started all the same.
                Ok(_) if world.runtime == Runtime::Deno => {}
                Ok(value) => assert!(value["code"] == "EPERM" || value["code"] == "EACCES", "{source}\n{value}"),
            }
            assert_eq!(world.good("return 1").await, json!(1));
        }
        let error = world.wrong("require('child_process').execFileSync('/bin/true')").await;
        assert!(error.hint.unwrap().contains("no other programs"));
    }

    async fn thread_bombs_are_bounded(world: World) {
        let source = "
            const { Worker } = require('worker_threads');
            let made = 0;
            for (let i = 0; i < 5000; i++) { new Worker('for (;;) {}', { eval: true }).on('error', () => {}).on('online', () => made++); }
            await new Promise((done) => setTimeout(done, 60000));
            return made";
        let limits = Limits { wall: Duration::from_secs(3), ..Limits::default() };
        ends(&world, source, limits, &["script_memory", "script_crashed", "script_timeout", "script_error"]).await;
    }

    async fn nobody_else_can_be_signalled(world: World) {
        for pid in ["process.ppid", "1", "-1", "0", "process.pid"] {
            let error = world.wrong(&format!("process.kill({pid}, 'SIGKILL')")).await;
            assert!(error.message.contains("EPERM"), "{pid}: {error:?}");
        }
        assert_eq!(world.good("return process.kill === undefined").await, json!(false));
    }

    async fn nothing_of_the_host_can_be_read(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "the secret").unwrap();
        let mut paths = vec![secret.display().to_string()];
        for path in ["/etc/passwd", "/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/proc/self/environ",
            "/proc/self/mem", "/proc/self/root/etc/passwd", "/sys/kernel", "/dev/mem", "/var/log", "/home",
            "/usr/lib/../../etc/passwd", "/boot"] {
            paths.push(path.to_owned());
        }
        for path in paths {
            let source = format!("const fs = require('fs'); try {{ return fs.readFileSync({path:?}).length }} catch (e) {{ if (e.code !== 'EISDIR') throw e }} return fs.readdirSync({path:?})");
            let error = world.wrong(&source).await;
            assert!(["ENOENT", "EACCES", "ENOTDIR"].iter().any(|code| error.message.contains(code)), "{path}: {error:?}");
            assert!(error.hint.is_some_and(|hint| hint.contains("no files")), "{path}");
        }
        assert_eq!(world.good("return process.env").await, json!({}));
        assert_eq!(world.good("return [process.argv, process.execArgv]").await, json!([["node", "script"], []]));
        // Its own socket, and what its event loop needs, which leads nowhere.
        let source = "const fs = require('fs'); const found = []; for (let fd = 0; fd < 400; fd++) { try { const s = fs.fstatSync(fd); if (s.isSocket() || s.isFile() || s.isDirectory()) found.push(fd) } catch {} } return found";
        assert_eq!(world.good(source).await, world.of(json!([3]), json!([0, 1]), json!([3])));
    }

    async fn nothing_outside_can_be_written(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("written");
        let mut paths = vec![target.display().to_string(), "/tmp/../written".to_owned()];
        for path in ["/written", "/usr/written", "/usr/lib/written", "/dev/written", "/dev/shm/written", "/var/tmp/written"] {
            paths.push(path.to_owned());
        }
        for path in &paths {
            world.wrong(&format!("require('fs').writeFileSync({path:?}, 'x')")).await;
        }
        assert!(!target.exists());
        std::fs::write(&target, "as it was").unwrap();
        let path = format!("'{}'", target.display());
        for call in [
            format!("unlinkSync({path})"),
            format!("truncateSync({path})"),
            format!("renameSync({path}, '/tmp/taken')"),
            format!("chmodSync({path}, 0)"),
            format!("utimesSync({path}, 1, 1)"),
            format!("symlinkSync({path}, '/tmp/link')"),
            format!("linkSync({path}, '/tmp/link')"),
        ] {
            world.wrong(&format!("require('fs').{call}")).await;
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "as it was");
    }

    async fn there_is_no_network(world: World) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for source in [
            format!("await fetch('http://127.0.0.1:{port}/')"),
            "await fetch('http://169.254.169.254/latest/meta-data/')".to_owned(),
            format!("const s = require('net').connect({port}, '127.0.0.1'); await new Promise((done, fail) => s.on('connect', done).on('error', fail))"),
            "const s = require('net').createServer().listen(0); await new Promise((done, fail) => s.on('listening', done).on('error', fail))".to_owned(),
            "const s = require('net').createServer().listen('/tmp/s'); await new Promise((done, fail) => s.on('listening', done).on('error', fail))".to_owned(),
            "const s = require('net').connect('\\0abstract'); await new Promise((done, fail) => s.on('connect', done).on('error', fail))".to_owned(),
            "await require('dns').promises.lookup('localhost.example')".to_owned(),
            "const s = require('dgram').createSocket('udp4'); await new Promise((done, fail) => { s.on('error', fail); s.bind(0, done) })".to_owned(),
        ] {
            let error = world.wrong(&source).await;
            assert_eq!(error.code, "script_error", "{source}: {error:?}");
            assert!(!error.message.contains("waits"), "{source}: {error:?}");
        }
        let error = world.wrong(&format!("await fetch('http://127.0.0.1:{port}/')")).await;
        assert!(error.hint.unwrap().contains("exec_http"));
    }

    async fn native_code_is_not_loaded(world: World) {
        let error = world.wrong("process.dlopen({ exports: {} }, '/usr/lib/x86_64-linux-gnu/libc.so.6')").await;
        // The others load what they may read, and it does not become more than they are.
        let said = world.of("addon", "Node-API module", "native module");
        assert!(error.message.contains(said), "{error:?}");
    }

    async fn what_one_script_changes_the_next_one_does_not_see(world: World) {
        let spoil = "
            Object.prototype.polluted = 1; Array.prototype.push = () => 42; JSON.stringify = () => '{\"ok\": \"forged\"}';
            process.umask(0); process.env.LEFT = '1'; globalThis.left = 1; require('fs').left = 1;
            try { require('fs').writeFileSync('/tmp/left-behind', 'x') } catch {}
            return 1";
        drop(world.run(spoil, Value::Null).await);
        let source = "return [{}.polluted ?? null, [].push(1), JSON.stringify(1), process.env.LEFT ?? null, globalThis.left ?? null, require('fs').left ?? null, require('fs').existsSync('/tmp/left-behind')]";
        assert_eq!(world.good(source).await, json!([null, 1, "1", null, null, null, false]));
        let random = "return [Math.random(), require('crypto').randomUUID()]";
        assert_ne!(world.good(random).await, world.good(random).await);
    }
}

/// A private folder only where there are namespaces.
#[tokio::test]
async fn with_namespaces_a_script_has_a_folder_of_its_own_and_it_is_bounded() {
    for runtime in
        crate::world::RUNTIMES.into_iter().filter(|runtime| crate::world::there_is(*runtime))
    {
        let world = World::new(runtime, jalm_isolates::Strength::A);
        let source = "const fs = require('fs'); fs.writeFileSync('/tmp/x', 'here'); return [process.cwd(), fs.readFileSync('x', 'utf8'), fs.readdirSync('/tmp')]";
        assert_eq!(world.good(source).await, json!(["/tmp", "here", ["x"]]));
        let source = "const f = require('fs').openSync('/tmp/big', 'w'); for (;;) require('fs').writeSync(f, Buffer.alloc(1 << 20))";
        let error = world.wrong(source).await;
        let full = ["ENOSPC", "EFBIG", "No space left", "too large", "larger file"];
        assert!(full.iter().any(|said| error.message.contains(said)), "{error:?}");
        let source = "for (let n = 0; n < 1e6; n++) require('fs').writeFileSync(`/tmp/${n}`, '')";
        let error = world.wrong(source).await;
        assert!(full.iter().any(|said| error.message.contains(said)), "{error:?}");
    }
}
