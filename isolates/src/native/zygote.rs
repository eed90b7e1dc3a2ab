//! The server's side of a zygote: children that are locked in and wait for a job.

use super::PYTHON;
use super::child::Child;
use super::settings::Settings;
use crate::api::{Refused, Strength, WORKER_ARG};
use crate::host::process::{self, Failure};
use crate::mutex::lock;
use crate::wire::{Ended, Notice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown,
    SocketFlags, SocketType, recvmsg, send, shutdown, socketpair,
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child as Process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// Loading the interpreter and its modules takes some 50 ms, on a busy machine a second.
const START_LIMIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// A message of the zygote.
const MESSAGE: usize = 4096;

/// Orders in one message to the zygote.
const ORDERS: usize = 64;

/// A zygote is replaced after so many children, since they all share its memory layout and the
/// seed of its hashes.
const CHILDREN: u64 = 1000;

/// More children than this are never kept ahead: each has some 2 MiB for itself.
const MOST_AHEAD: u64 = 64;

/// What a child has that none has beforehand.
#[derive(Debug, Serialize)]
pub(super) struct Special<'a> {
    /// The name of the packages that it sees.
    pub(super) packages: Option<&'a str>,
    /// Whether it has a way out.
    pub(super) network: bool,
    /// Bytes of its own folder.
    pub(super) disk: u64,
}

/// A zygote that runs. Dropping it ends it, and every child that waits.
#[derive(Debug)]
pub(super) struct Zygote {
    link: Arc<Link>,
    pub(super) strength: Strength,
    ready: tokio::sync::Mutex<UnboundedReceiver<(u32, Child)>>,
    /// Scripts that wait for a child.
    waiting: AtomicU64,
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
    /// So many children are wanted ahead.
    ahead: u64,
    /// Children that were asked for, ever.
    asked: AtomicU64,
    /// Children that were given to scripts, ever.
    given: AtomicU64,
    /// Those of them that have not ended.
    running: Mutex<HashSet<u32>>,
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
                begin(process::start(&exe, &arguments, theirs), ours, ahead, &tell);
            })
            .map_err(|error| failed("no thread", &error))?;
        let (link, ready) =
            told.recv().map_err(|error| failed("the zygote's thread ended", &error))??;
        let (ready, waiting) = (tokio::sync::Mutex::new(ready), AtomicU64::new(0));
        link.top_up();
        Ok(Arc::new(Self { link, strength, ready, waiting, next: AtomicU64::new(1) }))
    }

    pub(super) fn is_gone(&self) -> bool {
        self.link.gone.load(Ordering::SeqCst)
    }

    /// Whether it has made as many children as it should.
    pub(super) fn is_old(&self) -> bool {
        self.link.asked.load(Ordering::Relaxed) >= CHILDREN
    }

    /// A child for one script.
    pub(super) async fn take(&self) -> Result<Child, Refused> {
        let _waiting = Waiting::begin(self);
        let gone = || Refused::Unavailable { why: "the Python zygote went away".to_owned() };
        let child = async { self.ready.lock().await.recv().await };
        match tokio::time::timeout(Duration::from_secs(20), child).await {
            Ok(Some((pid, child))) => {
                self.link.given.fetch_add(1, Ordering::SeqCst);
                lock(&self.link.running).insert(pid);
                Ok(child)
            }
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
        // Neither one of those ahead nor missing among them.
        self.link.given.fetch_add(1, Ordering::SeqCst);
        self.link.asked.fetch_add(1, Ordering::SeqCst);
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

    /// Closes the control socket: the zygote ends, and with it every child that waits.
    pub(super) fn stop(&self) {
        self.link.stop();
    }
}

/// A script that waits for its child, for as long as it does.
struct Waiting<'a>(&'a Zygote);

impl<'a> Waiting<'a> {
    fn begin(zygote: &'a Zygote) -> Self {
        let waiting = zygote.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        zygote.link.have(waiting);
        Self(zygote)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Link {
    fn special(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Child>>> {
        lock(&self.special)
    }

    /// Has as many children wait as are wanted.
    fn top_up(&self) {
        self.have(self.ahead);
    }

    /// Asks for children until so many are there or on their way.
    fn have(&self, wanted: u64) {
        let given = self.given.load(Ordering::SeqCst);
        let missing = |asked: u64| (given + wanted).checked_sub(asked).filter(|count| *count > 0);
        let add = |asked: u64| missing(asked).map(|count| asked + count);
        let asked = self.asked.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        let Some(count) = asked.ok().and_then(missing) else { return };
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            let orders = [b'F'; ORDERS];
            let now = left.min(ORDERS);
            // A zygote that has gone is noticed by its listener.
            if send(&self.control, &orders[..now], SendFlags::NOSIGNAL).is_err() {
                return;
            }
            left -= now;
        }
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

type Started = Result<(Arc<Link>, UnboundedReceiver<(u32, Child)>), Failure>;

/// The life of a zygote's thread once it has started the process: hear it out, see it end.
fn begin(
    started: Result<Process, Failure>,
    control: OwnedFd,
    ahead: usize,
    tell: &mpsc::Sender<Started>,
) {
    let mut process = match started {
        Ok(process) => process,
        Err(failure) => {
            let _ = tell.send(Err(failure));
            return;
        }
    };
    match first_message(&control) {
        Ok(()) => {
            let link = Arc::new(Link {
                control,
                gone: AtomicBool::new(false),
                ahead: u64::try_from(ahead).unwrap_or(u64::MAX).min(MOST_AHEAD),
                asked: AtomicU64::new(0),
                given: AtomicU64::new(0),
                running: Mutex::default(),
                special: Mutex::default(),
            });
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
fn listen(link: &Link, ready: &UnboundedSender<(u32, Child)>) {
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
                    None if ready.send((pid, child)).is_err() => return,
                    None => {}
                }
            }
            (b'D', None, None) => {
                let Some((pid, ended)) = death(body) else { return };
                if let Some(waits) = pending.remove(&pid) {
                    // Nobody waits any more if the answer had come already.
                    let _ = waits.send(ended);
                }
                // A child that had a script is replaced now, when nobody waits for it any more: not
                // while it runs, and takes the processor. One that ended while it waited is not, so
                // that children that cannot live are not made without end.
                if lock(&link.running).remove(&pid) {
                    link.top_up();
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
