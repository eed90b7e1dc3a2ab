//! What authors of scripts rely on.

use crate::common::{js_with, patient};
use serde_json::{Value, json};

at_each_strength! {
    async fn a_script_is_a_function_body(world: &World) {
        assert_eq!(world.js_ok("const a = 20; return a * 2 + 2").await, 42);
        assert_eq!(world.js_ok("return 1 // a last comment").await, 1);
        assert_eq!(world.js_ok("'use strict'; return this === undefined").await, json!(true));
        assert_eq!(world.js_ok("").await, Value::Null);
        assert_eq!(world.js_ok("return undefined").await, Value::Null);
    }

    async fn variables_are_local_names(world: &World) {
        let variables = json!({ "rows": [{ "q": 1 }, { "q": 2 }], "name": "Zoë 🦀", "no": null });
        let source = "return [rows.reduce((sum, row) => sum + row.q, 0), name, no]";
        let verdict = world.run(js_with(source, variables), patient()).await.unwrap();
        assert_eq!(verdict.result.unwrap(), json!([3, "Zoë 🦀", null]));
    }

    async fn names_that_cannot_be_names_are_refused(world: &World) {
        for name in ["a b", "1a", "class", "", "Ünicode", "await", "__jalm_main", "a,b"] {
            let verdict = world.run(js_with("return 1", json!({ name: 1 })), patient()).await.unwrap();
            let error = verdict.result.expect_err(name);
            assert_eq!(error.message, format!("`{name}` cannot be the name of a variable"));
            assert!(error.hint.is_some());
        }
        let verdict = world.run(js_with("return __proto__", json!({ "__proto__": 7 })), patient()).await.unwrap();
        assert_eq!(verdict.result.unwrap(), 7);
    }

    async fn results_are_json(world: &World) {
        for (source, wanted) in [
            ("return 'Zoë \\u2028 🦀 \\0 \"'", json!("Zoë \u{2028} 🦀 \0 \"")),
            ("return { a: undefined, b: () => 1, c: NaN, d: Infinity, e: -0 }", json!({ "c": null, "d": null, "e": 0 })),
            ("return [undefined, NaN]", json!([null, null])),
            ("return new Date(0)", json!("1970-01-01T00:00:00.000Z")),
            ("return { z: 1, a: 2, m: 3 }", json!({ "z": 1, "a": 2, "m": 3 })),
            ("return 0.1 + 0.2", json!(0.1 + 0.2)),
            ("return Number.MAX_SAFE_INTEGER", json!(9_007_199_254_740_991_i64)),
            ("return 1e300", json!(1e300)),
            ("return new Map([[1, 2]])", json!({})),
            ("return { toJSON: () => 'mine' }", json!("mine")),
            ("return null", Value::Null),
            ("return false", json!(false)),
        ] {
            assert_eq!(world.js_ok(source).await, wanted, "{source}");
        }
        let keys = world.js_ok("return { z: 1, a: 2, m: 3 }").await;
        assert_eq!(keys.as_object().unwrap().keys().collect::<Vec<_>>(), ["z", "a", "m"]);
    }

    async fn results_that_are_no_json_are_explained(world: &World) {
        for (source, said, hint) in [
            ("return 10n", "BigInt", "String(value)"),
            ("const a = {}; a.a = a; return a", "circular", "point back"),
            ("return () => 1", "a function", ""),
            ("return Symbol('x')", "a symbol", ""),
            ("return '\\ud800'", "JSON", "half characters"),
        ] {
            let error = world.js_error(source).await;
            assert_eq!(error.code, "script_error", "{source}");
            assert!(error.message.contains(said), "{source}: {error:?}");
            assert!(error.hint.unwrap_or_default().contains(hint), "{source}");
        }
    }

    async fn what_is_printed_is_kept_apart(world: &World) {
        let verdict = world.js(
            "console.log('a', 1, { b: [2] }, undefined, null); console.warn('careful'); \
             console.error(new TypeError('bad')); print('p'); console.info(10n); \
             console.log('half \\ud800'); return 'done'",
        ).await;
        assert_eq!(verdict.result.unwrap(), "done");
        assert_eq!(verdict.stdout, "a 1 {\"b\":[2]} undefined null\np\n10\nhalf \u{fffd}\n");
        assert!(verdict.stderr.starts_with("careful\nTypeError: bad"), "{}", verdict.stderr);
    }

    async fn a_script_that_returns_nothing_gives_what_it_prints(world: &World) {
        assert_eq!(world.js_ok("console.log(JSON.stringify({ a: [1] }))").await, json!({ "a": [1] }));
        assert_eq!(world.js_ok("print('just'); print('text')").await, json!("just\ntext"));
        assert_eq!(world.js_ok("print('1'); return 2").await, 2);
        assert_eq!(world.js_ok("console.error('not this')").await, Value::Null);
    }

    async fn main_takes_its_parameters_by_name(world: &World) {
        for (main, wanted) in [
            ("function main(b, a) { return [a, b] }", json!([1, 2])),
            ("async function main(a, missing = 'default') { return [await a, missing] }", json!([1, "default"])),
            ("const main = (a) => a", json!(1)),
            ("const main = a => a", json!(1)),
            ("const main = async b => b", json!(2)),
            ("const main = async (b, a) => [a, b]", json!([1, 2])),
            ("function main(b = Math.max(1, 9), a /* a, b */) { return [a, b] }", json!([1, 2])),
            ("function main(c = { x: [1, ')'] }, // nothing\n b) { return [c.x[1], b] }", json!([")", 2])),
            ("function main({ a, b }) { return [a, b] }", json!([1, 2])),
            ("function main() { return 'none' }", json!("none")),
        ] {
            let verdict = world.run(js_with(main, json!({ "a": 1, "b": 2 })), patient()).await.unwrap();
            assert_eq!(verdict.result.unwrap_or_else(|error| panic!("{main} {error:?}")), wanted, "{main}");
        }
    }

    async fn promises_are_waited_for(world: &World) {
        assert_eq!(world.js_ok("return await Promise.all([1, Promise.resolve(2)])").await, json!([1, 2]));
        assert_eq!(world.js_ok("return Promise.resolve(3)").await, 3);
        let error = world.js_error("await Promise.reject(new RangeError('too far'))").await;
        assert_eq!(error.message, "RangeError: too far");
    }

    async fn errors_name_the_authors_line(world: &World) {
        let error = world.js_error("const a = 1;\n\n  throw new Error('here');").await;
        assert_eq!((error.line, error.column.is_some()), (Some(3), true), "{error:?}");
        assert_eq!(error.message, "Error: here");
        let error = world.js_error("throw new Error('first line')").await;
        assert_eq!((error.line, error.column), (Some(1), Some(11)), "{error:?}");
        let error = world.js_error("const o = null;\nreturn o.x").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(2)), "{error:?}");
        let error = world.js_error("\nfunction main() {\n  return missing }").await;
        assert_eq!((error.line, error.message.as_str()), (Some(3), "ReferenceError: missing is not defined"));
        assert!(error.hint.unwrap().contains("variables"));
    }

    async fn tracebacks_show_the_calls_of_the_script_only(world: &World) {
        let source = "function inner() {\n  throw new Error('deep')\n}\nfunction outer() {\n  inner()\n}\nouter()";
        let error = world.js_error(source).await;
        let traceback = error.traceback.unwrap();
        let lines: Vec<&str> = traceback.lines().collect();
        assert_eq!(lines.len(), 3, "{traceback}");
        assert!(lines[0].starts_with("at inner (script:2:"), "{traceback}");
        assert!(lines[1].starts_with("at outer (script:5:"), "{traceback}");
        assert!(lines[2].contains("script:7:"), "{traceback}");
        let error = world.js_error("const main = () => { throw new Error('x') }").await;
        assert_eq!(error.traceback.unwrap().lines().count(), 1);
    }

    async fn syntax_errors_name_their_place(world: &World) {
        for (source, line) in [
            ("return (", 1),
            ("let a = 1;\nlet b = ;\nreturn a", 2),
            ("const a = 1;\nconst a = 2;", 2),
            ("if (true) {", 1),
            ("return `unfinished", 1),
            ("let x = 1;\nlet y = 'unfinished\n;", 2),
        ] {
            let error = world.js_error(source).await;
            assert_eq!(error.code, "script_syntax", "{source} {error:?}");
            assert_eq!(error.line, Some(line), "{source} {error:?}");
            assert!(error.message.starts_with("SyntaxError: "), "{error:?}");
        }
        let error = world.js_error("import fs from 'fs'").await;
        assert!(error.hint.unwrap().contains("no modules"));
    }

    /// Only a script that cannot be read is a syntax error; one that reads bad JSON is not.
    async fn errors_at_run_time_are_no_syntax_errors(world: &World) {
        for source in ["return JSON.parse('{')", "return eval('(')", "throw new SyntaxError('mine')", "return new Function('(')"] {
            assert_eq!(world.js_error(source).await.code, "script_error", "{source}");
        }
    }

    async fn anything_may_be_thrown(world: &World) {
        for (thrown, said) in [
            ("'text'", "the script threw \"text\""),
            ("{ a: 1 }", "the script threw {\"a\":1}"),
            ("null", "the script threw null"),
            ("undefined", "the script threw a value"),
            ("() => 1", "the script threw a value"),
            ("(() => { const a = {}; a.a = a; return a })()", "the script threw a value"),
            ("Object.assign(new Error('x'), { name: 'Mine' })", "Mine: x"),
            ("new (class Own extends Error {})('x')", "Error: x"),
        ] {
            let error = world.js_error(&format!("throw {thrown}")).await;
            assert_eq!((error.code.as_ref(), error.message.as_str()), ("script_error", said), "{thrown}");
        }
    }

    async fn nothing_of_the_host_is_in_reach(world: &World) {
        let names = "['process', 'require', 'fetch', 'setTimeout', 'std', 'os', 'Deno', 'Bun', 'WebAssembly', 'XMLHttpRequest', 'scriptArgs']";
        let there = world.js_ok(&format!("return {names}.filter((name) => typeof globalThis[name] !== 'undefined')")).await;
        assert_eq!(there, json!([]));
        for module in ["fs", "std", "os", "/etc/passwd", "./x.js", "data:text/javascript,1"] {
            let error = world.js_error(&format!("return await import('{module}')")).await;
            assert_eq!(error.code, "script_error", "{error:?}");
        }
    }

    async fn the_language_is_there(world: &World) {
        assert_eq!(world.js_ok("return [...'añ🦀'].length").await, 3);
        assert_eq!(world.js_ok("return Object.groupBy([1, 2, 3], (n) => n % 2 ? 'odd' : 'even')").await, json!({ "odd": [1, 3], "even": [2] }));
        assert_eq!(world.js_ok("return 'añb'.normalize('NFD').length").await, 4);
        assert_eq!(world.js_ok("return /(?<y>\\d{4})/u.exec('in 2024').groups.y").await, "2024");
        assert_eq!(world.js_ok("return new Date(2024, 1, 29).getTime() === Date.UTC(2024, 1, 29)").await, json!(true), "time is UTC");
        assert_eq!(world.js_ok("return Math.abs(Date.now() - performance.timeOrigin) < 1e6 || Date.now() > 1.7e12").await, json!(true));
        assert_eq!(world.js_ok("const a = Math.random(); return a >= 0 && a < 1").await, json!(true));
        let numbers = (world.js_ok("return Math.random()").await, world.js_ok("return Math.random()").await);
        assert_ne!(numbers.0, numbers.1, "each script has chance of its own");
    }

    async fn large_data_goes_both_ways(world: &World) {
        let rows: Vec<Value> = (0..5000).map(|n| json!({ "id": n, "name": format!("row {n}"), "ok": true })).collect();
        let program = js_with("return rows.filter((row) => row.id % 2)", json!({ "rows": rows }));
        let result = world.run(program, patient()).await.unwrap().result.unwrap();
        assert_eq!(result.as_array().unwrap().len(), 2500);
        assert_eq!(result[2499], json!({ "id": 4999, "name": "row 4999", "ok": true }));
    }
}
