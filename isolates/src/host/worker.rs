//! The worker process as the server sees it: a control socket and a thread that listens to it.

use crate::api::{Report, Strength, WORKER_ARG};
use crate::wire::{Ended, MAX_NOTICE, Notice, Order};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, IoSlice};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
    SocketFlags, SocketType, recv, sendmsg, shutdown, socketpair,
};
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Building a sandbox takes milliseconds; a worker that says nothing for so long never will.
const START_LIMIT: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A running worker.
#[derive(Debug)]
pub(super) struct Worker {
    control: OwnedFd,
    strength: Strength,
    isolation: Arc<str>,
    pending: Mutex<HashMap<u64, Pending>>,
    gone: AtomicBool,
    listener: Mutex<Option<JoinHandle<()>>>,
}

/// A run that has not ended; its place in the line is kept until then.
#[derive(Debug)]
struct Pending {
    ended: oneshot::Sender<Ended>,
    _permit: OwnedSemaphorePermit,
}

/// The layer that failed, and why.
type Failure = (String, String);

impl Worker {
    /// Starts a worker and waits until its sandbox stands.
    pub(super) fn start(exe: &Path, strength: Strength) -> Result<(Arc<Self>, Report), Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            ("worker".to_owned(), format!("{what}: {error}"))
        };
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| failed("no control socket", &error))?;
        let (tell, told) = mpsc::channel();
        let exe = exe.to_owned();
        // The kernel ends the worker when the thread that started it ends, so that thread stays.
        let listener = std::thread::Builder::new()
            .name("jalm-isolates".to_owned())
            .spawn(move || begin(&exe, strength, ours, theirs, &tell))
            .map_err(|error| failed("no thread", &error))?;
        match told.recv() {
            Ok(Ok((worker, report))) => {
                *lock(&worker.listener) = Some(listener);
                Ok((worker, report))
            }
            Ok(Err(failure)) => Err(failure),
            Err(error) => Err(failed("the worker's thread ended", &error)),
        }
    }

    pub(super) fn strength(&self) -> Strength {
        self.strength
    }

    /// What is in force, in one line.
    pub(super) fn isolation(&self) -> Arc<str> {
        self.isolation.clone()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// Notes a run that is about to begin; the receiver hears how it ended.
    pub(super) fn expect(&self, id: u64, permit: OwnedSemaphorePermit) -> oneshot::Receiver<Ended> {
        let (ended, receiver) = oneshot::channel();
        lock(&self.pending).insert(id, Pending { ended, _permit: permit });
        // Else the listener may have emptied the table before this entry came.
        if self.is_gone() {
            lock(&self.pending).clear();
        }
        receiver
    }

    /// Sends an order. There are at most as many at once as there are children, and each is a few
    /// bytes, so this does not block.
    pub(super) fn send(&self, order: Order, socket: Option<OwnedFd>) -> Result<(), String> {
        let bytes = order.to_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds: Vec<_> = socket.iter().map(AsFd::as_fd).collect();
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        }
        let sent = rustix::io::retry_on_intr(|| {
            sendmsg(&self.control, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)
        });
        sent.map(drop).map_err(|error| format!("the worker does not listen: {error}"))
    }

    /// The worker does not do its duty: nothing is sent to it any more, and it ends.
    pub(super) fn give_up(&self, why: &str) {
        tracing::error!(why, "the isolate worker is given up; the next script starts another one");
        self.stop();
    }

    /// Closes the control socket: the worker kills its children and ends.
    pub(super) fn stop(&self) {
        self.gone.store(true, Ordering::SeqCst);
        let _ = shutdown(&self.control, Shutdown::Both);
    }

    /// Waits until the worker process has ended; blocks.
    pub(super) fn wait(&self) {
        if let Some(listener) = lock(&self.listener).take() {
            let _ = listener.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The life of a worker's thread: start the process, hear it out, see it end.
fn begin(
    exe: &Path,
    strength: Strength,
    ours: OwnedFd,
    theirs: OwnedFd,
    tell: &mpsc::Sender<Result<(Arc<Worker>, Report), Failure>>,
) {
    let failed = |why: String| ("worker".to_owned(), why);
    let child = Command::new(exe)
        .arg(WORKER_ARG)
        .arg(strength.name())
        .env_clear()
        // mimalloc, if the executable has it, would reserve a gigabyte before any limit is set,
        // and a script could use all of that on top of what it may have. No less than 64 MiB
        // would do, so it gets all from the kernel as it is needed.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let _ = tell.send(Err(failed(format!("cannot start {}: {error}", exe.display()))));
            return;
        }
    };
    let report = match first_notice(&ours) {
        Ok(report) => report,
        Err(failure) => {
            end(&mut child);
            let _ = tell.send(Err(failure));
            return;
        }
    };
    let layers: Vec<&str> =
        report.layers.iter().filter(|layer| layer.works).map(|layer| layer.name.as_str()).collect();
    let worker = Arc::new(Worker {
        control: ours,
        strength,
        isolation: format!("isolate/{}: {}", strength.name(), layers.join(", ")).into(),
        pending: Mutex::new(HashMap::new()),
        gone: AtomicBool::new(false),
        listener: Mutex::new(None),
    });
    if tell.send(Ok((worker.clone(), report))).is_ok() {
        listen(&worker);
    }
    worker.stop();
    // Those who wait for a run hear that it has gone with the worker.
    lock(&worker.pending).clear();
    end(&mut child);
}

/// The worker says at once whether its sandbox stands.
fn first_notice(control: &OwnedFd) -> Result<Report, Failure> {
    let failed = |why: &str| ("worker".to_owned(), why.to_owned());
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut fds, Some(&START_LIMIT))) {
        Ok(1..) => {}
        Ok(0) => return Err(failed("the worker does not say that it is ready")),
        Err(error) => return Err(failed(&format!("cannot wait for the worker: {error}"))),
    }
    match receive(control) {
        Some(Notice::Ready(report)) => Ok(report),
        Some(Notice::Failed { layer, why }) => Err((layer, why)),
        Some(Notice::Ended(_)) | None => Err(failed("the worker ended while it built its sandbox")),
    }
}

/// Brings notices to those who wait, until the worker has gone.
fn listen(worker: &Worker) {
    while let Some(notice) = receive(&worker.control) {
        match notice {
            Notice::Ended(ended) => {
                if let Some(pending) = lock(&worker.pending).remove(&ended.id) {
                    // Nobody waits any more if the answer had come already.
                    let _ = pending.ended.send(ended);
                }
            }
            Notice::Ready(_) | Notice::Failed { .. } => {
                tracing::error!("the isolate worker speaks out of turn");
                return;
            }
        }
    }
}

/// The next notice; None when the worker has gone or makes no sense.
fn receive(control: &OwnedFd) -> Option<Notice> {
    let mut bytes = vec![0; MAX_NOTICE];
    loop {
        match recv(control, &mut bytes[..], RecvFlags::empty()) {
            Ok((_, 0)) => return None,
            Ok((_, length)) => return serde_json::from_slice(bytes.get(..length)?).ok(),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Waits a moment for the process, then kills it.
fn end(child: &mut Child) {
    for _ in 0..50 {
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
}
