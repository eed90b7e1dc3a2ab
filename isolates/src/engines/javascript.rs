//! JavaScript, by QuickJS-ng: a fresh runtime for one script.

use super::{Bounds, MAX_PRINTED};
use crate::api::ScriptError;
use crate::wire::Outcome;
use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Function, Promise, Runtime, Value as Js};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// Stack of the script, in bytes; deeper recursion is an error of the script.
const STACK: usize = 1024 * 1024;

/// The name of the script in stack traces.
const FILE: &str = "script";

/// Defined before the script: printing, and taking `main`'s parameters by name.
const PRELUDE: &str = r"(function (print) {
  const show = (value) => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return String(value.stack ? value + '\n' + value.stack : value);
    try { const text = JSON.stringify(value); return text === undefined ? String(value) : text; }
    catch { return String(value); }
  };
  const line = (stream) => (...values) => print(stream, values.map(show).join(' '));
  const out = line(0), err = line(1);
  globalThis.console = { log: out, info: out, debug: out, warn: err, error: err, trace: err };
  globalThis.print = out;
  return (main, variables) => {
    const text = Function.prototype.toString.call(main);
    const inside = /^(?:async\s*)?(?:function\s*\*?\s*[\w$]*\s*)?\(([^)]*)\)|^(?:async\s+)?([\w$]+)\s*=>/.exec(text);
    const list = inside ? (inside[1] ?? inside[2]) : '';
    const names = list.split(',').map((part) => part.split('=')[0].trim()).filter((name) => name);
    return main(...names.map((name) => variables[name]));
  };
})";

#[derive(Default)]
struct Printed {
    out: String,
    err: String,
}

pub(super) fn run(source: &str, variables: &Map<String, Value>, bounds: &Bounds) -> Outcome {
    let printed = Rc::new(RefCell::new(Printed::default()));
    let result = evaluate(source, variables, bounds, &printed);
    let printed = std::mem::take(&mut *printed.borrow_mut());
    let result = result.map(|value| value.unwrap_or_else(|| from_print(&printed.out)));
    Outcome { result, stdout: printed.out, stderr: printed.err, memory: 0 }
}

/// A script that returns nothing gives what it printed: JSON if it is JSON, else the text.
fn from_print(text: &str) -> Value {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// None if the script returned nothing.
fn evaluate(
    source: &str,
    variables: &Map<String, Value>,
    bounds: &Bounds,
    printed: &Rc<RefCell<Printed>>,
) -> Result<Option<Value>, ScriptError> {
    check_names(variables)?;
    let bug = |error: rquickjs::Error| {
        ScriptError::new("script_crashed", format!("the interpreter failed: {error}"))
    };
    let runtime = Runtime::new().map_err(bug)?;
    runtime.set_memory_limit(usize::try_from(bounds.memory).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK);
    let deadline = bounds.deadline;
    runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() >= deadline)));
    let context = Context::full(&runtime).map_err(bug)?;
    context.with(|js| {
        let result = call(&js, source, variables, printed);
        result.map_err(|error| explain(&js, &error, bounds))
    })
}

