//! The server's side of a zygote: children that are locked in and wait for a job.

use super::PYTHON;
use super::child::Child;
use super::settings::Settings;
use crate::api::{Refused, Strength, WORKER_ARG};
use crate::host::process::{self, Failure};
use crate::wire::{Ended, Notice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown,
    SocketFlags, SocketType, recvmsg, send, shutdown, socketpair,
};
use serde::Serialize;
use std::collections::HashMap;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child as Process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// Loading the interpreter and its modules takes some 50 ms, on a busy machine a second.
const START_LIMIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// A message of the zygote.
const MESSAGE: usize = 4096;

/// A zygote is replaced after so many children, since they all share its memory layout and the
/// seed of its hashes.
const CHILDREN: u64 = 1000;

/// What a child has that none has beforehand.
#[derive(Debug, Serialize)]
pub(super) struct Special<'a> {
    /// The name of the packages that it sees.
    pub(super) packages: Option<&'a str>,
    /// Whether it has a way out.
    pub(super) network: bool,
}

/// A zygote that runs. Dropping it ends it, and every child that waits.
#[derive(Debug)]
pub(super) struct Zygote {
    link: Arc<Link>,
    pub(super) strength: Strength,
    ready: tokio::sync::Mutex<UnboundedReceiver<Child>>,
    asked: AtomicU64,
    /// Children with something of their own are told apart by a number.
    next: AtomicU64,
}

/// What the zygote's thread needs as well.
#[derive(Debug)]
struct Link {
    control: OwnedFd,
    gone: AtomicBool,
    /// Who waits for a child with something of its own.
    special: Mutex<HashMap<u64, oneshot::Sender<Child>>>,
}

impl Zygote {
    /// Starts a zygote with so many children ahead; waits until it has its modules. Blocks.
    pub(super) fn start(
        exe: &Path,
        settings: &Settings,
        strength: Strength,
        ahead: usize,
    ) -> Result<Arc<Self>, Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            ("worker".to_owned(), format!("{what}: {error}"))
        };
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| failed("no control socket", &error))?;
        let settings =
            serde_json::to_string(settings).map_err(|error| failed("bad settings", &error))?;
        let exe = exe.to_owned();
        let (tell, told) = mpsc::channel();
        // The kernel ends the zygote when the thread that started it ends, so that thread stays.
        std::thread::Builder::new()
            .name("jalm-zygote".to_owned())
            .spawn(move || {
                let arguments = [WORKER_ARG, strength.name(), PYTHON, &settings];
                begin(process::start(&exe, &arguments, theirs), ours, &tell);
            })
            .map_err(|error| failed("no thread", &error))?;
        let (link, ready) =
            told.recv().map_err(|error| failed("the zygote's thread ended", &error))??;
        let (ready, asked) = (tokio::sync::Mutex::new(ready), AtomicU64::new(0));
        let zygote = Arc::new(Self { link, strength, ready, asked, next: AtomicU64::new(1) });
        zygote.ask(ahead);
        Ok(zygote)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.link.gone.load(Ordering::SeqCst)
    }

    /// Whether it has made as many children as it should.
    pub(super) fn is_old(&self) -> bool {
        self.asked.load(Ordering::Relaxed) >= CHILDREN
    }

    /// A child of its own; another one is begun in its place.
    pub(super) async fn take(&self) -> Result<Child, Refused> {
        self.ask(1);
        let gone = || Refused::Unavailable { why: "the Python zygote went away".to_owned() };
        let child = async { self.ready.lock().await.recv().await };
        match tokio::time::timeout(Duration::from_secs(20), child).await {
            Ok(Some(child)) => Ok(child),
            Ok(None) => Err(gone()),
            Err(_) => {
                self.stop();
                Err(gone())
            }
        }
    }

    /// A child that could not be locked in before this was known.
    pub(super) async fn take_with(&self, special: &Special<'_>) -> Result<Child, Refused> {
        let gone = || Refused::Unavailable { why: "the Python zygote went away".to_owned() };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, child) = oneshot::channel();
        self.link.special().insert(number, sender);
        // Else the listener may have emptied the table before this entry came.
        if self.is_gone() {
            self.link.special().clear();
        }
        let special = serde_json::to_vec(special).unwrap_or_default();
        let order = [b"E", &number.to_le_bytes()[..], &special].concat();
        // A zygote that has gone is noticed by its listener.
        let _ = send(&self.link.control, &order, SendFlags::NOSIGNAL);
        match tokio::time::timeout(Duration::from_secs(20), child).await {
            Ok(Ok(child)) => Ok(child),
            Ok(Err(_)) => Err(gone()),
            Err(_) => {
                self.stop();
                Err(gone())
            }
        }
    }

    fn ask(&self, count: usize) {
        self.asked.fetch_add(count as u64, Ordering::Relaxed);
        // A zygote that has gone is noticed by its listener.
        let _ = send(&self.link.control, &vec![b'F'; count.min(64)], SendFlags::NOSIGNAL);
    }

    /// Closes the control socket: the zygote ends, and with it every child that waits.
    pub(super) fn stop(&self) {
        self.link.stop();
    }
}

