//! From a child's answer, or its silence, to a verdict.

use crate::api::{Limits, Refused, ScriptError, Verdict};
use crate::wire::{Ended, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// The exit code of a child that could not lock itself in; nothing was run.
pub(crate) const NOT_LOCKED_IN: i32 = 3;

/// The answer, if the child wrote one to its end.
pub(super) fn read_answer(bytes: &[u8]) -> Option<Outcome> {
    serde_json::from_slice(bytes).ok()
}

/// Puts together what is known of a run. `too_large`: the answer was cut off.
pub(crate) fn of(
    answer: Option<Outcome>,
    ended: Option<Ended>,
    too_large: bool,
    limits: &Limits,
    duration: Duration,
    isolation: Arc<str>,
) -> Result<Verdict, Refused> {
    let (outcome, memory_used) = match (answer, ended) {
        (Some(outcome), ended) => {
            let memory = ended.map_or(outcome.memory, |ended| ended.memory);
            (within(outcome, limits), memory)
        }
        (None, Some(ended)) if ended.code == Some(NOT_LOCKED_IN) => {
            let why = "a script's process could not be locked in".to_owned();
            return Err(Refused::Unavailable { why });
        }
        (None, Some(ended)) if ended.never_started => {
            let why = "no process for the script could be started".to_owned();
            return Err(Refused::Unavailable { why });
        }
        (None, Some(ended)) => {
            let error =
                if too_large { ScriptError::too_much(limits.output) } else { died(&ended, limits) };
            (silent(error), ended.memory)
        }
        (None, None) => {
            return Err(Refused::Unavailable { why: "the worker went away".to_owned() });
        }
    };
    let Outcome { result, stdout, stderr, memory: _ } = outcome;
    let result = result.map_err(|error| error.or_disk(limits.disk));
    Ok(Verdict { result, stdout, stderr, duration, memory_used, isolation })
}

fn silent(error: ScriptError) -> Outcome {
    Outcome { result: Err(error), stdout: String::new(), stderr: String::new(), memory: 0 }
}

/// Results above the limit are refused also when the whole answer could be read.
fn within(outcome: Outcome, limits: &Limits) -> Outcome {
    let most = usize::try_from(limits.output).unwrap_or(usize::MAX);
    let printed = outcome.stdout.len() + outcome.stderr.len();
    let result = outcome.result.as_ref().map_or(0, |value| value.to_string().len());
    if printed > most || result > most {
        let result = Err(ScriptError::too_much(limits.output));
        let (stdout, stderr) = (head(outcome.stdout), head(outcome.stderr));
        return Outcome { result, stdout, stderr, ..outcome };
    }
    outcome
}

/// Of a script that printed too much, so much is kept to look at.
const HEAD: usize = 16 * 1024;

/// The beginning of a text.
pub(crate) fn head(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(HEAD));
    text
}

/// Why a child ended without an answer.
fn died(ended: &Ended, limits: &Limits) -> ScriptError {
    if ended.overstayed || ended.signal == Some(libc::SIGXCPU) {
        return ScriptError::too_late();
    }
    if ended.signal == Some(libc::SIGXFSZ) {
        return ScriptError::new("script_error", "File too large").or_disk(limits.disk);
    }
    // Code that cannot get memory aborts, or ends itself by a trap (V8 of late); code that
    // overflows its stack gets a SEGV.
    let gave_up = matches!(ended.signal, Some(libc::SIGABRT | libc::SIGTRAP));
    let out_of_memory = gave_up || ended.memory >= limits.memory;
    if out_of_memory {
        return ScriptError::out_of_memory();
    }
    let how = match (ended.signal, ended.code) {
        (Some(libc::SIGSEGV), _) => {
            "it recursed too deeply, or its interpreter is broken".to_owned()
        }
        (Some(libc::SIGXFSZ), _) => "it wrote a larger file than it may".to_owned(),
        (Some(signal), _) => format!("its process ended by signal {signal}"),
        (None, code) => format!("its process ended with code {}", code.unwrap_or(0)),
    };
    ScriptError::new("script_crashed", format!("the script gave no answer: {how}"))
        .hint("nest less deeply; if it stays so, please report it with the script")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ended(signal: Option<i32>) -> Ended {
        Ended { id: 1, signal, code: None, never_started: false, overstayed: false, memory: 1 }
    }

    fn verdict(answer: Option<Outcome>, ended: Option<Ended>) -> Result<Verdict, Refused> {
        let limits = Limits { output: 10, ..Limits::default() };
        of(answer, ended, false, &limits, Duration::ZERO, "test".into())
    }

    #[test]
    fn a_silent_death_is_explained_by_how_it_came() {
        let code =
            |ended| verdict(None, Some(ended)).unwrap().result.unwrap_err().code.into_owned();
        assert_eq!(code(Ended { overstayed: true, ..ended(Some(9)) }), "script_timeout");
        assert_eq!(code(ended(Some(libc::SIGXCPU))), "script_timeout");
        assert_eq!(code(ended(Some(libc::SIGABRT))), "script_memory");
        assert_eq!(code(ended(Some(libc::SIGSEGV))), "script_crashed");
        assert_eq!(code(Ended { code: Some(4), ..ended(None) }), "script_crashed");
    }

    #[test]
    fn what_was_never_run_is_no_fault_of_the_script() {
        assert!(verdict(None, Some(Ended { code: Some(NOT_LOCKED_IN), ..ended(None) })).is_err());
        assert!(verdict(None, Some(Ended { never_started: true, ..ended(None) })).is_err());
        assert!(verdict(None, None).is_err());
    }

    #[test]
    fn a_result_above_the_limit_is_refused() {
        let answer = |text: &str| Outcome {
            result: Ok(json!(text)),
            stdout: String::new(),
            stderr: String::new(),
            memory: 7,
        };
        let good = verdict(Some(answer("12345678")), None).unwrap();
        assert_eq!((good.result.is_ok(), good.memory_used), (true, 7));
        let error = verdict(Some(answer("123456789")), None).unwrap().result.unwrap_err();
        assert_eq!(error.code, "script_output");
    }
}
