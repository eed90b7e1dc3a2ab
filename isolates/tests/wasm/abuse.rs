//! Modules that take what they are not given.

use crate::world::{MIB, at_each_strength, command, hasty, patient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jalm_isolates::Limits;
use serde_json::{Value, json};
use std::time::Duration;

/// WASI's number of `EBADF`.
const BADF: i64 = 8;

at_each_strength! {
    async fn endless_loops_end_in_time(world: &World) {
        let forever = r#"(module (func (export "main") (loop $l (br $l))))"#;
        let error = world.wrong_within(forever, hasty()).await;
        assert_eq!(error.code, "script_timeout");
        // In its start function, and before it: no place is without a clock.
        let early = r#"(module (func $s (loop $l (br $l))) (start $s) (func (export "main")))"#;
        assert_eq!(world.wrong_within(early, hasty()).await.code, "script_timeout");
        world.still_works().await;
    }

    async fn sleeping_past_the_end_is_ended(world: &World) {
        // A subscription to a clock, an hour from now.
        let sleep = command("(i64.store (i32.const 72) (i64.const 3600000000000))
          (i32.store (i32.const 64) (i32.const 1))
          (drop (call $poll (i32.const 48) (i32.const 128) (i32.const 1) (i32.const 200)))")
            .replace("(memory ", r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (memory "#);
        let verdict = world.verdict(&sleep, Value::Null, hasty()).await;
        assert_eq!(verdict.result.unwrap_err().code, "script_timeout");
        assert!(verdict.duration >= hasty().wall);
        world.still_works().await;
    }

    async fn memory_beyond_the_limit_is_refused(world: &World) {
        // Pages are 64 KiB: 1600 are 100 MiB, the limit is 32 MiB.
        let grow = r#"(module (memory 1) (func (export "main") (result i32) (memory.grow (i32.const 1600))))"#;
        assert_eq!(world.good(grow).await, -1, "a module may live with it");
        let insist = r#"(module (memory 1) (func (export "main")
          (if (i32.eq (memory.grow (i32.const 1600)) (i32.const -1)) (then unreachable))))"#;
        assert_eq!(world.wrong(insist).await.code, "script_memory");
        let large = r#"(module (memory 1600) (func (export "main")))"#;
        let error = world.wrong(large).await;
        assert_eq!(error.code, "script_memory", "{error:?}");
        // Touched to the limit, page by page, and counted.
        let touch = r#"(module (memory 1) (func (export "main") (result i32)
          (loop $more
            (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then
              (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)) (i32.const 1))
              (br $more))))
          (memory.size)))"#;
        let verdict = world.verdict(touch, Value::Null, patient()).await;
        assert_eq!(verdict.result, Ok(json!(512)));
        assert_eq!(verdict.memory_used, 32 * MIB);
        // Several memories count together.
        let two = r#"(module (memory 300) (memory 300) (func (export "main")))"#;
        assert_eq!(world.wrong(two).await.code, "script_memory");
        world.still_works().await;
    }

    async fn tables_do_not_grow_without_end(world: &World) {
        let grow = r#"(module (table $t 1 funcref) (func (export "main") (result i32)
          (table.grow $t (ref.null func) (i32.const 100000000))))"#;
        assert_eq!(world.good(grow).await, -1);
        world.still_works().await;
    }

    async fn printing_without_end_is_ended(world: &World) {
        for fd in [1, 2] {
            let endless = command(&format!("(loop $l (call $print (i32.const {fd}) (i32.const 1024) (i32.const 60000)) (br $l))"));
            let verdict = world.verdict(&endless, Value::Null, patient()).await;
            assert_eq!(verdict.result.unwrap_err().code, "script_output");
            assert!((verdict.stdout.len() + verdict.stderr.len()) as u64 <= MIB);
        }
        world.still_works().await;
    }

    async fn results_of_bytes_that_are_no_text_or_too_deep_are_text(world: &World) {
        let bytes = command("(i32.store8 (i32.const 1024) (i32.const 255)) (call $print (i32.const 1) (i32.const 1024) (i32.const 3))");
        assert_eq!(world.good(&bytes).await, json!("\u{fffd}el"));
        let deep = command("(memory.fill (i32.const 1024) (i32.const 91) (i32.const 60000)) (call $print (i32.const 1) (i32.const 1024) (i32.const 60000))");
        assert_eq!(world.good(&deep).await.as_str().unwrap().len(), 60000);
    }

    /// Every descriptor but the three is closed, and no path leads anywhere.
    async fn wasi_gives_no_files_no_environment_and_no_network(world: &World) {
        let imports = r#"
          (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))"#;
        let source = format!(r#"(module {imports} (memory (export "memory") 1) (data (i32.const 100) "/etc/passwd")
          (func (export "main") (result i32 i32 i32 i32 i32 i32)
            (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 11) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))
            (call $open (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 11) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))
            (call $prestat (i32.const 3) (i32.const 0))
            (drop (call $environ (i32.const 8) (i32.const 12))) (i32.load (i32.const 8))
            (drop (call $args (i32.const 8) (i32.const 12))) (i32.load (i32.const 8))
            (call $accept (i32.const 3) (i32.const 0) (i32.const 0))))"#);
        let result = world.good(&source).await;
        let [opened, from_stdin, prestat, environ, args, accepted] =
            [0, 1, 2, 3, 4, 5].map(|at| result[at].as_i64().unwrap());
        assert_eq!((opened, prestat), (BADF, BADF));
        assert_eq!((environ, args), (0, 1));
        assert!(from_stdin != 0 && accepted != 0, "{result}");
    }

    /// What does not come to its end in time takes nothing along.
    async fn a_giant_module_is_cut_off_while_it_is_compiled(world: &World) {
        let giant = STANDARD.encode(giant(1_000, 1_500));
        let limits = Limits { wall: Duration::from_millis(400), ..patient() };
        let error = world.wrong_within(&giant, limits).await;
        assert_eq!(error.code, "script_timeout", "{error:?}");
        assert!(error.message.contains("compiled"), "{error:?}");
        world.still_works().await;
    }

    async fn a_module_of_too_many_bytes_is_refused(world: &World) {
        let error = world.wrong(&"A".repeat(25 * 1024 * 1024)).await;
        assert_eq!(error.code, "script_syntax");
        assert!(error.message.contains("more than"), "{error:?}");
    }
}

/// A module of so many functions of so many steps.
fn giant(functions: usize, steps: usize) -> Vec<u8> {
    let step = "local.get 0 i32.const 3 i32.mul local.get 0 i32.xor local.set 0 ";
    let body = step.repeat(steps);
    let one = format!("(func (param i32) (result i32) {body} local.get 0)");
    // Parsed once, and its function copied in the binary.
    let module = wat::parse_str(format!("(module {one})")).unwrap();
    copy_function(&module, functions)
}

fn copy_function(module: &[u8], count: usize) -> Vec<u8> {
    let mut out = module[..8].to_vec();
    let mut at = 8;
    while at < module.len() {
        let id = module[at];
        let (size, header) = leb(&module[at + 1..]);
        let body = &module[at + 1 + header..][..size];
        let copied = match id {
            // Types of functions and their bodies: a vector of one.
            3 | 10 => {
                let mut all = to_leb(count);
                for _ in 0..count {
                    all.extend(&body[1..]);
                }
                all
            }
            _ => body.to_vec(),
        };
        if id != 0 {
            out.push(id);
            out.extend(to_leb(copied.len()));
            out.extend(copied);
        }
        at += 1 + header + size;
    }
    out
}

fn leb(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return (value, at + 1);
        }
    }
    panic!("no number")
}

fn to_leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}