impl Link {
    fn special(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Child>>> {
        self.special.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.gone.store(true, Ordering::SeqCst);
        let _ = shutdown(&self.control, Shutdown::Both);
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.stop();
    }
}

type Started = Result<(Arc<Link>, UnboundedReceiver<Child>), Failure>;

/// The life of a zygote's thread once it has started the process: hear it out, see it end.
fn begin(started: Result<Process, Failure>, control: OwnedFd, tell: &mpsc::Sender<Started>) {
    let mut process = match started {
        Ok(process) => process,
        Err(failure) => {
            let _ = tell.send(Err(failure));
            return;
        }
    };
    match first_message(&control) {
        Ok(()) => {
            let special = Mutex::default();
            let link = Arc::new(Link { control, gone: AtomicBool::new(false), special });
            let (sender, receiver) = unbounded_channel();
            if tell.send(Ok((link.clone(), receiver))).is_ok() {
                listen(&link, &sender);
            }
            link.stop();
            // Those who wait for a child hear that none will come.
            link.special().clear();
        }
        Err(failure) => {
            let _ = tell.send(Err(failure));
        }
    }
    process::end(&mut process);
}

/// The zygote says that it has its modules, or the worker why there will be none.
fn first_message(control: &OwnedFd) -> Result<(), Failure> {
    let failed = |why: &str| ("worker".to_owned(), why.to_owned());
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut fds, Some(&START_LIMIT))) {
        Ok(1..) => {}
        Ok(0) => return Err(failed("the interpreter does not say that it is ready")),
        Err(error) => return Err(failed(&format!("cannot wait for the interpreter: {error}"))),
    }
    let message = receive(control).map(|(bytes, _)| bytes).unwrap_or_default();
    if message.first() == Some(&b'Z') {
        return Ok(());
    }
    match serde_json::from_slice(&message) {
        Ok(Notice::Failed { layer, why }) => Err((layer, why)),
        Ok(Notice::Ready(_) | Notice::Ended(_)) | Err(_) => {
            Err(failed("the interpreter ended while it started"))
        }
    }
}

/// Takes in children, and brings the news of their end to those who wait, until the zygote has
/// gone.
fn listen(link: &Link, ready: &UnboundedSender<Child>) {
    let mut pending: HashMap<u32, oneshot::Sender<Ended>> = HashMap::new();
    while let Some((message, fds)) = receive(&link.control) {
        let Some((kind, body)) = message.split_first() else { return };
        let mut fds = fds.into_iter();
        match (kind, fds.next(), fds.next()) {
            (b'C', Some(socket), Some(pidfd)) => {
                let Some(pid) = number(body, 0).and_then(|pid| u32::try_from(pid).ok()) else {
                    return;
                };
                let (sender, ended) = oneshot::channel();
                pending.insert(pid, sender);
                let child = Child { socket: Some(UnixStream::from(socket)), pidfd, ended };
                match number(body, 1) {
                    // Nobody waits for it any more if it is not taken; dropping it ends it.
                    Some(wanted) => {
                        if let Some(waits) = link.special().remove(&wanted) {
                            let _ = waits.send(child);
                        }
                    }
                    None if ready.send(child).is_err() => return,
                    None => {}
                }
            }
            (b'D', None, None) => {
                let Some((pid, ended)) = death(body) else { return };
                if let Some(waits) = pending.remove(&pid) {
                    // Nobody waits any more if the answer had come already.
                    let _ = waits.send(ended);
                }
            }
            _ => return,
        }
    }
}

/// `pid, wait status, resident memory in KiB`, 8 bytes each.
fn death(body: &[u8]) -> Option<(u32, Ended)> {
    let pid = u32::try_from(number(body, 0)?).ok()?;
    let status = i32::try_from(number(body, 1)?).ok()?;
    let ended = Ended {
        id: u64::from(pid),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        never_started: false,
        overstayed: false,
        memory: number(body, 2)? * 1024,
    };
    Some((pid, ended))
}

fn number(body: &[u8], at: usize) -> Option<u64> {
    let bytes = body.get(8 * at..8 * at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The next message with its descriptors; None when the zygote has gone.
fn receive(control: &OwnedFd) -> Option<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(
            control.as_fd(),
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    });
    let length = received.ok().filter(|message| message.bytes > 0)?.bytes;
    let fds = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            RecvAncillaryMessage::ScmCredentials(_) | _ => None,
        })
        .flatten()
        .collect();
    bytes.truncate(length);
    Some((bytes, fds))
}
