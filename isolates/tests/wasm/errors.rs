//! What is told to the author of a module that does not work.

use crate::world::{at_each_strength, command};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

at_each_strength! {
    async fn a_trap_names_the_functions_and_the_line(world: &World) {
        let source = "(module
  (func $divide (param i32) (result i32)
    (i32.div_s (i32.const 1) (local.get 0)))
  (func (export \"main\") (result i32)
    (call $divide (i32.const 0))))";
        let error = world.wrong(source).await;
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(3)));
        assert!(error.message.contains("integer divide by zero"), "{error:?}");
        let traceback = error.traceback.unwrap();
        let lines: Vec<&str> = traceback.lines().collect();
        assert_eq!(lines.len(), 2, "{traceback}");
        assert!(lines[0] == "at divide (script:3)", "{traceback}");
    }

    async fn an_exit_that_is_not_zero_is_an_error(world: &World) {
        let error = world.wrong(&command("(call $exit (i32.const 3))")).await;
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("script_error", "the script exited with 3"));
    }

    async fn a_stack_overflow_is_the_scripts_error(world: &World) {
        let source = r#"(module (func $deep (export "main") (result i32) (i32.add (call $deep) (i32.const 1))))"#;
        let error = world.wrong(source).await;
        assert_eq!(error.code, "script_error");
        assert!(error.message.contains("call stack exhausted"), "{error:?}");
        let traceback = error.traceback.unwrap();
        assert!(traceback.lines().count() <= 31 && traceback.contains("at deep"), "{traceback}");
        world.still_works().await;
    }

    async fn what_is_no_module_is_refused_with_its_place(world: &World) {
        let error = world.wrong("(module\n  (func (export \"main\") (call $nowhere)))").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(2)));
        assert!(error.message.contains("$nowhere"), "{error:?}");
        for (source, told) in [
            ("return 1", "neither WAT nor base64"),
            ("AAAA", "no WebAssembly"),
            ("(module (func (result i32)))", "type mismatch"),
            ("(module (memory 1 1 shared))", "threads"),
        ] {
            let error = world.wrong(source).await;
            assert_eq!(error.code, "script_syntax", "{source}");
            let all = format!("{} {}", error.message, error.hint.unwrap_or_default());
            assert!(all.contains(told), "{source}: {all}");
        }
    }

    async fn what_cannot_be_called_is_told_so(world: &World) {
        for (source, told) in [
            ("(module)", "neither `_start` nor `main`"),
            (r#"(module (memory (export "main") 1))"#, "neither `_start` nor `main`"),
            (r#"(module (import "env" "secret" (func)) (func (export "main")))"#, "env::secret"),
            (r#"(module (func (export "main") (param v128)))"#, "v128"),
            (r#"(module (func (export "main") (result funcref) (ref.null func)))"#, "no JSON"),
        ] {
            let error = if source.contains("v128") {
                world.run(source, serde_json::json!({ "x": 1 })).await.unwrap_err()
            } else {
                world.wrong(source).await
            };
            assert_eq!(error.code, "script_error", "{source}");
            assert!(error.message.contains(told), "{source}: {error:?}");
        }
    }

    /// Machine code that was made elsewhere would run as it is.
    async fn precompiled_code_is_refused(world: &World) {
        let engine = wasmtime::Engine::default();
        let forged = engine.precompile_module(b"(module)".as_slice().as_ref()).or_else(|_| {
            engine.precompile_module(&wat::parse_str("(module)").unwrap())
        });
        let error = world.wrong(&STANDARD.encode(forged.unwrap())).await;
        assert_eq!(error.code, "script_syntax");
        assert!(error.hint.unwrap().contains("not precompiled"));
    }
}
