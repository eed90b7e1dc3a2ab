//! What a script depends on: pinned, recorded, installed.

use crate::context::Cx;
use crate::input::bad;
use jalm_isolates::{DependencyError, Environment, Language, Requirements, Runtime};
use jalm_kernel::failure::Failure;
use serde_json::{Value, json};

/// The packages that a script needs; none if it names none. What they are pinned to is noted with
/// the call before the script runs, so that it is recorded however that ends.
pub(super) async fn prepare(
    cx: &Cx,
    language: Language,
    runtime: Option<Runtime>,
    script: &str,
    given: Option<&Value>,
) -> Result<Option<Environment>, Failure> {
    let wanted = Requirements::of(language, runtime, script, given).map_err(failed)?;
    let Some(wanted) = wanted else { return Ok(None) };
    let prepare = cx.shared.isolates.install(&wanted, cx.pins.known());
    let prepared = tokio::time::timeout(cx.timeout, prepare).await.map_err(|_| {
        Failure::transient("dependency_timeout", "the dependencies were not there in time")
            .hint("raise the step's `timeout`: it counts for installing, the first time, too")
    })?;
    let environment = prepared.map_err(failed)?;
    cx.pins.note(environment.lock());
    Ok(Some(environment))
}

/// In the words of the tool that was asked.
fn failed(error: DependencyError) -> Failure {
    let again = error.may_pass();
    let DependencyError { code, message, hint, said } = error;
    if code == "bad_input" {
        return bad("compute_script", "dependencies", message).hint(hint);
    }
    let failure =
        if again { Failure::transient(code, message) } else { Failure::permanent(code, message) };
    match said {
        Some(said) => failure.hint(hint).detail(json!({ "said": said })),
        None => failure.hint(hint),
    }
}
