//! Work that blocks a thread: files and SQLite, off the event loop and abortable.

use jalm_kernel::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells blocking work that nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abort(Arc<AtomicBool>);

impl Abort {
    /// Whether the caller has gone.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once the caller has gone; nobody sees it, it only ends the work.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_set() {
            return Err(Failure::permanent("aborted", "the call was aborted")
                .hint("it ran out of time or was cancelled"));
        }
        Ok(())
    }
}

/// Sets the flag when the waiting future is dropped.
struct OnDrop(Abort);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread that may block. When the returned future is dropped, the work's
/// [`Abort`] is set; work that has not begun does not begin.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce(&Abort) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let abort = Abort::default();
    let watched = abort.clone();
    let _on_drop = OnDrop(abort);
    let task = tokio::task::spawn_blocking(move || {
        watched.check()?;
        work(&watched)
    });
    task.await.map_err(|error| Failure::bug(format!("blocking work: {error}")))?
}

/// Work above this size goes to a thread; below it, going there costs more than the work.
const INLINE: usize = 64 * 1024;

/// Computes over `size` bytes: at once when they are few, else on a thread that may take its time.
pub(crate) async fn compute<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if size <= INLINE { work() } else { run(move |_| work()).await }
}
