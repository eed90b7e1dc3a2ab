//! The worker process as the server sees it: a control socket and a thread that listens to it.

use super::process::{self, Failure, end, first_notice, receive};
use crate::api::{Report, Strength, WORKER_ARG};
use crate::mutex::lock;
use crate::wire::{Ended, Notice, Order};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::IoSlice;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags,
    SocketType, sendmsg, shutdown, socketpair,
};
use std::collections::{HashMap, VecDeque};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A running worker.
#[derive(Debug)]
pub(super) struct Worker {
    control: OwnedFd,
    strength: Strength,
    isolation: Arc<str>,
    wasm_isolation: Arc<str>,
    pending: Mutex<HashMap<u64, Pending>>,
    /// Children that wait for a job.
    ahead: Mutex<VecDeque<Child>>,
    /// So many of them are wanted.
    most_ahead: usize,
    next_id: AtomicU64,
    gone: AtomicBool,
    listener: Mutex<Option<JoinHandle<()>>>,
}

/// A child that has not ended; the place in the line of its job is kept until then.
#[derive(Debug)]
struct Pending {
    ended: oneshot::Sender<Ended>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A child that locks itself in, or has done so, and waits for its job.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: u64,
    pub(super) socket: UnixStream,
    /// How it ended, once it has.
    pub(super) ended: oneshot::Receiver<Ended>,
}

impl Worker {
    /// Starts a worker and waits until its sandbox stands. It keeps so many children ahead.
    pub(super) fn start(
        exe: &Path,
        strength: Strength,
        ahead: usize,
    ) -> Result<(Arc<Self>, Report), Failure> {
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
            .spawn(move || begin(&exe, (strength, ahead), ours, theirs, &tell))
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

    /// The same for a process that runs WebAssembly, in a sandbox of the same layers.
    pub(super) fn wasm_isolation(&self) -> Arc<str> {
        self.wasm_isolation.clone()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// A child for a job, which keeps its place in the line until the child has ended.
    pub(super) fn take(&self, permit: OwnedSemaphorePermit) -> Result<Child, String> {
        loop {
            let waiting = lock(&self.ahead).pop_front();
            let child = match waiting {
                Some(child) => child,
                None => self.fork()?,
            };
            // One that was killed while it waited is no use; nor is its entry there any more.
            if let Some(pending) = lock(&self.pending).get_mut(&child.id) {
                pending.permit = Some(permit);
                return Ok(child);
            }
            if self.is_gone() {
                return Err("the worker went away".to_owned());
            }
        }
    }

    /// Has as many children wait as are wanted.
    fn top_up(&self) {
        while !self.is_gone() && lock(&self.ahead).len() < self.most_ahead {
            // What cannot be had ahead is tried again when it is needed.
            let Ok(child) = self.fork() else { return };
            lock(&self.ahead).push_back(child);
        }
    }

    fn fork(&self) -> Result<Child, String> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (socket, theirs) =
            UnixStream::pair().map_err(|error| format!("no socket for the job: {error}"))?;
        let (sender, ended) = oneshot::channel();
        lock(&self.pending).insert(id, Pending { ended: sender, permit: None });
        // Else the listener may have emptied the table before this entry came.
        if self.is_gone() {
            lock(&self.pending).clear();
        }
        self.send(Order::Fork { id }, Some(theirs.into()))?;
        Ok(Child { id, socket, ended })
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

/// The life of a worker's thread: start the process, hear it out, see it end.
fn begin(
    exe: &Path,
    (strength, ahead): (Strength, usize),
    ours: OwnedFd,
    theirs: OwnedFd,
    tell: &mpsc::Sender<Result<(Arc<Worker>, Report), Failure>>,
) {
    let mut child = match process::start(exe, &[WORKER_ARG, strength.name()], theirs) {
        Ok(child) => child,
        Err(failure) => {
            let _ = tell.send(Err(failure));
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
    let layers = layers.join(", ");
    let worker = Arc::new(Worker {
        control: ours,
        strength,
        isolation: format!("isolate/{}: {layers}", strength.name()).into(),
        wasm_isolation: format!("wasm/{}: wasmtime, {layers}", strength.name()).into(),
        pending: Mutex::default(),
        ahead: Mutex::default(),
        most_ahead: ahead,
        next_id: AtomicU64::new(1),
        gone: AtomicBool::new(false),
        listener: Mutex::new(None),
    });
    worker.top_up();
    if tell.send(Ok((worker.clone(), report))).is_ok() {
        listen(&worker);
    }
    worker.stop();
    // Those who wait for a run hear that it has gone with the worker.
    lock(&worker.pending).clear();
    lock(&worker.ahead).clear();
    end(&mut child);
}

/// Brings notices to those who wait, until the worker has gone.
fn listen(worker: &Worker) {
    while let Some(notice) = receive(&worker.control) {
        match notice {
            Notice::Ended(ended) => {
                let pending = lock(&worker.pending).remove(&ended.id);
                lock(&worker.ahead).retain(|child| child.id != ended.id);
                let Some(pending) = pending else { continue };
                // A child that had a job is replaced now, when nobody waits for its answer any
                // more: not while it runs, and takes the processor. One that ended while it waited
                // is not, so that children that cannot live are not made without end.
                let had_job = pending.permit.is_some();
                // Nobody waits any more if the answer had come already.
                let _ = pending.ended.send(ended);
                if had_job {
                    worker.top_up();
                }
            }
            Notice::Ready(_) | Notice::Failed { .. } => {
                tracing::error!("the isolate worker speaks out of turn");
                return;
            }
        }
    }
}
