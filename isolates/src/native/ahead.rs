//! Processes that are ready for the next script before it is known.

use super::child::{Child, unavailable};
use super::may_have_network;
use super::start::begin;
use crate::api::{Options, Refused, Strength};
use crate::host::process::{Failure, may_pass};
use std::collections::VecDeque;
use tokio::sync::{Mutex, oneshot};

/// Processes of one kind, each for one script. As soon as one is taken, the next one is begun.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// The second argument of a worker that becomes such a process.
    kind: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the host gives, once a process could be locked in.
    strength: Option<Strength>,
    /// What was found when none could be.
    refused: Option<Refused>,
    ready: VecDeque<Coming>,
    stopped: bool,
}

/// A process that waits for a script, or is on its way there.
#[derive(Debug)]
struct Coming {
    settings: String,
    child: oneshot::Receiver<Result<Child, Failure>>,
}

impl Ahead {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, state: Mutex::default() }
    }

    /// Ends those that wait.
    pub(crate) async fn shutdown(&self) {
        let mut state = self.state.lock().await;
        state.stopped = true;
        state.ready.clear();
    }

    /// The strongest sandbox that the host gives to these processes.
    pub(crate) async fn strength(
        &self,
        options: &Options,
        settings: &str,
    ) -> Result<Strength, Refused> {
        self.state.lock().await.prepare(options, self.kind, settings).await
    }

    /// A process with settings of its own, of which none is kept ready. `usual` are those with which
    /// the strength of the sandbox is found out.
    pub(crate) async fn alone(
        &self,
        options: &Options,
        usual: &str,
        settings: &str,
    ) -> Result<(Child, Strength), Refused> {
        let strength = self.strength(options, usual).await?;
        let coming =
            begin(options.worker_exe.clone(), self.kind, settings.to_owned(), strength).await;
        let child = coming
            .map_err(|_| unavailable("the process' thread ended"))?
            .map_err(|(layer, why)| unavailable(&format!("{layer}: {why}")))?;
        Ok((child, strength))
    }

    /// The same for one that may use the network.
    pub(crate) async fn alone_online(
        &self,
        options: &Options,
        usual: &str,
        settings: &str,
    ) -> Result<(Child, Strength), Refused> {
        may_have_network(self.strength(options, usual).await?)?;
        self.alone(options, usual, settings).await
    }

    /// A process with these settings that is ready; so many are begun for those to come.
    pub(crate) async fn take(
        &self,
        options: &Options,
        settings: &str,
        most: usize,
    ) -> Result<(Child, Strength), Refused> {
        loop {
            let (coming, strength) = {
                let mut state = self.state.lock().await;
                let strength = state.prepare(options, self.kind, settings).await?;
                let start = || Coming {
                    settings: settings.to_owned(),
                    child: begin(
                        options.worker_exe.clone(),
                        self.kind,
                        settings.to_owned(),
                        strength,
                    ),
                };
                let same = state.ready.iter().position(|coming| coming.settings == settings);
                let coming = same.and_then(|at| state.ready.remove(at)).unwrap_or_else(start);
                // Those with other settings have waited in vain.
                state.ready.retain(|coming| coming.settings == settings);
                while state.ready.len() < most {
                    state.ready.push_back(start());
                }
                (coming, strength)
            };
            let mut child = coming
                .child
                .await
                .map_err(|_| unavailable("the process' thread ended"))?
                .map_err(|(layer, why)| unavailable(&format!("{layer}: {why}")))?;
            // One that was killed while it waited is no use.
            if matches!(child.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return Ok((child, strength));
            }
        }
    }
}

impl State {
    /// Finds the strongest sandbox for such processes, once.
    async fn prepare(
        &mut self,
        options: &Options,
        kind: &'static str,
        settings: &str,
    ) -> Result<Strength, Refused> {
        if self.stopped {
            return Err(unavailable("the runner is stopping"));
        }
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        if let Some(strength) = self.strength {
            return Ok(strength);
        }
        // Native code is refused where there is no Landlock (DESIGN §6), whatever the minimum.
        let least = options.minimum.max(Strength::B);
        let mut failures: Vec<Failure> = Vec::new();
        for strength in [Strength::A, Strength::B] {
            if strength > options.maximum || strength < least {
                continue;
            }
            let start = || begin(options.worker_exe.clone(), kind, settings.to_owned(), strength);
            let ended = |_| unavailable("the process' thread ended");
            let mut child = start().await.map_err(ended)?;
            // A busy moment must not leave the server with a weaker sandbox.
            if child.as_ref().is_err_and(may_pass) {
                child = start().await.map_err(ended)?;
            }
            match child {
                Ok(child) => {
                    let (sender, receiver) = oneshot::channel();
                    let _ = sender.send(Ok(child));
                    let settings = settings.to_owned();
                    self.ready.push_back(Coming { settings, child: receiver });
                    self.strength = Some(strength);
                    return Ok(strength);
                }
                Err(failure) => failures.push(failure),
            }
        }
        let reasons: Vec<String> =
            failures.iter().map(|(layer, why)| format!("{layer}: {why}")).collect();
        let reasons = reasons.join("; ");
        if failures.iter().any(|(layer, _)| layer == "worker") {
            return Err(unavailable(&reasons));
        }
        let refused = Refused::BelowMinimum { minimum: least, strength: None, reasons };
        self.refused = Some(refused.clone());
        Err(refused)
    }
}
