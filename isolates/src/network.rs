//! The network of a run: a way out that its caller made, and nothing else.
//!
//! A run with an [`Egress`] has a network namespace of its own. In it listens one socket, and the
//! server has it: whatever the foreign code connects to is this run's [`Egress`]. When the run ends,
//! the listener and all its connections are dropped.

use crate::api::Refused;
use rustix::fd::AsFd;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::future::Future;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::{TcpListener, UnixStream};

/// Serves the connections of one run. What it lets through is its own matter.
pub trait Egress: Send + Sync {
    /// Serves whatever comes to this listener. Dropping the future closes all connections; it may
    /// end by itself, and then nothing is let out any more.
    fn serve(self: Arc<Self>, listener: TcpListener) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A way out with where its run listens.
pub(crate) struct Way {
    egress: Arc<dyn Egress>,
    listener: TcpListener,
}

impl Way {
    pub(crate) fn new(
        egress: &Arc<dyn Egress>,
        listener: std::net::TcpListener,
    ) -> Result<Self, Refused> {
        let failed = |error: std::io::Error| Refused::Unavailable {
            why: format!("the listener of a script cannot be used: {error}"),
        };
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        Ok(Self { egress: Arc::clone(egress), listener })
    }
}

/// Runs something with its way out, as long as it runs.
pub(crate) async fn beside<T>(way: Option<Way>, run: impl Future<Output = T>) -> T {
    let Some(Way { egress, listener }) = way else { return run.await };
    let serving = async {
        egress.serve(listener).await;
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        done = run => done,
        never = serving => match never {},
    }
}

/// The first word on a process' own socket: its listener, or another byte.
pub(crate) async fn listener(
    socket: &UnixStream,
) -> std::io::Result<Result<std::net::TcpListener, u8>> {
    loop {
        socket.readable().await?;
        match socket.try_io(Interest::READABLE, || receive(socket)) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            received => return received,
        }
    }
}

fn receive(socket: &UnixStream) -> std::io::Result<Result<std::net::TcpListener, u8>> {
    let mut word = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut word)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut given = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        RecvAncillaryMessage::ScmCredentials(_) | _ => None,
    });
    match (word, given.next()) {
        ([b'L'], Some(listener)) => Ok(Ok(listener.into())),
        ([word], _) => Ok(Err(word)),
    }
}
