//! `compute_script`: foreign code, in an isolate.
//!
//! The code runs in another process, in a sandbox, with nothing but its variables. It answers with
//! what it returns.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::Cx;
use crate::input::{ByteSize, TimeSpan, bad};
use crate::script::{self, Bounds};
use jalm_isolates::{Language, Runtime, Script};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

mod dependencies;

/// Runs a script.
pub(crate) struct ComputeScript;

/// The script, and what it knows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The code: the body of a function, whose `return` gives the result; or a script that defines
    /// `main`, whose parameters are filled from the variables; or one that prints its result.
    /// For `wasm`: a module or component, as WAT text or as base64. A WASI command reads the
    /// variables as JSON from its standard input and prints its result; a plain module exports
    /// `main`, which takes and gives numbers: by the names of its parameters, if it has them all,
    /// else in the order of the variables. For `rust` and `go`: a program whose `main` reads the variables as JSON from standard input and
    /// prints its result; or Rust's `fn run(…)`, whose parameters are filled by name, Go's
    /// `func run(vars map[string]any) (any, error)`; or a body, which finds the variables in `vars`.
    script: String,
    /// The language: `javascript` (`js`), `typescript` (`ts`), `python` (`py`), `wasm`, `rust`
    /// (`rs`) or `go`.
    #[serde(default = "javascript")]
    language: String,
    /// What runs it, if not the usual: `quickjs` (the usual), `node`, `deno` or `bun` for
    /// JavaScript and TypeScript, `native` (the usual) or `wasi` for Python, `native` for Rust and
    /// Go, `wasmtime` for WebAssembly.
    runtime: Option<String>,
    /// Values that the code finds as variables of these names.
    #[serde(default)]
    variables: Map<String, Value>,
    /// Packages that the script needs, of its language's registry: a list of requirements for
    /// Python (`["six>=1.16"]`), a map of names to versions for `runtime: node` and Rust
    /// (`{is-number: ^7.0.0}`, `{serde: {version: "1", features: [derive]}}`). The script itself may name them instead, in a block of comments:
    /// for Python that of PEP 723 (`# /// script`), for the others the same behind `//`. They are
    /// pinned at the first attempt and installed before the script runs; the step's `timeout`
    /// counts for that, too.
    dependencies: Option<Value>,
    /// The longest it may run; the step's own `timeout` counts as well.
    timeout: Option<TimeSpan>,
    /// The most memory it may take. 128 MiB unless told otherwise.
    memory: Option<ByteSize>,
    /// The most threads that it may have at once, those of its runtime included; 256 unless told
    /// otherwise, at least 16. For Python, Node, Rust and Go; the others have one.
    processes: Option<u32>,
    /// How much it may write into its own folder, `/tmp`; 64 MiB unless told otherwise. The same
    /// languages have one, with a sandbox of strength A.
    disk: Option<ByteSize>,
}

fn javascript() -> String {
    "javascript".to_owned()
}

/// What the script answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// What it returned; `null` when it returned nothing.
    result: Value,
    /// What it printed with `console.log`.
    stdout: String,
    /// What it printed with `console.error`.
    stderr: String,
    /// How long it ran, in seconds.
    execution_time: f64,
    /// The most memory it took, in bytes.
    memory_used: u64,
    /// The isolation that was in force.
    isolation: Arc<str>,
}

