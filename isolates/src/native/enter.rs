//! The worker's side: the process builds a sandbox around itself and becomes the interpreter.

use super::settings::Settings;
use crate::api::Strength;
use crate::sandbox::{self, Missing};
use crate::wire::Notice;
use crate::worker::{leave, tell};
use rustix::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The program of the zygote.
const ZYGOTE: &str = include_str!("zygote.py");

/// What scripts rely on, on every engine.
const CONTRACT: &str = include_str!("contract.py");

/// Never returns: the process is the interpreter then, or has told why not. `control` stays its
/// descriptor 0.
pub(crate) fn become_zygote(control: OwnedFd, strength: Strength, settings: &str) -> ! {
    let why = match serde_json::from_str::<Settings>(settings) {
        Err(error) => Missing::new("worker", format_args!("the settings cannot be read: {error}")),
        Ok(settings) => match enter(strength, &settings) {
            Err(missing) => missing,
            Ok(figures) => start(&settings, strength, figures),
        },
    };
    let notice = Notice::Failed { layer: why.layer.to_owned(), why: why.why };
    let _ = tell(control.as_fd(), &notice);
    leave(1)
}

fn enter(strength: Strength, settings: &Settings) -> Result<Option<OwnedFd>, Missing> {
    sandbox::enter_native(strength, &settings.interpreter.folders(), settings.packages.as_deref())
}

/// Becomes the interpreter; returns only if that failed.
fn start(settings: &Settings, strength: Strength, figures: Option<OwnedFd>) -> Missing {
    let statm = figures.map(IntoRawFd::into_raw_fd);
    let told = settings.for_zygote(strength, statm).to_string();
    // stdin is the control socket, and stays.
    let error = Command::new(&settings.interpreter.executable)
        .args(["-I", "-S", "-B", "-c", ZYGOTE, &told, CONTRACT])
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .exec();
    let shown = settings.interpreter.executable.display();
    Missing::new("worker", format_args!("{shown} cannot be started: {error}"))
}
