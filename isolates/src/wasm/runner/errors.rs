//! What became of a call, in words for its author.

use crate::api::ScriptError;
use serde_json::Value;
use std::fmt::Write;
use wasmtime::{FrameInfo, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Frames that are shown.
const FRAMES: usize = 30;

/// The result of a call that ended with an error of wasmtime. `refused`: it was denied memory.
pub(super) fn of(error: &wasmtime::Error, refused: bool) -> Result<Option<Value>, ScriptError> {
    let exit = error.downcast_ref::<I32Exit>().map(|exit| exit.0);
    let trap = error.downcast_ref::<Trap>().copied();
    match (exit, trap) {
        // Leaving with zero is ending well, and what was printed is the result.
        (Some(0), _) => return Ok(None),
        (_, Some(Trap::Interrupt)) => return Err(ScriptError::too_late()),
        // Programs that are denied memory end in many ways.
        _ if refused || no_memory(error) => return Err(ScriptError::out_of_memory()),
        (Some(code), _) => {
            return Err(ScriptError::new("script_error", format!("the script exited with {code}"))
                .hint("`detail.stderr` holds what it printed as errors"));
        }
        (None, _) => {}
    }
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let place = frames.iter().flat_map(FrameInfo::symbols).find(|symbol| symbol.line().is_some());
    let message = match trap {
        Some(trap) => format!("trap: {trap}"),
        None => error.root_cause().to_string(),
    };
    let hint = match trap {
        Some(Trap::StackOverflow) => Some("it calls itself too deeply; nest less"),
        Some(Trap::UnreachableCodeReached) => {
            Some("most languages end so after a panic or an abort; what they say stands in stderr")
        }
        _ => None,
    };
    Err(ScriptError {
        line: place.and_then(wasmtime::FrameSymbol::line),
        column: place.and_then(wasmtime::FrameSymbol::column),
        traceback: traceback(frames),
        hint: hint.map(str::to_owned),
        ..ScriptError::new("script_error", message)
    })
}

/// The same of a script in Python: the places are the interpreter's, and say nothing to its author.
pub(super) fn of_interpreter(error: ScriptError) -> ScriptError {
    if error.code != "script_error" {
        return error;
    }
    ScriptError {
        line: None,
        column: None,
        traceback: None,
        ..ScriptError::new("script_error", format!("the interpreter ended: {}", error.message))
            .hint("nest less deeply; scripts on `runtime: wasi` do not end their process")
    }
}

/// The OS itself has none, or does not give it.
fn no_memory(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.raw_os_error() == Some(libc::ENOMEM))
}

/// `at name (file:line)`, the innermost first.
fn traceback(frames: &[FrameInfo]) -> Option<String> {
    let mut text = String::new();
    for frame in frames.iter().take(FRAMES) {
        let name = frame
            .func_name()
            .map_or_else(|| format!("function {}", frame.func_index()), str::to_owned);
        let place =
            frame.symbols().iter().find_map(|symbol| Some((symbol.file()?, symbol.line()?)));
        // Writing to a String cannot fail.
        let _ = match place {
            Some((file, line)) => {
                writeln!(text, "at {name} ({}:{line})", file.strip_prefix("./").unwrap_or(file))
            }
            None => writeln!(text, "at {name}"),
        };
    }
    if frames.len() > FRAMES {
        let _ = writeln!(text, "… {} more", frames.len() - FRAMES);
    }
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn failed() -> ScriptError {
    ScriptError::new("script_error", "the script says that it failed")
        .hint("`detail.stderr` holds what it printed as errors")
}

pub(super) fn no_entry() -> ScriptError {
    ScriptError::new("script_error", "the module exports neither `_start` nor `main`")
        .hint("build a WASI command (`wasm32-wasip1`), or export a function `main`")
}
