//! Foreign code of steps: the one place that speaks to the isolates.

use crate::context::Cx;
use crate::egress::Egress;
use crate::input::{ByteSize, TimeSpan};
use jalm_isolates::{
    Environment, Job, Kind, Language, Limits, Program, Refused, Runtime, Script, ScriptError,
};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Memory of one script, unless its step says otherwise.
pub(crate) const MEMORY: ByteSize = ByteSize::mib(128);
/// No step may ask for more.
const MOST_MEMORY: ByteSize = ByteSize::mib(4096);
/// Result and printed text together; the journal takes no larger output either.
const OUTPUT: ByteSize = ByteSize::mib(16);

/// How much of what a failed script printed is kept.
const PRINTED: usize = 8192;

/// Bounds that a step may set.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Bounds {
    /// The longest it may run; the step's own `timeout` counts as well.
    pub(crate) timeout: Option<TimeSpan>,
    /// The most memory it may take. 128 MiB unless told otherwise.
    pub(crate) memory: Option<ByteSize>,
    /// Threads that it may have at once.
    pub(crate) processes: Option<u32>,
    /// Bytes of its own folder.
    pub(crate) disk: Option<ByteSize>,
}

/// No step may ask for more: the operator's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptLimits {
    /// Threads of one script at once.
    pub processes: u32,
    /// Bytes of its own folder, which lies in memory.
    pub disk: u64,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self { processes: jalm_isolates::USUAL_PROCESSES, disk: 4 * jalm_isolates::USUAL_DISK }
    }
}

/// Runtimes have threads of their own.
const LEAST_PROCESSES: u32 = 16;

impl ScriptLimits {
    fn processes(self, atom: &str, asked: Option<u32>) -> Result<u32, Failure> {
        let Self { processes: most, .. } = self;
        let asked = asked.unwrap_or(most.min(jalm_isolates::USUAL_PROCESSES));
        if asked > most {
            return Err(crate::input::bad(atom, "processes", format!("{asked} are too many"))
                .hint(format!(
                    "ask for at most {most}; the operator's `limits.script_processes` says so"
                )));
        }
        if asked < LEAST_PROCESSES {
            return Err(crate::input::bad(atom, "processes", format!("{asked} are too few"))
                .hint(format!("ask for at least {LEAST_PROCESSES}: threads of the language's runtime count as well")));
        }
        Ok(asked)
    }

    fn disk(self, atom: &str, asked: Option<ByteSize>) -> Result<u64, Failure> {
        let most = ByteSize(self.disk);
        let asked = asked.unwrap_or(ByteSize(most.0.min(jalm_isolates::USUAL_DISK)));
        if asked > most {
            return Err(crate::input::bad(atom, "disk", format!("{asked} is too much")).hint(
                format!("ask for at most {most}; the operator's `limits.script_disk` says so"),
            ));
        }
        // An empty folder takes a page.
        Ok(asked.0.max(4096))
    }
}

/// What came back from a program that ended well.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) result: Value,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) duration: Duration,
    pub(crate) memory_used: u64,
    pub(crate) isolation: Arc<str>,
}

/// Runs a program in an isolate. Dropping the future kills it.
pub(crate) async fn run(
    cx: &Cx,
    atom: &str,
    program: Program,
    bounds: Bounds,
) -> Result<Ran, Failure> {
    run_with(cx, atom, program, bounds, &With::default()).await
}

/// Runs an author's script, with packages that were prepared for it, and with the network if that
/// is granted.
pub(crate) async fn run_script(
    cx: &Cx,
    atom: &str,
    script: Script,
    bounds: Bounds,
    environment: Option<&Environment>,
) -> Result<Ran, Failure> {
    let mut with = With { environment, egress: None };
    if has_sockets(script.language, script.runtime) {
        let access = cx.access()?;
        if access.network()? {
            with.egress = Some(Egress::new(cx, access));
        }
    }
    run_with(cx, atom, Program::Script(script), bounds, &with).await
}

/// Whether what runs a script knows sockets at all.
pub(crate) fn has_sockets(language: Language, runtime: Option<Runtime>) -> bool {
    let mut engines = language.engines();
    let engine = match runtime {
        Some(runtime) => engines.find(|engine| engine.runtime == runtime),
        None => engines.next(),
    };
    engine.is_some_and(|engine| engine.kind == Kind::Process)
}

