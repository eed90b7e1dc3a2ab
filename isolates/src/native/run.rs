//! One job in one child, and the zygote that it comes from.

use super::child::{Child, unavailable};
use super::interpreter::Interpreter;
use super::settings::Settings;
use super::zygote::{Special, Zygote};
use crate::api::{Limits, Options, Refused, Script, Strength, USUAL_DISK, Verdict};
use crate::host::process::{Failure, twice};
use crate::network::{Egress, beside};
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Native Python.
#[derive(Debug, Default)]
pub(crate) struct Native {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// With the modules that scripts import.
    full: Option<Arc<Zygote>>,
    /// Without them.
    lean: Option<Arc<Zygote>>,
    /// What the host has; asked once.
    interpreter: Option<Result<Interpreter, String>>,
    /// What was found when no zygote could be had.
    refused: Option<Refused>,
}

/// Packages that are installed.
#[derive(Debug, Default)]
pub(crate) struct Packages<'a> {
    /// The folder of all environments; a zygote sees it, and no child does.
    pub(crate) all: Option<PathBuf>,
    /// The name of the one that this script sees.
    pub(crate) own: Option<&'a str>,
}

impl Native {
    /// Runs a script; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        options: &Options,
        script: &Script,
        packages: &Packages<'_>,
        limits: &Limits,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<Verdict, Refused> {
        let imports = packages.own.is_some() || imports(&script.source);
        let special =
            Special { packages: packages.own, network: egress.is_some(), disk: limits.disk };
        let (zygote, mut child) =
            self.child(options, packages.all.as_ref(), &special, imports).await?;
        let (socket, way) = child.ready(egress).await?;
        let job = json!({
            "source": script.source,
            "variables": script.variables,
            "memory": limits.memory,
            // A second more than the wall clock allows: this only catches what the watchdog cannot.
            "seconds": limits.wall.as_secs().saturating_add(2),
        })
        .to_string();
        let isolation = in_force(zygote.strength, way.is_some());
        beside(way, child.run(socket, &job, limits, isolation)).await
    }

    /// Ends the zygote.
    pub(crate) async fn shutdown(&self) {
        let mut state = self.state.lock().await;
        for zygote in [state.full.take(), state.lean.take()].into_iter().flatten() {
            zygote.stop();
        }
    }

    async fn child(
        &self,
        options: &Options,
        all: Option<&PathBuf>,
        special: &Special<'_>,
        imports: bool,
    ) -> Result<(Arc<Zygote>, Child), Refused> {
        let zygote = {
            let mut state = self.state.lock().await;
            let there = if imports { &state.full } else { &state.lean };
            match there {
                Some(zygote) if !zygote.is_gone() && !zygote.is_old() => zygote.clone(),
                Some(_) | None => {
                    let zygote = state.start(options, all.cloned(), !imports).await?;
                    let place = if imports { &mut state.full } else { &mut state.lean };
                    *place = Some(zygote.clone());
                    zygote
                }
            }
        };
        if special.network {
            may_have_network(zygote.strength)?;
        }
        let child = match special {
            Special { packages: None, network: false, disk: USUAL_DISK } => zygote.take().await?,
            special => zygote.take_with(special).await?,
        };
        Ok((zygote, child))
    }
}

impl State {
    /// Starts a zygote in the strongest sandbox that the host gives to native code.
    async fn start(
        &mut self,
        options: &Options,
        packages: Option<PathBuf>,
        lean: bool,
    ) -> Result<Arc<Zygote>, Refused> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let interpreter = match &self.interpreter {
            Some(known) => known.clone(),
            None => {
                let (name, search) = (options.python.clone(), std::env::var_os("PATH"));
                let found = find(name, search).await;
                self.interpreter = Some(found.clone());
                found
            }
        };
        let interpreter =
            interpreter.map_err(|why| Refused::NoInterpreter { language: "python", why })?;
        let settings = Settings { interpreter, packages, lean };
        // Native code is refused where there is no Landlock (DESIGN §6), whatever the minimum.
        let least = options.minimum.max(Strength::B);
        let (exe, maximum, ahead) =
            (options.worker_exe.clone(), options.maximum, options.python_ahead);
        let found = tokio::task::spawn_blocking(move || {
            let mut failures: Vec<Failure> = Vec::new();
            for strength in [Strength::A, Strength::B] {
                if strength > maximum || strength < least {
                    continue;
                }
                match twice(|| Zygote::start(&exe, &settings, strength, ahead)) {
                    Ok(zygote) => return Ok(zygote),
                    Err(failure) => failures.push(failure),
                }
            }
            Err(failures)
        });
        match found.await {
            Ok(Ok(zygote)) => Ok(zygote),
            Ok(Err(failures)) => {
                let reasons: Vec<String> =
                    failures.iter().map(|(layer, why)| format!("{layer}: {why}")).collect();
                let broken = failures.iter().any(|(layer, _)| layer == "worker");
                let reasons = reasons.join("; ");
                if broken {
                    return Err(Refused::Unavailable { why: reasons });
                }
                let refused = Refused::BelowMinimum { minimum: least, strength: None, reasons };
                self.refused = Some(refused.clone());
                Err(refused)
            }
            Err(error) => Err(unavailable(&error.to_string())),
        }
    }
}

/// Whether a script may want modules. No reading of the script: a word in it, and a wrong guess costs
/// time only, since modules that are not there yet are loaded when they are wanted.
fn imports(source: &str) -> bool {
    ["import", "await", "async"].iter().any(|word| source.contains(word))
}

async fn find(name: PathBuf, search: Option<OsString>) -> Result<Interpreter, String> {
    tokio::task::spawn_blocking(move || Interpreter::find(&name, search.as_deref()))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

/// Only where a process is alone in its network namespace, there is no other way out than its own.
pub(crate) fn may_have_network(strength: Strength) -> Result<(), Refused> {
    if strength >= Strength::A {
        return Ok(());
    }
    let why = format!(
        "that takes a network namespace of its own, and the sandbox has strength {} here",
        strength.name()
    );
    Err(Refused::NoNetwork { why })
}

/// What is in force, in one line, for a run with or without the network.
pub(crate) fn in_force(strength: Strength, network: bool) -> Arc<str> {
    let isolation = isolation(strength);
    if network { format!("{isolation}, egress proxy").into() } else { isolation }
}

/// What is in force, in one line.
pub(crate) fn isolation(strength: Strength) -> Arc<str> {
    match strength {
        Strength::A => "process/A: namespaces, landlock, seccomp, limits".into(),
        Strength::B | Strength::C => "process/B: landlock, seccomp, limits".into(),
    }
}
