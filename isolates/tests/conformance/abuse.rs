//! Code that means harm, or does it by mistake: each is ended in time, says why, and the next job
//! does not notice (research/isolates.md §5 and §8).

use crate::common::{MIB, World, hasty, js, js_with, patient, template};
use jalm_isolates::{Limits, Program, ScriptError, Verdict};
use serde_json::{Map, Value, json};
use std::time::Duration;

async fn ends(world: &World, program: Program, limits: Limits, codes: &[&str]) -> Verdict {
    let shown = format!("{program:?}");
    let verdict = world.run(program, limits).await.unwrap();
    let code = verdict.result.as_ref().map_err(|error| error.code.as_ref()).expect_err(&shown);
    assert!(codes.contains(&code), "{shown}\n{:#?}", verdict.result);
    world.still_works().await;
    verdict
}

async fn out_of_time(world: &World, source: &str) {
    ends(world, js(source), hasty(), &["script_timeout"]).await;
}

/// The bound on memory holds, with some room for the process itself.
async fn out_of_memory(world: &World, program: Program) -> Verdict {
    let verdict = ends(world, program, patient(), &["script_memory"]).await;
    assert!(verdict.memory_used < patient().memory + 96 * MIB, "{}", verdict.memory_used);
    verdict
}

fn jq(filter: &str) -> Program {
    Program::Jq { filter: filter.to_owned(), input: Value::Null, variables: Map::new() }
}

fn error(verdict: Verdict) -> ScriptError {
    verdict.result.unwrap_err()
}

