//! TypeScript: the contract of JavaScript, with types, and the author's lines.

use crate::common::{MIB, World, hasty, patient};
use jalm_isolates::{Language, Limits, Program, Script, ScriptError};
use serde_json::{Map, Value, json};

fn ts_with(source: &str, variables: Value) -> Program {
    let variables = variables.as_object().unwrap().clone();
    let (language, source) = (Language::TypeScript, source.to_owned());
    Program::Script(Script { language, runtime: None, source, variables })
}

fn ts(source: &str) -> Program {
    ts_with(source, Value::Object(Map::new()))
}

async fn good(world: &World, source: &str) -> Value {
    let result = world.run(ts(source), patient()).await.unwrap().result;
    result.unwrap_or_else(|error| panic!("{source}\n{error:#?}"))
}

async fn wrong(world: &World, source: &str) -> ScriptError {
    world.run(ts(source), patient()).await.unwrap().result.expect_err(source)
}

async fn ends(world: &World, source: &str, limits: Limits, codes: &[&str]) {
    let verdict = world.run(ts(source), limits).await.unwrap();
    let shown: String = source.chars().take(60).collect();
    let code = verdict.result.map_err(|error| error.code).expect_err(&shown);
    assert!(codes.contains(&code.as_ref()), "{shown}: {code}");
    assert!(verdict.memory_used < limits.memory + 96 * MIB, "{shown}: {}", verdict.memory_used);
    world.still_works().await;
}

