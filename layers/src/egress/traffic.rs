//! What goes through the connections of a call: counted, and ended when it is too much or nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that one call may send, and as many that it may get.
pub(super) const MOST: u64 = 1 << 30;

/// A connection on which nothing moves for so long is closed.
pub(super) const IDLE: Duration = Duration::from_mins(1);

/// Bytes of all connections of a call.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicU64,
    got: AtomicU64,
}

impl Traffic {
    /// Whether nothing more may go through.
    pub(super) fn is_used_up(&self) -> bool {
        self.sent.load(Ordering::Relaxed) > MOST || self.got.load(Ordering::Relaxed) > MOST
    }

    fn check(&self) -> io::Result<()> {
        if self.is_used_up() {
            return Err(io::Error::other("the call has moved as many bytes as it may"));
        }
        Ok(())
    }
}

/// When something moved last.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    begin: Instant,
    last: Arc<AtomicU64>,
}

impl Activity {
    fn note(&self) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// Waits until nothing has moved for so long.
    pub(super) async fn ends(&self) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let silent = self.begin.elapsed().saturating_sub(last);
            match IDLE.checked_sub(silent) {
                Some(left) if !left.is_zero() => tokio::time::sleep(left).await,
                Some(_) | None => return,
            }
        }
    }
}

/// A script's connection.
pub(super) struct Watched {
    stream: TcpStream,
    traffic: Arc<Traffic>,
    activity: Activity,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, traffic: Arc<Traffic>) -> Self {
        let activity = Activity { begin: Instant::now(), last: Arc::default() };
        Self { stream, traffic, activity }
    }

    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    fn count(&self, counter: impl FnOnce(&Traffic) -> &AtomicU64, bytes: usize) {
        counter(&self.traffic).fetch_add(bytes as u64, Ordering::Relaxed);
        self.activity.note();
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.traffic.check()?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if polled.is_ready() {
            self.count(|traffic| &traffic.sent, buffer.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.traffic.check()?;
        let polled = Pin::new(&mut self.stream).poll_write(cx, data);
        if let Poll::Ready(Ok(written)) = polled {
            self.count(|traffic| &traffic.got, written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