at_each_strength! {
    async fn endless_loops_are_ended(world: &World) {
        out_of_time(world, "for (;;) {}").await;
        out_of_time(world, "for (;;) { try { for (;;) {} } catch {} finally { continue } }").await;
        out_of_time(world, "return { toJSON() { for (;;) {} } }").await;
        out_of_time(world, "throw new Proxy(new Error('x'), { get() { for (;;) {} } })").await;
        out_of_time(world, "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;) {} } }); throw e").await;
    }

    /// The interpreter does not look at the clock inside of these.
    async fn loops_in_native_code_are_ended(world: &World) {
        out_of_time(world, "const a = new Uint8Array(20e6); for (;;) { a.fill(1); a.indexOf(3) }").await;
    }

    async fn loops_over_promises_are_ended(world: &World) {
        out_of_time(world, "for (;;) await 0").await;
        out_of_time(world, "(async () => { for (;;) await 0 })(); await new Promise(() => {})").await;
    }

    async fn waiting_longer_than_allowed_is_ended(world: &World) {
        let program = Program::Probe { attempts: vec!["sleep:600000".to_owned()] };
        ends(world, program, hasty(), &["script_timeout"]).await;
        let wait = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)";
        ends(world, js(wait), hasty(), &["script_timeout", "script_error"]).await;
    }

    async fn a_promise_that_is_never_settled_is_said(world: &World) {
        let verdict = ends(world, js("await new Promise(() => {})"), patient(), &["script_error"]).await;
        let error = error(verdict);
        assert!(error.message.contains("never happens"), "{error:?}");
    }

    async fn catastrophic_patterns_are_ended(world: &World) {
        out_of_time(world, "return /^(a+)+$/.test('a'.repeat(64) + 'b')").await;
        out_of_time(world, "return 'a'.repeat(64).replace(/(a*)*b/, '')").await;
    }

    async fn memory_bombs_in_scripts_are_ended(world: &World) {
        for source in [
            "const a = []; for (;;) a.push('x'.repeat(100000) + a.length)",
            "const a = []; for (;;) a.push([a.length])",
            "const a = []; for (;;) a.push(new Uint8Array(1000000))",
            "const a = {}; for (let i = 0;; i++) a['k' + i] = i",
            "const m = new Map(); for (let i = 0;; i++) m.set(i, {})",
            "return 'x'.repeat(2 ** 28).split('')",
            "return new Array(2 ** 26).fill(0)",
            "return new ArrayBuffer(2 ** 30).byteLength",
            "let f = () => 0; for (;;) { const g = f; f = () => g() }",
        ] {
            out_of_memory(world, js(source)).await;
        }
    }

    /// Numbers grow until they are too large, too slow, or too much: any of these is an end.
    async fn numbers_without_end_are_ended(world: &World) {
        let any = ["script_memory", "script_error", "script_timeout"];
        ends(world, js("let b = 2n; for (;;) b *= b"), hasty(), &any).await;
        ends(world, js("return String(2n ** 4000000n ** 2n)"), hasty(), &any).await;
    }

    /// A script that survives its own lack of memory is ended by the clock.
    async fn catching_the_lack_of_memory_does_not_help(world: &World) {
        out_of_time(world, "for (;;) { try { const a = []; for (;;) a.push(new Uint8Array(1000000)) } catch {} }").await;
    }

    /// Printing needs memory as well.
    async fn printing_when_memory_is_used_up_does_no_harm(world: &World) {
        let source = "const a = []; try { for (;;) a.push('x'.repeat(1000) + a.length) } catch (e) { for (let i = 0; i < 1000; i++) console.log(e, i); throw e }";
        ends(world, js(source), patient(), &["script_memory"]).await;
    }

    async fn deep_recursion_is_the_scripts_error(world: &World) {
        let sources = [
            "const f = () => f() + 1; return f()",
            "const a = []; a[0] = a; const f = (x) => [...f(x)]; return f(a)",
            "const o = {}; o.toString = () => '' + o; return '' + o",
            "return JSON.parse('['.repeat(1000000))",
            "let a = []; for (let i = 0; i < 100000; i++) a = [a]; return a",
            "return new RegExp('('.repeat(100000))",
        ];
        for source in sources {
            ends(world, js(source), patient(), &["script_error"]).await;
        }
    }

    async fn deeply_nested_source_is_refused(world: &World) {
        for source in [
            format!("return {}", "[".repeat(200_000)),
            format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
            format!("return {}1", "!".repeat(1_000_000)),
            format!("{}{}", "{".repeat(100_000), "}".repeat(100_000)),
            format!("return {}", "`${".repeat(50_000)),
        ] {
            let codes = ["script_syntax", "script_error", "script_memory"];
            ends(world, js(&source), patient(), &codes).await;
        }
    }

    async fn deeply_nested_data_is_refused(world: &World) {
        let deep = (0..1000).fold(json!(1), |inner, _| json!([inner]));
        let verdict = ends(world, js_with("return 1", json!({ "deep": deep })), patient(), &["script_error"]).await;
        assert!(error(verdict).hint.unwrap().contains("less deeply"));
    }

    /// Just below and just above the bound: readable in the child, and in the server too.
    async fn results_are_deep_or_refused_but_never_lost(world: &World) {
        for depth in 90..140 {
            let source = format!("let a = 1; for (let i = 0; i < {depth}; i++) a = [a]; return a");
            match world.js(&source).await.result {
                Ok(_) => assert!(depth <= 101, "{depth}"),
                Err(error) => {
                    assert!(depth > 100, "{depth}");
                    assert_eq!(error.code, "script_error", "{depth} {error:?}");
                }
            }
        }
    }

    async fn endless_printing_is_ended(world: &World) {
        let verdict = ends(world, js("for (;;) console.log('again and again')"), patient(), &["script_output"]).await;
        assert!(verdict.stdout.starts_with("again and again\n"));
        let caught = "for (;;) { try { console.error('x'.repeat(1000)) } catch {} }";
        let verdict = ends(world, js(caught), patient(), &["script_output"]).await;
        assert!(verdict.stderr.starts_with("xxx"));
        let all_at_once = "console.log('x'.repeat(2000000))";
        ends(world, js(all_at_once), patient(), &["script_output"]).await;
    }

    async fn results_that_are_too_large_are_refused(world: &World) {
        let limits = Limits { output: 1000, ..patient() };
        for source in ["return 'x'.repeat(1000)", "return 'x'.repeat(5000000)", "return Array(1000).fill(1)"] {
            ends(world, js(source), limits, &["script_output"]).await;
        }
        ends(world, jq("[range(1000)]"), limits, &["script_output"]).await;
        ends(world, jq("range(1000)"), limits, &["script_output"]).await;
        ends(world, template("{{ 'x' * 2000 }}", json!({})), limits, &["script_output"]).await;
        let fits = world.run(js("return 'x'.repeat(998)"), limits).await.unwrap();
        assert!(fits.result.is_ok());
    }

    async fn endless_filters_are_ended(world: &World) {
        ends(world, jq("repeat(1)"), patient(), &["script_output"]).await;
        ends(world, jq("range(infinite)"), patient(), &["script_output"]).await;
        ends(world, jq("last(repeat(1))"), hasty(), &["script_timeout"]).await;
        ends(world, jq("last(range(infinite))"), hasty(), &["script_timeout"]).await;
        ends(world, jq("def f: f; f"), hasty(), &["script_timeout"]).await;
        ends(world, jq("[recurse(.)] | length"), hasty(), &["script_timeout", "script_memory"]).await;
    }

    async fn memory_bombs_in_filters_are_ended(world: &World) {
        for filter in [
            "[range(100000000)]",
            "[repeat(\"x\")] | length",
            "reduce range(1000000) as $i (\"x\"; . + .) | length",
            "\"x\" * 1000000000 | length",
            "\"x\" * 4000000000000000000 | length",
            "[limit(100000000; repeat([1]))] | length",
        ] {
            out_of_memory(world, jq(filter)).await;
        }
    }

    /// A filter has no stack of its own that could be measured: its process ends.
    async fn filters_that_recurse_too_deeply_are_ended(world: &World) {
        for filter in [
            "def f: [f]; f".to_owned(),
            "def f: 1 + f; f".to_owned(),
            "[".repeat(200_000),
            format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)),
            "reduce range(1000000) as $i (0; [.])".to_owned(),
            format!("\"{}\" | fromjson", "[".repeat(100_000)),
        ] {
            let verdict = ends(world, jq(&filter), patient(), &["script_crashed", "script_syntax", "script_error", "script_memory"]).await;
            let error = error(verdict);
            if error.code == "script_crashed" {
                assert!(error.message.contains("too deeply"), "{error:?}");
            }
        }
    }

    async fn patterns_in_filters_are_harmless(world: &World) {
        let filter = "(\"a\" * 40 + \"b\") | test(\"^(a+)+$\")";
        assert_eq!(world.jq(filter, json!(null)).await.unwrap(), json!([false]));
        ends(world, jq("\"a\" | test(\"(((a{1000}){1000}){1000})\")"), patient(), &["script_error", "script_memory"]).await;
    }

    async fn endless_templates_are_ended(world: &World) {
        let nested = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        ends(world, template(nested, json!({})), hasty(), &["script_timeout", "script_error"]).await;
        let itself = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
        ends(world, template(itself, json!({})), patient(), &["script_error", "script_crashed"]).await;
    }

    /// Without waiting for the clock.
    async fn templates_that_do_too_much_run_out_of_fuel(world: &World) {
        let nested = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        let limits = Limits { wall: Duration::from_mins(10), ..patient() };
        let verdict = ends(world, template(nested, json!({})), limits, &["script_error"]).await;
        let error = error(verdict);
        assert!(error.hint.unwrap().contains("too much"));
    }

    async fn memory_bombs_in_templates_are_ended(world: &World) {
        for source in [
            "{{ ('x' * 100000000) ~ ('y' * 100000000) }}",
            "{% set ns = namespace(a='x') %}{% for i in range(40) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}{{ ns.a|length }}",
            "{% for i in range(100) %}{{ 'x' * 10000000 }}{% endfor %}",
            "{{ range(100000)|list|batch(1)|list|map('list')|list|tojson|length * 0 }}{% for i in range(1000) %}{{ 'x' * 1000000 }}{% endfor %}",
        ] {
            ends(world, template(source, json!({})), patient(), &["script_memory", "script_output"]).await;
        }
        out_of_memory(world, template("{{ ('x' * 90000000)|length }}", json!({}))).await;
    }

    async fn deeply_nested_templates_are_refused(world: &World) {
        for source in [
            format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
            format!("{{{{ {} }}}}", "[".repeat(50_000)),
            "{% if true %}".repeat(50_000),
        ] {
            ends(world, template(&source, json!({})), patient(), &["script_syntax", "script_error", "script_crashed"]).await;
        }
    }
}