impl Atom for ComputeScript {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "compute_script",
        layer: Layer::ComputeScript,
        summary: "Runs a script in an isolate.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &["script"],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::Isolate,
        languages: &["javascript", "typescript", "python", "wasm", "rust", "go"],
    };

    /// What a script does with the network, nobody knows before.
    const ONLINE: Option<fn(&Value) -> Effect> = Some(|input| {
        let text = |key: &str| input.get(key).and_then(Value::as_str);
        let language = text("language").map_or(Some(Language::JavaScript), Language::from_name);
        let runtime = text("runtime").and_then(Runtime::from_name);
        match language {
            Some(language) if !script::has_sockets(language, runtime) => Effect::None,
            Some(_) | None => Effect::Write,
        }
    });

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("language", Some(name)) => language(name).map(drop),
            ("runtime", Some(name)) => runtime(name).map(drop),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Sum up rows",
                setup: vec![],
                input: json!({
                    "script": "return rows.reduce((sum, row) => sum + row.qty, 0)",
                    "variables": { "rows": [{ "qty": 3 }, { "qty": 4 }] },
                }),
                expect: json!({ "result": 7 }),
            },
            Example {
                title: "A WebAssembly module",
                setup: vec![],
                input: json!({
                    "language": "wasm",
                    "script": "(module (func (export \"main\") (param $price f64) (param $count f64) (result f64)\n  (f64.mul (local.get $price) (local.get $count))))\n",
                    "variables": { "count": 3, "price": 1.5 },
                }),
                expect: json!({ "result": 4.5 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input {
            script,
            language: name,
            runtime: asked,
            variables,
            dependencies,
            timeout,
            memory,
            processes,
            disk,
        } = input;
        let language = language(&name)?;
        let runtime = asked.as_deref().map(runtime).transpose()?;
        cx.access()?.language(language)?;
        let environment =
            dependencies::prepare(&cx, language, runtime, &script, dependencies.as_ref()).await?;
        let script = Script { language, runtime, source: script, variables };
        let bounds = Bounds { timeout, memory, processes, disk };
        let environment = environment.as_ref();
        let ran = script::run_script(&cx, Self::CARD.name, script, bounds, environment).await?;
        Ok(Output {
            result: ran.result,
            stdout: ran.stdout,
            stderr: ran.stderr,
            execution_time: ran.duration.as_secs_f64(),
            memory_used: ran.memory_used,
            isolation: ran.isolation,
        })
    }

    fn isolation(output: &Output) -> Option<Arc<str>> {
        Some(Arc::clone(&output.isolation))
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { result, stdout, stderr, execution_time, memory_used, isolation } = output;
        Ok(crate::atom::object([
            ("result", result),
            ("stdout", stdout.into()),
            ("stderr", stderr.into()),
            ("execution_time", execution_time.into()),
            ("memory_used", memory_used.into()),
            ("isolation", isolation.as_ref().into()),
        ]))
    }
}

fn language(name: &str) -> Result<Language, Failure> {
    if let Some(language) = Language::from_name(name) {
        return Ok(language);
    }
    let known = Language::ALL.iter().map(|(language, _)| format!("`{}`", language.name()));
    let known = known.collect::<Vec<_>>().join(" or ");
    Err(bad("compute_script", "language", format!("there is no language `{name}`"))
        .hint(format!("write {known}")))
}

fn runtime(name: &str) -> Result<Runtime, Failure> {
    Runtime::from_name(name).ok_or_else(|| {
        bad("compute_script", "runtime", format!("there is no runtime `{name}`"))
            .hint("leave it out for the usual one; `jalm isolates` lists them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "compute_script",
                &[
                    (json!({}), "`script`", "add `script`: "),
                    (
                        json!({ "script": "return 1", "language": "cobol" }),
                        "`cobol`",
                        "write `javascript`",
                    ),
                    (json!({ "script": "return 1", "memory": "lots" }), "`memory`", "`memory`: "),
                    (json!({ "script": "return 1", "memory": "1000GiB" }), "`memory`", "at most"),
                    (json!({ "script": "return 1", "disk": "1GiB" }), "`disk`", "script_disk"),
                    (json!({ "script": "return 1", "processes": 9999 }), "`processes`", "at most"),
                    (json!({ "script": "return 1", "processes": 1 }), "`processes`", "at least"),
                    (
                        json!({ "script": "return 1", "variables": [] }),
                        "`variables`",
                        "`variables`: ",
                    ),
                    (json!({ "scirpt": "return 1" }), "`scirpt`", "did you mean `script`?"),
                ],
            )
            .await;
    }

    #[test]
    fn a_language_is_known_by_its_names() {
        let check = |language: &str| ComputeScript::check_literal("language", &json!(language));
        for language in ["JavaScript", "ts", "py", "wasm", "Rust", "rs", "go", "golang"] {
            assert!(check(language).is_ok(), "{language}");
        }
        assert!(check("cobol").unwrap_err().hint.unwrap().contains("`rust` or `go`"));
    }
}