/// What a program finds besides its variables.
#[derive(Default)]
struct With<'a> {
    environment: Option<&'a Environment>,
    egress: Option<Arc<dyn jalm_isolates::Egress>>,
}

async fn run_with(
    cx: &Cx,
    atom: &str,
    program: Program,
    bounds: Bounds,
    With { environment, egress }: &With<'_>,
) -> Result<Ran, Failure> {
    let memory = bounds.memory.unwrap_or(MEMORY);
    if memory > MOST_MEMORY {
        return Err(crate::input::bad(atom, "memory", format!("{memory} is too much"))
            .hint(format!("ask for at most {MOST_MEMORY}")));
    }
    let wall = bounds.timeout.map_or(cx.timeout, |span| span.0.min(cx.timeout));
    let most = cx.shared.script_limits;
    let processes = most.processes(atom, bounds.processes)?;
    let disk = most.disk(atom, bounds.disk)?;
    let limits = Limits { wall, memory: memory.0, output: OUTPUT.0, processes, disk };
    let job = Job { program, limits };
    let verdict = cx.shared.isolates.run_online(job, *environment, egress.as_ref()).await;
    let verdict = verdict.map_err(refused)?;
    match verdict.result {
        Ok(result) => Ok(Ran {
            result,
            stdout: verdict.stdout,
            stderr: verdict.stderr,
            duration: verdict.duration,
            memory_used: verdict.memory_used,
            isolation: verdict.isolation,
        }),
        Err(error) => Err(failed(error, &verdict.stdout, &verdict.stderr)),
    }
}

/// A program that did not end well, in the words of its own language.
fn failed(error: ScriptError, stdout: &str, stderr: &str) -> Failure {
    let ScriptError { code, message, line, column, traceback, hint } = error;
    let mut failure = Failure::permanent("script_error", message).detail(json!({
        "line": line,
        "column": column,
        "traceback": traceback,
        "stdout": tail(stdout),
        "stderr": tail(stderr),
    }));
    failure.code = code;
    failure.hint =
        Some(hint.unwrap_or_else(|| "`detail` holds the place and what it printed".to_owned()));
    failure
}

/// The end of what was printed; the journal keeps it for each attempt.
fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(PRINTED);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// Nothing was run.
fn refused(reason: Refused) -> Failure {
    let text = reason.to_string();
    let failure = match &reason {
        Refused::BelowMinimum { .. } | Refused::NativePython { .. } | Refused::NoNetwork { .. } => {
            Failure::permanent("isolation_refused", text)
        }
        Refused::NoSuchRuntime { .. } => Failure::permanent("bad_input", text),
        Refused::NoInterpreter { .. } => Failure::permanent("interpreter_missing", text),
        Refused::Unavailable { .. } => Failure::transient("isolation_unavailable", text),
    };
    failure.hint(reason.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_did_wrong_is_told_with_its_place_and_what_it_printed() {
        let error = ScriptError {
            line: Some(2),
            column: Some(5),
            traceback: Some("at f (2:5)".to_owned()),
            ..ScriptError::new("script_error", "x is not defined").hint("define `x`")
        };
        let failure = failed(error, "printed", "warned");
        assert_eq!((failure.code.as_ref(), failure.retryable), ("script_error", false));
        assert_eq!(failure.hint.as_deref(), Some("define `x`"));
        let detail = failure.detail.unwrap();
        assert_eq!(detail["line"], 2);
        assert_eq!(detail["traceback"], "at f (2:5)");
        assert_eq!((&detail["stdout"], &detail["stderr"]), (&json!("printed"), &json!("warned")));
        let long = format!("{}end", "ü".repeat(PRINTED));
        assert!(tail(&long).len() <= PRINTED && tail(&long).ends_with("üend"));
    }

    #[test]
    fn a_sandbox_that_is_too_weak_is_not_tried_again_but_a_lost_worker_is() {
        let weak = Refused::BelowMinimum {
            minimum: jalm_isolates::Strength::B,
            strength: None,
            reasons: "landlock: not there".to_owned(),
        };
        let failure = refused(weak);
        assert_eq!((failure.code.as_ref(), failure.retryable), ("isolation_refused", false));
        assert!(failure.hint.unwrap().contains("isolation.minimum"));
        assert!(refused(Refused::Unavailable { why: "gone".to_owned() }).retryable);
    }
}
