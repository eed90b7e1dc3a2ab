//! What is tried while a script is compiled.

use crate::world::{World, at_each_strength};
use jalm_isolates::Language::{Go, Rust};
use serde_json::{Value, json};

at_each_strength! { Rust:
    async fn rusts_compiler_reads_nothing_of_the_host(world: World) {
        for path in ["/etc/shadow", "/etc/passwd", "/proc/self/environ", "/root/.bashrc", "../../etc/passwd"] {
            let source = format!("return include_bytes!({path:?}).len();");
            let error = world.wrong(Rust, &source).await;
            assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(1)), "{path}");
            assert!(error.message.contains("couldn't read"), "{}", error.message);
        }
        let error = world.wrong(Rust, "#[path = \"/etc/passwd\"]\nmod secrets;\nfn main() {}").await;
        assert!(error.message.contains("couldn't read"), "{}", error.message);
        for name in ["HOME", "PATH_OF_SECRETS", "CARGO_MANIFEST_DIR"] {
            let source = format!("return option_env!({name:?}).is_some();");
            assert_eq!(world.good(Rust, &source, Value::Null).await, json!(false));
        }
    }

    async fn rusts_compiler_runs_nothing_of_the_scripts(world: World) {
        let error = world.wrong(Rust, "#![crate_type = \"proc-macro\"]\nextern crate proc_macro;\n#[proc_macro]\npub fn run(t: proc_macro::TokenStream) -> proc_macro::TokenStream { t }\nfn main() {}").await;
        assert_eq!(error.code, "script_syntax");
        let error = world.wrong(Rust, "#[link(name = \"no_such_library\")]\nunsafe extern \"C\" { fn x() -> i32; }\nfn main() { unsafe { x() }; }").await;
        assert_eq!(error.code, "script_syntax");
    }

    async fn a_script_that_makes_the_compiler_work_without_end_is_an_error(world: World) {
        let source = "macro_rules! bomb { ($($x:tt)*) => { bomb!($($x)* $($x)*) } }\nfn main() { bomb!(a) }";
        let error = world.wrong(Rust, source).await;
        assert!(["script_syntax", "script_timeout"].contains(&error.code.as_ref()), "{error:?}");
        // And the next one is as good as ever.
        assert_eq!(world.good(Rust, "return 1;", Value::Null).await, json!(1));
    }

    async fn a_script_is_compiled_once(world: World) {
        let source = "fn run(n: i64) -> i64 { n + 1 }";
        for n in [1, 2, 3] {
            assert_eq!(world.good(Rust, source, json!({ "n": n })).await, json!(n + 1));
        }
        assert_eq!(world.isolates.compilations(), 1);
        assert_eq!(world.good(Rust, "return 2;", Value::Null).await, json!(2));
        assert_eq!(world.isolates.compilations(), 2);
    }
}

at_each_strength! { Go:
    async fn gos_compiler_reads_nothing_of_the_host(world: World) {
        let embed = "package main\n\nimport _ \"embed\"\n\n//go:embed script.go\nvar text string\n\nfunc main() { println(text) }\n";
        let error = world.wrong(Go, embed).await;
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(5)), "{error:?}");
        let cgo = "package main\n\n// #include \"/etc/passwd\"\nimport \"C\"\n\nfunc main() {}\n";
        let error = world.wrong(Go, cgo).await;
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(4)), "{error:?}");
        let other = "package main\n\nimport \"example.com/evil\"\n\nfunc main() { evil.Run() }\n";
        let error = world.wrong(Go, other).await;
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(3)), "{error:?}");
        let flags = "package main\n\n//go:cgo_ldflag \"-Wl,-o,/tmp/x\"\n\nfunc main() {}\n";
        assert_eq!(world.wrong(Go, flags).await.code, "script_syntax");
        let lines = "package main\n\n//line /etc/passwd:1\nfunc main() { x }\n";
        assert_eq!(world.wrong(Go, lines).await.code, "script_syntax");
    }

    async fn a_script_in_go_is_compiled_once(world: World) {
        for n in [1, 2] {
            assert_eq!(world.good(Go, "return vars[\"n\"]", json!({ "n": n })).await, json!(n));
        }
        assert_eq!(world.isolates.compilations(), 1);
    }
}
