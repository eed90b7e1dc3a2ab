//! JavaScript, by QuickJS-ng: a fresh runtime for one script.

mod errors;
mod ready;

use super::typescript::Places;
use super::{Bounds, from_print, result_of};
use crate::api::ScriptError;
use crate::sandbox;
use crate::wire::Outcome;
use errors::{Phase, explain};
pub(super) use ready::Ready;
use rquickjs::context::EvalOptions;
use rquickjs::{Ctx, Function, Object, Promise, Value as Js};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

/// Stack of the script, in bytes; deeper recursion is an error of the script.
const STACK: usize = 1024 * 1024;

/// The name of the script in stack traces.
const FILE: &str = "script";

/// Defined before the script: printing, and taking `main`'s parameters by name.
const PRELUDE: &str = include_str!("javascript/prelude.js");

/// Of a script that printed too much, so much is kept to look at.
const HEAD: usize = 16 * 1024;

/// What the interpreter is to read.
pub(super) struct Code<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) strict: bool,
    /// How to find the author's lines, if the text is not the author's.
    pub(super) places: Option<Places>,
}

impl<'a> From<&'a str> for Code<'a> {
    fn from(source: &'a str) -> Self {
        Self { text: source.into(), strict: false, places: None }
    }
}

impl Code<'_> {
    /// For a runtime elsewhere.
    pub(super) fn to_value(&self) -> Value {
        let places = self.places.as_ref().map(Places::list);
        serde_json::json!({ "text": self.text, "strict": self.strict, "places": places })
    }

    /// The first statement of the function that the script becomes.
    fn directive(&self) -> &'static str {
        if self.strict { "'use strict';" } else { "" }
    }
}

#[derive(Default)]
struct Printed {
    out: RefCell<String>,
    err: RefCell<String>,
    /// It was more than it may be.
    overflown: Cell<bool>,
}

/// Runs a script that leaves nothing behind.
pub(super) fn warm_up(ready: &Ready) {
    ready.context.with(|js| {
        let ran = eval::<Function<'_>>(&js, "(async function (n) { return { n: n + 1 }; })", FILE)
            .and_then(|function| function.call::<_, Promise<'_>>((1,)))
            .and_then(|promise| promise.finish::<Js<'_>>())
            .and_then(|result| js.json_stringify(result));
        debug_assert!(ran.is_ok(), "our own script is in order");
    });
}

pub(super) fn run(
    ready: &Ready,
    code: &Code<'_>,
    variables: &Map<String, Value>,
    bounds: &Bounds,
) -> Outcome {
    let printed = Rc::new(Printed::default());
    let result = evaluate(ready, code, variables, bounds, &printed);
    let overflown = printed.overflown.get();
    let (mut stdout, mut stderr) = (printed.out.take(), printed.err.take());
    let result = if overflown {
        stdout.truncate(stdout.floor_char_boundary(HEAD));
        stderr.truncate(stderr.floor_char_boundary(HEAD));
        Err(ScriptError::too_much(bounds.output))
    } else {
        result.map(|value| value.unwrap_or_else(|| from_print(&stdout, bounds)))
    };
    Outcome { result, stdout, stderr, memory: 0 }
}

/// None if the script returned nothing.
fn evaluate(
    ready: &Ready,
    code: &Code<'_>,
    variables: &Map<String, Value>,
    bounds: &Bounds,
    printed: &Rc<Printed>,
) -> Result<Option<Value>, ScriptError> {
    errors::check_names(variables)?;
    let Ready { runtime, context, .. } = ready;
    runtime.set_memory_limit(usize::try_from(bounds.memory).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK);
    let (deadline, watched) = (bounds.deadline, printed.clone());
    if !sandbox::off("interrupt") {
        runtime.set_interrupt_handler(Some(Box::new(move || {
            watched.overflown.get() || Instant::now() >= deadline
        })));
    }
    let result = context.with(|js| {
        let phase = Cell::new(Phase::Preparing);
        let result = call(&js, ready, code, variables, (bounds, printed), &phase);
        result.map_err(|error| explain(&js, &error, phase.get(), code, variables, bounds))
    })?;
    result.map(|text| result_of(&text, bounds)).transpose()
}

/// The result as JSON text.
fn call<'js>(
    js: &Ctx<'js>,
    ready: &Ready,
    code: &Code<'_>,
    variables: &Map<String, Value>,
    (bounds, printed): (&Bounds, &Rc<Printed>),
    phase: &Cell<Phase>,
) -> rquickjs::Result<Option<String>> {
    let (sink, most) = (printed.clone(), usize::try_from(bounds.output).unwrap_or(usize::MAX));
    let print = Function::new(js.clone(), move |js: Ctx<'js>, stream: i32, text: String| {
        let so_far = sink.out.borrow().len() + sink.err.borrow().len();
        if so_far + text.len() >= most {
            sink.overflown.set(true);
            return Err(rquickjs::Exception::throw_range(&js, "printed too much"));
        }
        let buffer = if stream == 0 { &sink.out } else { &sink.err };
        let mut buffer = buffer.borrow_mut();
        buffer.push_str(&text);
        buffer.push('\n');
        Ok(())
    })?;
    ready::set_chance(js)?;
    let call_main: Function<'js> = ready.prelude(js)?.call((print,))?;
    let names: Vec<&str> = variables.keys().map(String::as_str).collect();
    // What is put before the script stands on a line of its own: `errors` counts without it.
    let body = format!(
        "(async function (__jalm_main, __jalm_variables, {}) {{{}\n{}\n;if (typeof main === 'function') return __jalm_main(main, __jalm_variables); }})",
        names.join(", "),
        code.directive(),
        code.text
    );
    phase.set(Phase::Reading);
    let function: Function<'js> = eval(js, &body, FILE)?;
    phase.set(Phase::Running);
    let all: Object<'js> = js
        .json_parse(serde_json::to_string(variables).map_err(|_| rquickjs::Error::Unknown)?)?
        .get()?;
    let mut arguments = rquickjs::function::Args::new_unsized(js.clone());
    arguments.push_arg(call_main)?;
    arguments.push_arg(all.clone())?;
    for name in names {
        arguments.push_arg(all.get::<_, Js<'js>>(name)?)?;
    }
    let promise: Promise<'js> = function.call_arg(arguments)?;
    let result: Js<'js> = promise.finish()?;
    if result.is_undefined() {
        return Ok(None);
    }
    if result.is_function() || result.is_symbol() {
        let kind = if result.is_function() { "a function" } else { "a symbol" };
        let message = format!("the script returned {kind}, which is no JSON");
        return Err(rquickjs::Exception::throw_type(js, &message));
    }
    js.json_stringify(result)?.map(|text| text.to_string()).transpose()
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
