//! What one call has: bounds of its memory, and a place for what it prints.

use crate::mutex::lock;
use crate::wasm::engine::{PARTS, TABLE_ELEMENTS};
use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime::{ResourceLimiter, Result, format_err};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};
use wasmtime_wasi::{WasiCtxBuilder, WasiCtxView, WasiView};

/// Handles that a component may have: streams, clocks, random numbers.
const HANDLES: usize = 10_000;

/// The state of a store.
pub(super) struct Guest {
    pub(super) wasi: WasiP1Ctx,
    pub(super) meter: Meter,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl Guest {
    /// A guest that reads these bytes and prints into these places: no folders, no environment, no
    /// network.
    pub(super) fn new(stdin: Vec<u8>, memory: u64, out: &Printed, err: &Printed) -> Self {
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdin(MemoryInputPipe::new(stdin))
            .stdout(out.clone())
            .stderr(err.clone())
            .arg("script")
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        let mut wasi = wasi.build_p1();
        wasi.ctx().table.set_max_capacity(HANDLES);
        let most = usize::try_from(memory).unwrap_or(usize::MAX);
        Self { wasi, meter: Meter { most, now: 0, peak: 0, grown: 0, refused: false } }
    }
}

/// Counts the memory of a store and refuses too much.
pub(super) struct Meter {
    pub(super) most: usize,
    pub(super) now: usize,
    /// The most it had.
    pub(super) peak: usize,
    /// By how much it grew the last time.
    grown: usize,
    /// It wanted more than it may have.
    pub(super) refused: bool,
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        let grown = wanted.saturating_sub(now);
        let total = self.now.saturating_add(grown);
        if total > self.most {
            self.refused = true;
            return Ok(false);
        }
        (self.now, self.grown, self.peak) = (total, grown, self.peak.max(total));
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        // Beyond what the module itself allows, or the machine has no more.
        self.now = self.now.saturating_sub(std::mem::take(&mut self.grown));
        Ok(())
    }

    fn table_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        Ok(wanted <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        PARTS as usize
    }

    fn tables(&self) -> usize {
        PARTS as usize
    }

    fn memories(&self) -> usize {
        PARTS as usize
    }
}

/// Printed text. Who prints too much is ended at once.
#[derive(Clone)]
pub(super) struct Printed {
    text: Arc<Mutex<Text>>,
}

struct Text {
    /// So many bytes may be printed.
    most: usize,
    bytes: Vec<u8>,
    overflown: bool,
}

impl Printed {
    pub(super) fn new(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let text = Text { most, bytes: Vec::new(), overflown: false };
        Self { text: Arc::new(Mutex::new(text)) }
    }

    /// Lets so many bytes be printed.
    pub(super) fn allow(&self, most: u64) {
        self.lock().most = usize::try_from(most).unwrap_or(usize::MAX);
    }

    /// It is more than it may be.
    pub(super) fn overflown(&self) -> bool {
        self.lock().overflown
    }

    /// What was printed.
    pub(super) fn take(&self) -> String {
        let bytes = std::mem::take(&mut self.lock().bytes);
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Text> {
        lock(&self.text)
    }

    fn add(&self, bytes: &[u8]) -> Result<()> {
        let mut text = self.lock();
        if bytes.len() > text.most.saturating_sub(text.bytes.len()) {
            text.overflown = true;
            return Err(format_err!("it printed too much"));
        }
        text.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.add(&bytes).map_err(StreamError::Trap)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 * 1024)
    }
}

impl Pollable for Printed {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.add(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
