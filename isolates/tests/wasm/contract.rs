//! What a module gets and gives.

use crate::world::{at_each_strength, command, constant, patient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const ADD: &str = r#"(module (func (export "main") (param $a i32) (param $b i64) (param $c f64) (result f64)
  (f64.add (f64.add (f64.convert_i32_s (local.get $a)) (f64.convert_i64_s (local.get $b))) (local.get $c))))"#;

/// Prints the variables as it reads them.
const ECHO: &str = "(local $got i32)
  (i32.store (i32.const 16) (i32.const 2048)) (i32.store (i32.const 20) (i32.const 60000))
  (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
  (call $print (i32.const 1) (i32.const 2048) (i32.load (i32.const 24)))";

at_each_strength! {
    async fn a_main_with_named_parameters_gets_the_variables_of_these_names(world: &World) {
        let variables = json!({ "c": 0.5, "b": 2, "a": 1, "more": "ignored" });
        assert_eq!(world.run(ADD, variables).await, Ok(json!(3.5)));
        let error = world.run(ADD, json!({ "a": 1, "b": 2 })).await.unwrap_err();
        assert!(error.message.contains("`main` wants `c`"), "{error:?}");
        let error = world.run(ADD, json!({ "a": "x", "b": 2, "c": 3 })).await.unwrap_err();
        assert!(error.message.contains("`a` must be a whole number"), "{error:?}");
    }

    async fn a_main_without_names_gets_the_variables_in_their_order(world: &World) {
        let source = r#"(module (func (export "main") (param i32 i32) (result i32)
          (i32.sub (local.get 0) (local.get 1))))"#;
        assert_eq!(world.run(source, json!({ "x": 7, "y": 2 })).await, Ok(json!(5)));
        assert_eq!(world.run(source, json!({ "y": 2, "x": 7 })).await, Ok(json!(-5)));
        let error = world.run(source, json!({ "x": 7 })).await.unwrap_err();
        assert!(error.message.contains("2 parameters, and there are 1 variables"), "{error:?}");
        assert!(error.hint.unwrap().contains("WASI"));
    }

    async fn a_main_gives_one_number_several_or_none(world: &World) {
        assert_eq!(world.good(&constant(-7)).await, json!(-7));
        let several = r#"(module (func (export "main") (result i64 f32) (i64.const -1) (f32.const 1.5)))"#;
        assert_eq!(world.good(several).await, json!([-1, 1.5]));
        assert_eq!(world.good(r#"(module (func (export "main")))"#).await, Value::Null);
        let infinite = r#"(module (func (export "main") (result f64) (f64.const inf)))"#;
        assert!(world.wrong(infinite).await.message.contains("no place in JSON"));
    }

    async fn a_command_reads_the_variables_and_prints_the_result(world: &World) {
        let variables = json!({ "name": "ü", "list": [1, { "deep": null }] });
        assert_eq!(world.run(&command(ECHO), variables.clone()).await, Ok(variables));
        assert_eq!(world.good(&command("(call $print (i32.const 1) (i32.const 1040) (i32.const 15))")).await, json!({ "a": [1, 2.5] }));
        assert_eq!(world.good(&command("(call $print (i32.const 1) (i32.const 1024) (i32.const 6))")).await, json!("hello"));
        assert_eq!(world.good(&command("")).await, Value::Null);
        assert_eq!(world.good(&command("(call $exit (i32.const 0))")).await, Value::Null);
    }

    async fn printed_text_and_errors_are_kept_apart(world: &World) {
        let source = command("
          (call $print (i32.const 2) (i32.const 1024) (i32.const 6))
          (call $print (i32.const 1) (i32.const 1024) (i32.const 4))
          (call $print (i32.const 1) (i32.const 1024) (i32.const 6))");
        let verdict = world.verdict(&source, Value::Null, patient()).await;
        assert_eq!((verdict.stdout.as_str(), verdict.stderr.as_str()), ("hellhello\n", "hello\n"));
        assert_eq!(verdict.result, Ok(json!("hellhello")));
        assert_eq!(verdict.memory_used, 65536);
    }

    async fn a_module_may_come_as_base64(world: &World) {
        let bytes = wat::parse_str(constant(5)).unwrap();
        let text = STANDARD.encode(bytes);
        assert_eq!(world.good(&text).await, 5);
        let lines: Vec<&str> = text.as_bytes().chunks(10).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(world.good(&lines.join("\n")).await, 5);
    }

    async fn a_reactor_is_initialized_before_its_main(world: &World) {
        let source = r#"(module (global $ready (mut i32) (i32.const 0))
          (func (export "_initialize") (global.set $ready (i32.const 9)))
          (func (export "main") (result i32) (global.get $ready)))"#;
        assert_eq!(world.good(source).await, 9);
    }

    async fn a_component_of_the_command_world_runs(world: &World) {
        assert_eq!(world.run(COMPONENT, json!({ "n": 1 })).await, Ok(json!({ "a": [1, 2.5] })));
        assert_eq!(world.good(&COMPONENT.replace("(i32.const 0)) ;; ok", "(i32.const 0)) ;; still ok")).await, json!({ "a": [1, 2.5] }));
        let error = world.wrong(&COMPONENT.replace("(i32.const 0)) ;; ok", "(i32.const 1))")).await;
        assert!(error.message.contains("says that it failed"), "{error:?}");
        let error = world.wrong("(component)").await;
        assert!(error.hint.unwrap().contains("wasi:cli/run"));
    }

    async fn each_call_has_memory_of_its_own(world: &World) {
        let source = r#"(module (memory 1) (global $calls (mut i32) (i32.const 0))
          (func (export "main") (result i32 i32)
            (i32.load (i32.const 0)) (global.get $calls)
            (i32.store (i32.const 0) (i32.const 77)) (global.set $calls (i32.const 77))))"#;
        for _ in 0..5 {
            assert_eq!(world.good(source).await, json!([0, 0]));
        }
        // Nor does another module find it, wherever its memory lies.
        let search = r#"(module (memory 1) (func (export "main") (result i32) (local $at i32) (local $found i32)
          (loop $next
            (local.set $found (i32.or (local.get $found) (i32.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 65536))))
          (local.get $found)))"#;
        assert_eq!(world.good(search).await, 0);
    }

    async fn many_at_once_do_not_mix(world: &World) {
        let source = r#"(module (func (export "main") (param $n i32) (result i32) (i32.mul (local.get $n) (i32.const 2))))"#;
        let runs = (0..40).map(|n| async move { (n, world.run(source, json!({ "n": n })).await) });
        for (n, result) in futures_util::future::join_all(runs).await {
            assert_eq!(result, Ok(json!(n * 2)));
        }
    }
}

/// Prints by the streams of WASI 0.2.
const COMPONENT: &str = r#"(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (alias outer 1 $error-type (type $outer-error))
    (export "error" (type $e (eq $outer-error)))
    (type $stream-error (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $stream-error)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $se)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $o))
    (export "output-stream" (type $out (eq $o)))
    (export "get-stdout" (func (result (own $out))))))
  (core module $memory (memory (export "memory") 1)
    (data (i32.const 100) "{\"a\": [1, 2.5]}"))
  (core instance $memory (instantiate $memory))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $memory "memory"))))
  (core module $program
    (import "host" "get" (func $get (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (func (export "run") (result i32)
      (call $write (call $get) (i32.const 100) (i32.const 15) (i32.const 200))
      (i32.const 0)) ;; ok
  )
  (core instance $program (instantiate $program
    (with "host" (instance (export "get" (func $get)) (export "write" (func $write))))))
  (func $run (result (result)) (canon lift (core func $program "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))"#;