at_each_strength! {
    async fn a_script_is_a_function_body(world: &World) {
        assert_eq!(good(world, "const a: number = 20; return a * 2 + 2").await, 42);
        assert_eq!(good(world, "return await Promise.all<number>([1, Promise.resolve(2)])").await, json!([1, 2]));
        assert_eq!(good(world, "").await, Value::Null);
        assert_eq!(good(world, "console.log(JSON.stringify({ a: [1] } as const))").await, json!({ "a": [1] }));
        assert_eq!(good(world, "return 1 // a last comment").await, 1);
        let source = "interface Row { q: number }\nreturn (rows as Row[]).reduce((sum, row) => sum + row.q, 0)";
        let program = ts_with(source, json!({ "rows": [{ "q": 1 }, { "q": 2 }] }));
        assert_eq!(world.run(program, patient()).await.unwrap().result.unwrap(), 3);
    }

    async fn main_takes_its_parameters_by_name(world: &World) {
        for (main, wanted) in [
            ("function main(b: number, a?: number): number[] { return [a!, b] }", json!([1, 2])),
            ("async function main<T>(a: T, missing: string = 'default') { return [await a, missing] }", json!([1, "default"])),
            ("const main = (a: number): number => a", json!(1)),
            ("const main = async ({ a, b }: { a: number; b: number }) => [a, b]", json!([1, 2])),
        ] {
            let program = ts_with(main, json!({ "a": 1, "b": 2 }));
            let result = world.run(program, patient()).await.unwrap().result;
            assert_eq!(result.unwrap_or_else(|error| panic!("{main} {error:?}")), wanted, "{main}");
        }
    }

    async fn what_types_alone_do_not_cover_works(world: &World) {
        for (source, wanted) in [
            ("enum Colour { Red, Green = 5, Blue } return [Colour.Blue, Colour[0], Colour.Green]", json!([6, "Red", 5])),
            ("enum Word { A = 'a', B = `${'b'}b` } return Object.values(Word)", json!(["a", "bb"])),
            ("const enum Flag { One = 1 << 0, Two = 1 << 1, Both = One | Two } return Flag.Both", json!(3)),
            ("namespace Shapes { export const sides = 4; export function area(a: number) { return a * sides } } return Shapes.area(2)", json!(8)),
            ("namespace A.B { export class C { d = 1 } } return new A.B.C().d", json!(1)),
            ("class P { constructor(public x: number, private readonly y = 2) {} sum() { return this.x + this.y } } const p = new P(1); return [p.sum(), Object.keys(p)]", json!([3, ["x", "y"]])),
            ("class A { x = 1 } class B extends A { declare x: number; constructor(readonly y: number) { super() } } return new B(3)", json!({ "x": 1, "y": 3 })),
            ("abstract class S { abstract n(): number; twice() { return this.n() * 2 } } class T extends S { override n() { return 4 } } return new T().twice()", json!(8)),
            ("function f(a: string): string; function f(a: number): number; function f(a: any) { return a } return [f(1), f('x')]", json!([1, "x"])),
            ("function isText(a: unknown): a is string { return typeof a === 'string' } return [isText('x'), isText(1)]", json!([true, false])),
            ("const o = { a: { b: null as { c: number } | null } } satisfies object; return o.a.b?.c ?? <number>7", json!(7)),
            ("let a: number | undefined; a ??= 3; return a!", json!(3)),
            ("type T = { [K in 'a' | 'b']?: K extends 'a' ? string : never }; const t: T = { a: 'x' }; return t", json!({ "a": "x" })),
            ("import type { A } from './a'; import { B } from 'b'; const a: A | B = 1; return a", json!(1)),
            ("export type A = string; export interface B { c: A } const b: B = { c: 'd' }; return b", json!({ "c": "d" })),
            ("using a = { [Symbol.dispose || 'x']() {} }; return 1", json!(1)),
        ] {
            if source.starts_with("using") {
                // The interpreter has it or has not; a clear end is all that is asked for.
                let _ = world.run(ts(source), patient()).await.unwrap();
                continue;
            }
            assert_eq!(good(world, source).await, wanted, "{source}");
        }
    }

    async fn scripts_are_strict_as_modules_are(world: &World) {
        assert_eq!(good(world, "return (function (this: unknown) { return this === undefined })()").await, json!(true));
        assert_eq!(wrong(world, "(globalThis as any).x; y = 1; var z; return y").await.code, "script_error");
    }

    async fn errors_name_the_authors_line(world: &World) {
        for (source, line, message) in [
            ("interface A {\n  b: string\n}\ntype C = A\n\nthrow new Error('here')", 6, "Error: here"),
            ("const o: { x?: { y: number } } = {}\n\n\nreturn (\n  o.x!.y\n)", 5, "TypeError: cannot read property 'y' of undefined"),
            ("enum Colour {\n  Red,\n  Green,\n}\nnull!.x", 5, "TypeError: cannot read property 'x' of null"),
            ("// one\n/* two\n three */\nfunction main(\n  a?: number,\n): number {\n  return missing\n}", 7, "ReferenceError: missing is not defined"),
            ("type A = {\n  b: 1\n}\nclass C {\n  private d?: A\n\n  e(): never {\n    throw new RangeError('far')\n  }\n}\nnew C().e()", 8, "RangeError: far"),
            ("const rows: number[] = [1]\nreturn rows\n  .map((row: number) => row + 1)\n  .map((row: number) => {\n    throw new Error(`row ${row}`)\n  })", 5, "Error: row 2"),
        ] {
            let error = wrong(world, source).await;
            assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(line)), "{source}\n{error:#?}");
            assert_eq!(error.message, message);
        }
    }

    async fn tracebacks_show_the_authors_lines(world: &World) {
        let source = "type N =\n  number\nfunction inner(a: N) {\n  throw new Error('deep')\n}\n\nfunction outer(): void {\n  inner(1 as N)\n}\nouter()";
        let traceback = wrong(world, source).await.traceback.unwrap();
        let lines: Vec<&str> = traceback.lines().collect();
        assert_eq!(lines.len(), 3, "{traceback}");
        assert!(lines[0].starts_with("at inner (script:4:"), "{traceback}");
        assert!(lines[1].starts_with("at outer (script:8:"), "{traceback}");
        assert!(lines[2].contains("script:10:"), "{traceback}");
    }

    async fn what_cannot_be_read_names_its_place(world: &World) {
        for (source, line, column) in [
            ("interface A {\n  b: string\n}\nlet c: = 1", 4, Some(8)),
            ("type A = 1\n\nconst a = 1\nconst a = 2", 3, Some(7)),
            ("return (", 1, Some(9)),
            ("type A = 1\nimport fs from 'fs'\nreturn fs", 2, Some(1)),
            ("\nfor (const a of [1]) { break nowhere }", 2, Some(30)),
            // Seen by the interpreter only.
            ("interface A { b: 1 }\n\nconst rows = 1\nreturn rows", 3, None),
        ] {
            let program = ts_with(source, json!({ "rows": [] }));
            let error = world.run(program, patient()).await.unwrap().result.expect_err(source);
            assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(line)), "{source}\n{error:#?}");
            assert!(column.is_none() || error.column == column, "{source}\n{error:#?}");
            assert!(error.message.starts_with("SyntaxError: "), "{error:?}");
        }
    }

    async fn names_that_cannot_be_names_are_refused(world: &World) {
        for name in ["a b", "class", "static", "await"] {
            let program = ts_with("return 1", json!({ name: 1 }));
            let error = world.run(program, patient()).await.unwrap().result.expect_err(name);
            assert_eq!(error.message, format!("`{name}` cannot be the name of a variable"));
        }
    }

    /// Taking types away recurses, and has no stack of its own that could be measured.
    async fn deeply_nested_source_is_refused(world: &World) {
        let codes = ["script_syntax", "script_crashed", "script_memory", "script_error"];
        for source in [
            "[".repeat(20_000),
            "[".repeat(200_000),
            format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
            format!("return {}1", "!".repeat(1_000_000)),
            format!("{}{}", "{".repeat(100_000), "}".repeat(100_000)),
            format!("return {}", "`${".repeat(50_000)),
            format!("type A = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
            format!("let a: {}1{}", "Array<".repeat(100_000), ">".repeat(100_000)),
            format!("type A = {}never", "1 extends 1 ? 1 : ".repeat(100_000)),
            format!("return {}1", "() => ".repeat(100_000)),
            format!("return {}1", "<A>".repeat(100_000)),
            format!("return 1{}", " as 1".repeat(200_000)),
            format!("return 1{}", " + 1".repeat(200_000)),
            format!("namespace {}a {{ export const b = 1 }}; throw 1", "a.".repeat(20_000)),
        ] {
            ends(world, &source, patient(), &codes).await;
        }
    }

    /// What takes the parser long, or much memory, ends by the limits.
    async fn huge_sources_end_within_their_limits(world: &World) {
        let codes = ["script_memory", "script_timeout", "script_crashed", "script_error", "script_syntax"];
        for source in [
            format!("const a = [{}]; throw a", "1,".repeat(2_000_000)),
            format!("{} throw 1", "const enum A { B } ".repeat(100_000)),
            format!("enum A {{ {} }} throw 1", (0..100_000).map(|n| format!("a{n} = a{} | 1", n.max(1) - 1)).collect::<Vec<_>>().join(",")),
            format!("type A = {}1; throw 1", "'a' | ".repeat(1_000_000)),
            // Begins again at each of them: is it an arrow function, or a comparison?
            format!("return {}", "(a<b>(".repeat(3_000)),
            format!("return {}", "async (x = ".repeat(3_000)),
        ] {
            ends(world, &source, Limits { wall: hasty().wall * 10, ..patient() }, &codes).await;
        }
    }

    async fn bombs_are_ended_as_in_javascript(world: &World) {
        ends(world, "for (;;) {}", hasty(), &["script_timeout"]).await;
        ends(world, "const a: string[] = []; for (;;) a.push('x'.repeat(100000) + a.length)", patient(), &["script_memory"]).await;
        ends(world, "for (;;) console.log('again' as string)", patient(), &["script_output"]).await;
    }
}