fn call<'js>(
    js: &Ctx<'js>,
    source: &str,
    variables: &Map<String, Value>,
    printed: &Rc<RefCell<Printed>>,
) -> rquickjs::Result<Option<Value>> {
    let sink = printed.clone();
    let print = Function::new(js.clone(), move |stream: i32, text: String| {
        let mut printed = sink.borrow_mut();
        let buffer = if stream == 0 { &mut printed.out } else { &mut printed.err };
        if buffer.len() + text.len() < MAX_PRINTED {
            buffer.push_str(&text);
            buffer.push('\n');
        }
    })?;
    let prelude: Function<'js> = eval(js, PRELUDE, "prelude")?;
    let call_main: Function<'js> = prelude.call((print,))?;
    let names: Vec<&str> = variables.keys().map(String::as_str).collect();
    // Everything before the script stands on its first line, so that lines stay the author's.
    let body = format!(
        "(async function (__main, __variables, {}) {{ {source}\n; if (typeof main === 'function') return __main(main, __variables); }})",
        names.join(", ")
    );
    let function: Function<'js> = eval(js, &body, FILE)?;
    let all = js.json_parse(Value::Object(variables.clone()).to_string())?;
    let mut arguments = rquickjs::function::Args::new_unsized(js.clone());
    arguments.push_arg(call_main)?;
    arguments.push_arg(all)?;
    for value in variables.values() {
        arguments.push_arg(js.json_parse(value.to_string())?)?;
    }
    let promise: Promise<'js> = function.call_arg(arguments)?;
    let result: Js<'js> = promise.finish()?;
    if result.is_undefined() {
        return Ok(None);
    }
    if result.is_function() || result.is_symbol() {
        let kind = if result.is_function() { "a function" } else { "a symbol" };
        return Err(rquickjs::Exception::throw_type(
            js,
            &format!("the script returned {kind}, which is no JSON"),
        ));
    }
    match js.json_stringify(result)? {
        Some(text) => {
            let text = text.to_string()?;
            serde_json::from_str(&text).map(Some).map_err(|error| {
                rquickjs::Exception::throw_type(js, &format!("the result is no JSON: {error}"))
            })
        }
        None => Ok(None),
    }
}

fn eval<'js, V: rquickjs::FromJs<'js>>(
    js: &Ctx<'js>,
    source: &str,
    file: &str,
) -> rquickjs::Result<V> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(file.to_owned());
    js.eval_with_options(source, options)
}

fn check_names(variables: &Map<String, Value>) -> Result<(), ScriptError> {
    let good = |name: &str| {
        let mut bytes = name.bytes();
        bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first == b'$')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
    };
    match variables.keys().find(|name| !good(name)) {
        None => Ok(()),
        Some(name) => Err(ScriptError::new(
            "script_error",
            format!("`{name}` cannot be the name of a variable"),
        )
        .hint("use letters, digits, `_` and `$`, not starting with a digit")),
    }
}

fn explain(js: &Ctx<'_>, error: &rquickjs::Error, bounds: &Bounds) -> ScriptError {
    if Instant::now() >= bounds.deadline {
        return ScriptError::new("script_timeout", "the script was not done in time")
            .hint("let it do less, or raise the step's `timeout`");
    }
    if matches!(error, rquickjs::Error::WouldBlock) {
        return ScriptError::new(
            "script_error",
            "the script waits for something that never happens",
        )
        .hint("a promise is never settled; there are no timers and no network here");
    }
    if !error.is_exception() {
        return ScriptError::new("script_error", format!("the script failed: {error}"));
    }
    let thrown = js.catch();
    let Some(exception) = thrown.as_exception() else {
        let text = js.json_stringify(thrown).ok().flatten().and_then(|text| text.to_string().ok());
        return ScriptError::new(
            "script_error",
            format!("the script threw {}", text.unwrap_or_else(|| "a value".to_owned())),
        )
        .hint("throw an Error to say more");
    };
    let name = exception.get::<_, String>("name").unwrap_or_else(|_| "Error".to_owned());
    let message = exception.message().unwrap_or_default();
    let stack = exception.stack().unwrap_or_default();
    if name == "InternalError" && message.contains("out of memory") {
        return ScriptError::new("script_memory", "the script needs more memory than it may have")
            .hint("work on less data at once, or raise the step's `memory`");
    }
    let (line, column) = place(&stack);
    let own: Vec<&str> = stack
        .lines()
        .filter(|line| line.contains(FILE) && !line.contains("__main"))
        .take(10)
        .collect();
    ScriptError {
        line,
        column,
        traceback: (!own.is_empty()).then(|| own.join("\n")),
        ..ScriptError::new(
            if name == "SyntaxError" && own.len() <= 1 { "script_syntax" } else { "script_error" },
            format!("{name}: {message}"),
        )
    }
}

/// The first place in the script that a stack names: `at f (script:3:5)`.
fn place(stack: &str) -> (Option<u32>, Option<u32>) {
    let marker = format!("{FILE}:");
    let Some((_, rest)) = stack.split_once(&marker) else { return (None, None) };
    let mut numbers =
        rest.split(|c: char| !c.is_ascii_digit()).map(|text| text.parse::<u32>().ok());
    (numbers.next().flatten(), numbers.next().flatten())
}
