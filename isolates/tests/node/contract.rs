//! What authors of scripts rely on: the contract of JavaScript, and what Node has besides.

use crate::world::{World, at_each_strength, patient};
use jalm_isolates::Runtime;
use serde_json::{Value, json};

at_each_strength! {
    async fn a_script_is_a_function_body(world: World) {
        let variables = json!({ "rows": [{ "q": 1 }, { "q": 2 }], "name": "Zoë 🦀", "no": null });
        let source = "return [rows.reduce((sum, row) => sum + row.q, 0), name, no]";
        assert_eq!(world.run(source, variables).await, Ok(json!([3, "Zoë 🦀", null])));
        for (source, wanted) in [
            ("return 1 // a last comment", json!(1)),
            ("", Value::Null),
            ("return undefined", Value::Null),
            ("return null", Value::Null),
            ("return await Promise.all([1, Promise.resolve(2)])", json!([1, 2])),
            ("await new Promise((done) => setTimeout(done, 5)); return 'later'", json!("later")),
            ("return { a: undefined, b: () => 1, c: NaN }", json!({ "c": null })),
            ("return new Date(0)", json!("1970-01-01T00:00:00.000Z")),
            ("return { toJSON: () => 'mine' }", json!("mine")),
            ("return new Date(2024, 1, 29).getTime() === Date.UTC(2024, 1, 29)", json!(true)),
            ("setTimeout(() => {}, 600000); return 'does not wait'", json!("does not wait")),
        ] {
            assert_eq!(world.good(source).await, wanted, "{source}");
        }
    }

    async fn main_takes_its_parameters_by_name(world: World) {
        for (main, wanted) in [
            ("function main(b, a) { return [a, b] }", json!([1, 2])),
            ("const main = async (a, missing = 'default') => [await a, missing]", json!([1, "default"])),
            ("function main({ a, b }) { return [a, b] }", json!([1, 2])),
        ] {
            assert_eq!(world.run(main, json!({ "a": 1, "b": 2 })).await, Ok(wanted), "{main}");
        }
    }

    async fn names_that_cannot_be_names_are_refused(world: World) {
        for name in ["a b", "1a", "class", "", "Ünicode", "await", "__jalm_main", "a,b", "a){}"] {
            let error = world.run("return 1", json!({ name: 1 })).await.expect_err(name);
            assert_eq!(error.message, format!("`{name}` cannot be the name of a variable"));
        }
        assert_eq!(world.run("return require", json!({ "require": 7 })).await, Ok(json!(7)));
    }

    async fn what_is_printed_is_kept_apart(world: World) {
        let source = "console.log('a', 1, { b: [2] }); console.warn('careful'); process.stdout.write('no end'); \
            print({ c: 1 }); console.error(new TypeError('bad')); process.stderr.write('!'); return 'done'";
        let verdict = world.verdict(world.js(source, json!({})), patient()).await;
        assert_eq!(verdict.result.unwrap(), "done");
        assert_eq!(verdict.stdout, "a 1 { b: [ 2 ] }\nno end{\"c\":1}\n");
        assert!(verdict.stderr.starts_with("careful\nTypeError: bad"), "{}", verdict.stderr);
        assert!(verdict.stderr.ends_with('!'), "{}", verdict.stderr);
        assert!(verdict.memory_used > 1024 * 1024, "{}", verdict.memory_used);
        assert_eq!(world.good("console.log(JSON.stringify({ a: [1] }))").await, json!({ "a": [1] }));
        assert_eq!(world.good("print('just'); print('text'); process.exit()").await, json!("just\ntext"));
        assert_eq!(world.good("print('1'); return 2").await, 2);
    }

    async fn errors_name_the_authors_line(world: World) {
        for (source, line, message) in [
            ("const a = 1;\n\n  throw new Error('here');", 3, "Error: here"),
            ("\nfunction main() {\n  return missing }", 3, "ReferenceError: missing is not defined"),
            ("setTimeout(() => {\n  throw new RangeError('late')\n}, 1)\nawait new Promise(() => {})", 2, "RangeError: late"),
            ("\nPromise.reject(new Error('nobody looks'))\nawait new Promise((done) => setTimeout(done, 60000))", 2, "Error: nobody looks"),
            ("return JSON.parse(\n'{')", 1, world.of("SyntaxError: Expected", "SyntaxError: Expected", "SyntaxError: JSON")),
        ] {
            let error = world.wrong(source).await;
            assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(line)), "{source}\n{error:#?}");
            // The words are the engine's, and change.
            let words = message.split(' ').take(2).collect::<Vec<_>>().join(" ");
            assert!(error.message.starts_with(&words), "{error:?}");
        }
        let source = "function inner() {\n  throw new Error('deep')\n}\nasync function outer() {\n  await 0; inner()\n}\nawait outer()";
        let traceback = world.wrong(source).await.traceback.unwrap();
        let v8 = "at inner (script:2:9)\nat outer (script:5:12)\nat script:7:1";
        let bun = "at inner (script:2:18)\nat outer (script:5:17)\nat script:7:12";
        assert_eq!(traceback, world.of(v8, v8, bun));
    }

    async fn syntax_errors_name_their_place(world: World) {
        for (source, line) in [
            ("return (", 1),
            ("let a = 1;\nlet b = ;\nreturn a", 2),
            ("const a = 1;\nconst a = 2;", 2),
            ("if (true) {", 1),
            ("import fs from 'fs'", 1),
        ] {
            let error = world.wrong(source).await;
            assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(line)), "{source} {error:?}");
            assert!(error.message.starts_with("SyntaxError: "), "{error:?}");
        }
    }

    async fn what_cannot_be_a_result_is_explained(world: World) {
        for (source, said) in [
            ("return 10n", "BigInt"),
            ("const a = {}; a.a = a; return a", world.of("circular", "circular", "cyclic")),
            ("return () => 1", "a function"),
            ("return Symbol('x')", "a symbol"),
            ("return '\\ud800'", "JSON"),
            ("throw { a: 1 }", "the script threw {\"a\":1}"),
            ("throw undefined", "the script threw a value"),
            ("await new Promise(() => {})", "never happens"),
            ("process.exit(3)", "exited with 3"),
            ("let a = 1; for (let i = 0; i < 1000; i++) a = [a]; return a", "JSON"),
        ] {
            let error = world.wrong(source).await;
            assert_eq!(error.code, "script_error", "{source}");
            assert!(error.message.contains(said), "{source}: {error:?}");
        }
    }

    async fn nodes_own_modules_are_there(world: World) {
        let source = "
            const { createHash } = require('node:crypto');
            const zlib = require('zlib');
            const { join } = await import('node:path');
            const { promisify } = require('util');
            const packed = await promisify(zlib.gzip)('text');
            const hash = createHash('sha256').update('x').digest('hex').slice(0, 8);
            return [hash, zlib.gunzipSync(packed).toString(), join('a', 'b'), new URL('http://a/b').pathname, structuredClone([1])]";
        assert_eq!(world.good(source).await, json!(["2d711642", "text", "a/b", "/b", [1]]));
        // A worker on Deno needs more than a script has.
        if world.runtime != Runtime::Deno {
            let source = "
                const { Worker } = require('worker_threads');
                const worker = new Worker('require(\"worker_threads\").parentPort.postMessage(6 * 7)', { eval: true });
                return await new Promise((done, fail) => worker.on('message', done).on('error', fail))";
            assert_eq!(world.good(source).await, json!(42));
        }
        let error = world.wrong("require('left-pad')").await;
        assert!(error.hint.unwrap().contains("no packages"));
    }

    async fn typescript_is_the_same_as_on_quickjs(world: World) {
        let source = "enum Colour { Red, Green = 5 }\nnamespace N { export const a = 1 }\nclass P { constructor(readonly x: number) {} }\nreturn [Colour.Green, N.a, new P(rows[0] as number).x, await import('node:path').then((p) => p.sep)]";
        let verdict = world.verdict(world.ts(source, json!({ "rows": [7] })), patient()).await;
        assert_eq!(verdict.result, Ok(json!([5, 1, 7, "/"])));
        for (source, code, line) in [
            ("interface A {\n  b: string\n}\ntype C = A\n\nthrow new Error('here')", "script_error", 6),
            ("type A = {\n  b: 1\n}\nconst main = (a?: A): never => {\n  null!.b\n}", "script_error", 5),
            ("interface A { b: 1 }\n\nconst rows = 1\nreturn rows", "script_syntax", 3),
        ] {
            let verdict = world.verdict(world.ts(source, json!({ "rows": 1 })), patient()).await;
            let error = verdict.result.expect_err(source);
            assert_eq!((error.code.as_ref(), error.line), (code, Some(line)), "{source}\n{error:#?}");
        }
        // What is no TypeScript never comes so far as Node.
        let job = jalm_isolates::Job { program: world.ts("let a: = 1", json!({})), limits: patient() };
        let verdict = world.isolates.run(job).await.unwrap();
        assert!(verdict.isolation.starts_with("isolate/"), "{}", verdict.isolation);
        assert_eq!(verdict.result.unwrap_err().code, "script_syntax");
    }

    async fn large_data_goes_both_ways(world: World) {
        let text = "ü".repeat(1_000_000);
        let result = world.run("return text + text", json!({ "text": text })).await.unwrap();
        assert_eq!(result.as_str().unwrap().len(), 4_000_000);
    }
}
