//! A process that waits for one job, locked in, and the talk with it.

use super::frames::Said;
use super::threads;
use crate::api::{Limits, Refused, ScriptError, Verdict};
use crate::host::verdict::{self, head};
use crate::network::{self, Egress, Way};
use crate::wire::Ended;
use rustix::fd::OwnedFd;
use rustix::process::{Signal, pidfd_send_signal};
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// How long a child may take to lock itself in.
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// How long a killed child may take to be gone.
pub(crate) const GONE_LIMIT: Duration = Duration::from_secs(5);

/// Room for the frames around printed text and result.
const ENVELOPE: u64 = 64 * 1024;

/// A child that locks itself in, or has done so. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) socket: Option<Socket>,
    pub(crate) pidfd: OwnedFd,
    /// How it ended, once it has.
    pub(crate) ended: oneshot::Receiver<Ended>,
}

impl Child {
    /// Ends it at once.
    pub(crate) fn kill(&self) {
        // One that has ended by itself cannot be killed, and need not be.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Waits until it says that it is locked in. One that was begun for the network hands over its
    /// listener before.
    pub(crate) async fn ready(
        &mut self,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<(UnixStream, Option<Way>), Refused> {
        let socket = self.socket.take().ok_or_else(|| unavailable("its socket is gone"))?;
        let broken = |error: std::io::Error| unavailable(&error.to_string());
        socket.set_nonblocking(true).map_err(broken)?;
        let mut socket = UnixStream::from_std(socket).map_err(broken)?;
        let mut way = None;
        let mut first = [0];
        if let Some(egress) = egress {
            let given = tokio::time::timeout(LOCK_LIMIT, network::listener(&socket)).await;
            match given {
                Ok(Ok(Ok(listener))) => way = Some(Way::new(egress, listener)?),
                Ok(Ok(Err(word))) => first = [word],
                Ok(Err(error)) => return Err(broken(error)),
                Err(_) => return Err(unavailable("a script's process has no listener")),
            }
        }
        if first == *b"X" {
            return Err(not_locked_in(&mut socket).await);
        }
        let read = tokio::time::timeout(LOCK_LIMIT, socket.read_exact(&mut first)).await;
        if matches!(read, Ok(Ok(_))) && first == *b"R" {
            return Ok((socket, way));
        }
        if first == *b"X" {
            return Err(not_locked_in(&mut socket).await);
        }
        Err(unavailable("a script's process could not be locked in"))
    }

    /// Has it do its job; dropping the future kills it.
    pub(crate) async fn run(
        mut self,
        mut socket: UnixStream,
        job: &str,
        limits: &Limits,
        isolation: Arc<str>,
    ) -> Result<Verdict, Refused> {
        let started = Instant::now();
        let mut said = Said::default();
        let most = limits.output.saturating_mul(2).saturating_add(ENVELOPE);
        let talk = async {
            // A child that died early breaks the pipe; how it ended says more than that.
            let length = u64::try_from(job.len()).unwrap_or(u64::MAX).to_le_bytes();
            if socket.write_all(&length).await.is_ok() {
                let _ = socket.write_all(job.as_bytes()).await;
            }
            said.hear(&mut socket, most).await;
        };
        let mut crowded = false;
        let watched = async {
            tokio::select! {
                () = talk => {}
                () = threads::too_many(&self.pidfd, limits.processes) => crowded = true,
            }
        };
        let overstayed = tokio::time::timeout(limits.wall, watched).await.is_err();
        let too_much = said.too_much;
        match said.outcome() {
            Ok(outcome) => {
                verdict::of(Some(outcome), None, false, limits, started.elapsed(), isolation)
            }
            Err((stdout, stderr)) => {
                self.kill();
                let ended = tokio::time::timeout(GONE_LIMIT, &mut self.ended).await;
                let mut ended = ended
                    .map_err(|_| unavailable("a script's process does not end"))?
                    .map_err(|_| unavailable("the script's process went away"))?;
                ended.overstayed = overstayed;
                let mut verdict =
                    verdict::of(None, Some(ended), too_much, limits, started.elapsed(), isolation)?;
                (verdict.stdout, verdict.stderr) =
                    if too_much { (head(stdout), head(stderr)) } else { (stdout, stderr) };
                if crowded {
                    verdict.result = Err(ScriptError::too_many(limits.processes));
                }
                Ok(verdict)
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What it says about that.
async fn not_locked_in(socket: &mut UnixStream) -> Refused {
    let mut why = Vec::new();
    let _ = tokio::time::timeout(LOCK_LIMIT, socket.read_to_end(&mut why)).await;
    let why = String::from_utf8_lossy(&why);
    unavailable(&format!("a script's process could not be locked in: {why}"))
}

pub(crate) fn unavailable(why: &str) -> Refused {
    Refused::Unavailable { why: why.to_owned() }
}
