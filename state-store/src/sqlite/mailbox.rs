//! What waits for the writer: every thread pushes, the writer takes all at once.

use super::command::Command;
use jalm_kernel::ports::StoreError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct Mailbox {
    inbox: Mutex<Inbox>,
    wake: Condvar,
}

#[derive(Default)]
struct Inbox {
    commands: Vec<Command>,
    /// The writer waits for a command; only then a push costs a wake-up.
    sleeping: bool,
    closing: bool,
}

/// What the writer does next.
pub(super) enum Taken {
    /// The commands are in the vector that it gave.
    Commands,
    /// Nothing came for a while.
    Idle,
    /// Nothing waits and nothing can come.
    Closed,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that can panic runs under this lock.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a command, or tells it that the store is closed.
    pub(super) fn push(&self, command: Command) {
        let mut inbox = self.lock();
        if inbox.closing {
            drop(inbox);
            command.done.tell(Err(StoreError::Closed));
            return;
        }
        inbox.commands.push(command);
        let asleep = std::mem::take(&mut inbox.sleeping);
        drop(inbox);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// Nothing can come any more; the writer ends when it has written the rest.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Whether [`close`](Self::close) was called.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Fills `into` (empty; its memory is used again) with everything that waits. Waits for
    /// something, or at most `patience`.
    pub(super) fn take(&self, into: &mut Vec<Command>, patience: Option<Duration>) -> Taken {
        let mut inbox = self.lock();
        if inbox.commands.is_empty() && !inbox.closing {
            inbox.sleeping = true;
            let idle = |inbox: &mut Inbox| inbox.commands.is_empty() && !inbox.closing;
            inbox = match patience {
                None => self.wake.wait_while(inbox, idle).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.wake.wait_timeout_while(inbox, patience, idle);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            inbox.sleeping = false;
        }
        if !inbox.commands.is_empty() {
            std::mem::swap(&mut inbox.commands, into);
            return Taken::Commands;
        }
        if inbox.closing { Taken::Closed } else { Taken::Idle }
    }

    /// Waits before the next try; true when the store is closing.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut inbox = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if inbox.closing || left.is_zero() {
                return inbox.closing;
            }
            inbox = self.wake.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
