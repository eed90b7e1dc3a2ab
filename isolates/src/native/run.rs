//! One job in one child, and the zygote that it comes from.

use super::frames::Said;
use super::interpreter::Interpreter;
use super::settings::Settings;
use super::zygote::{Child, Failure, Zygote};
use crate::api::{Limits, Options, Refused, Script, Strength, Verdict};
use crate::host::verdict;
use serde_json::json;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

/// How long a child may take to lock itself in.
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// How long a killed child may take to be gone.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// Room for the frames around printed text and result.
const ENVELOPE: u64 = 64 * 1024;

/// Native Python.
#[derive(Debug, Default)]
pub(crate) struct Native {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    zygote: Option<Arc<Zygote>>,
    /// What the host has; asked once.
    interpreter: Option<Result<Interpreter, String>>,
    /// What was found when no zygote could be had.
    refused: Option<Refused>,
}

impl Native {
    /// Runs a script; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        options: &Options,
        script: &Script,
        limits: &Limits,
    ) -> Result<Verdict, Refused> {
        let (zygote, mut child) = self.child(options).await?;
        let started = Instant::now();
        let mut said = Said::default();
        let socket = child.socket.take().ok_or_else(|| unavailable("its socket is gone"))?;
        let mut socket = ready(socket).await?;
        let job = json!({
            "source": script.source,
            "variables": script.variables,
            "memory": limits.memory,
            // A second more than the wall clock allows: this only catches what the watchdog cannot.
            "seconds": limits.wall.as_secs().saturating_add(2),
        })
        .to_string();
        let most = limits.output.saturating_mul(2).saturating_add(ENVELOPE);
        let talk = async {
            // A child that died early breaks the pipe; how it ended says more than that.
            let length = u64::try_from(job.len()).unwrap_or(u64::MAX).to_le_bytes();
            if socket.write_all(&length).await.is_ok() {
                let _ = socket.write_all(job.as_bytes()).await;
            }
            said.hear(&mut socket, most).await;
        };
        let overstayed = tokio::time::timeout(limits.wall, talk).await.is_err();
        let too_much = said.too_much;
        let isolation = isolation(zygote.strength);
        match said.outcome() {
            Ok(outcome) => {
                verdict::of(Some(outcome), None, false, limits, started.elapsed(), isolation)
            }
            Err((stdout, stderr)) => {
                child.kill();
                let ended = tokio::time::timeout(GONE_LIMIT, &mut child.ended).await;
                let mut ended = ended
                    .map_err(|_| unavailable("a script's process does not end"))?
                    .map_err(|_| unavailable("the Python zygote went away"))?;
                ended.overstayed = overstayed;
                let mut verdict =
                    verdict::of(None, Some(ended), too_much, limits, started.elapsed(), isolation)?;
                (verdict.stdout, verdict.stderr) = (stdout, stderr);
                Ok(verdict)
            }
        }
    }

    /// Ends the zygote.
    pub(crate) async fn shutdown(&self) {
        if let Some(zygote) = self.state.lock().await.zygote.take() {
            zygote.stop();
        }
    }

    async fn child(&self, options: &Options) -> Result<(Arc<Zygote>, Child), Refused> {
        let zygote = {
            let mut state = self.state.lock().await;
            match &state.zygote {
                Some(zygote) if !zygote.is_gone() && !zygote.is_old() => zygote.clone(),
                Some(_) | None => {
                    let zygote = state.start(options).await?;
                    state.zygote = Some(zygote.clone());
                    zygote
                }
            }
        };
        let child = zygote.take().await?;
        Ok((zygote, child))
    }
}

impl State {
    /// Starts a zygote in the strongest sandbox that the host gives to native code.
    async fn start(&mut self, options: &Options) -> Result<Arc<Zygote>, Refused> {
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
        let settings = Settings { interpreter };
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
                match Zygote::start(&exe, &settings, strength, ahead) {
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

async fn find(name: std::path::PathBuf, search: Option<OsString>) -> Result<Interpreter, String> {
    tokio::task::spawn_blocking(move || Interpreter::find(&name, search.as_deref()))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

/// Waits until the child says that it is locked in.
async fn ready(socket: std::os::unix::net::UnixStream) -> Result<UnixStream, Refused> {
    let broken = |error: std::io::Error| unavailable(&error.to_string());
    socket.set_nonblocking(true).map_err(broken)?;
    let mut socket = UnixStream::from_std(socket).map_err(broken)?;
    let mut first = [0];
    let read = tokio::time::timeout(LOCK_LIMIT, socket.read_exact(&mut first)).await;
    if matches!(read, Ok(Ok(_))) && first == *b"R" {
        return Ok(socket);
    }
    let mut why = Vec::new();
    if first == *b"X" {
        let _ = tokio::time::timeout(LOCK_LIMIT, socket.read_to_end(&mut why)).await;
    }
    let why = String::from_utf8_lossy(&why);
    Err(unavailable(&format!("a script's process could not be locked in: {why}")))
}

fn unavailable(why: &str) -> Refused {
    Refused::Unavailable { why: why.to_owned() }
}

/// What is in force, in one line.
fn isolation(strength: Strength) -> Arc<str> {
    match strength {
        Strength::A => "process/A: namespaces, landlock, seccomp, limits".into(),
        Strength::B | Strength::C => "process/B: landlock, seccomp, limits".into(),
    }
}
