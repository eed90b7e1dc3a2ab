//! The one thread that writes: takes what waits, commits it, tells everyone.

use super::batch::{self, Outcome};
use super::command::Command;
use super::known::Known;
use super::lock::Lock;
use super::mailbox::Taken;
use super::{Shared, fault, lock};
use crate::OpenError;
use jalm_kernel::ports::{Health, StoreError};
use rusqlite::Connection;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most that one transaction holds: beyond, a longer commit gains nothing.
const BATCH_COMMANDS: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;
/// Pauses between tries while the disk refuses.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After so long without a command, the log goes into the database while nobody waits.
const IDLE: Duration = Duration::from_millis(250);

/// Starts the thread; it owns the connection and the lock until the store is closed.
pub(super) fn start(
    shared: Arc<Shared>,
    connection: Connection,
    lock: Lock,
) -> Result<JoinHandle<()>, OpenError> {
    let path = shared.path.clone();
    let identity = identity(&path).map_err(|error| lock::of_io(&path, &error))?;
    let mut writer = Writer {
        connection,
        shared,
        identity,
        known: Known::default(),
        sets: 0,
        dirty: false,
        lost: 0,
    };
    std::thread::Builder::new()
        .name("jalm-store".to_owned())
        .spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| writer.run()));
            writer.end(ended.is_err());
            let shared = writer.shared.clone();
            // First the connection, then the lock: the next owner finds the file at rest.
            drop(writer);
            drop(lock);
            shared.ended.send_replace(true);
        })
        .map_err(|error| lock::of_io(&path, &error))
}

struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    /// Which file was opened, by device and number.
    identity: (u64, u64),
    known: Known,
    /// `set`s since the last sweep.
    sets: u32,
    /// Whether something was committed since the last tidying.
    dirty: bool,
    /// Commands given up at the close because the disk refused.
    lost: usize,
}

impl Writer {
    fn run(&mut self) {
        let mut taken = Vec::new();
        loop {
            match self.shared.mailbox.take(&mut taken, self.dirty.then_some(IDLE)) {
                Taken::Commands => self.write_all(&mut taken),
                Taken::Idle => self.tidy(),
                Taken::Closed => return,
            }
        }
    }

    /// Writes all of it, a bounded transaction at a time.
    fn write_all(&mut self, taken: &mut Vec<Command>) {
        let mut rest = taken.drain(..).peekable();
        while rest.peek().is_some() {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            while let Some(command) =
                rest.next_if(|_| chunk.len() < BATCH_COMMANDS && bytes < BATCH_BYTES)
            {
                bytes += command.weight();
                chunk.push(command);
            }
            self.write(chunk);
        }
        drop(rest);
        // One great wave must not hold its memory for ever.
        taken.shrink_to(BATCH_COMMANDS);
    }

    /// Writes one transaction and tells everyone; stays here until it is written, refused, or the
    /// store is closed.
    fn write(&mut self, mut chunk: Vec<Command>) {
        let mut pause = FIRST_PAUSE;
        let mut trouble: Option<Trouble> = None;
        loop {
            // Asked before the try: whoever closes gets one full try.
            let closing = self.shared.mailbox.is_closing();
            if self.lost > 0 && closing {
                return self.give_up(chunk);
            }
            let error = match self.commit(&chunk) {
                Ok(outcomes) => {
                    if let Some(trouble) = trouble {
                        self.recovered(&trouble);
                    }
                    self.dirty = true;
                    for (command, outcome) in chunk.into_iter().zip(outcomes) {
                        command.done.tell(outcome);
                    }
                    return;
                }
                Err(error) => error,
            };
            if !fault::is_of_command(&error) {
                if closing {
                    tracing::error!(%error, "the store closes although it cannot write");
                    return self.give_up(chunk);
                }
                self.degraded(&error, chunk.len(), &mut trouble);
                self.shared.mailbox.pause(pause);
                pause = (2 * pause).min(LONGEST_PAUSE);
            } else if chunk.len() == 1 {
                tracing::error!(%error, "the store refused a change");
                let refused = fault::of_command(&self.shared.path, &error);
                for command in chunk.drain(..) {
                    command.done.tell(Err(refused.clone()));
                }
                return;
            } else {
                tracing::warn!(%error, "one change spoils a commit: each is written alone");
                for command in chunk.drain(..) {
                    self.write(vec![command]);
                }
                return;
            }
        }
    }

    fn commit(&mut self, chunk: &[Command]) -> rusqlite::Result<Vec<Outcome>> {
        #[cfg(test)]
        self.bound_pages()?;
        self.still_there()?;
        let now = self.shared.now.load(Ordering::Relaxed);
        let result = self
            .transact(|connection, known, sets| batch::apply(connection, known, sets, chunk, now))
            // What went into a file that nobody will find again was not kept.
            .and_then(|outcomes| self.still_there().map(|()| outcomes));
        if result.is_err() {
            self.known.forget_all();
        }
        result
    }

    /// Whether the file at the store's path is the one that was opened. SQLite itself would go on
    /// writing into a file that was deleted, and everything would be lost in the end.
    fn still_there(&self) -> rusqlite::Result<()> {
        match identity(&self.shared.path) {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) | Err(_) => Err(fault::moved()),
        }
    }

    fn transact<T>(
        &mut self,
        act: impl FnOnce(&Connection, &mut Known, &mut u32) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = &self.connection;
        let run = |sql| connection.prepare_cached(sql)?.execute([]);
        if !connection.is_autocommit() {
            run("ROLLBACK")?; // it failed the last time
        }
        run("BEGIN IMMEDIATE")?;
        let result = act(connection, &mut self.known, &mut self.sets)
            .and_then(|done| run("COMMIT").map(|_| done));
        // Some errors have rolled back already.
        if result.is_err() && !connection.is_autocommit() {
            run("ROLLBACK")?;
        }
        result
    }

    fn degraded(&self, error: &rusqlite::Error, waiting: usize, trouble: &mut Option<Trouble>) {
        let (what, remedy) = fault::explain(error);
        let path = self.shared.path.display();
        let text = format!("cannot write the store `{path}`: {what}; {remedy}, then it goes on");
        let trouble = trouble.get_or_insert_with(|| Trouble {
            since: Instant::now(),
            tries: 0,
            text: String::new(),
        });
        trouble.tries += 1;
        if trouble.text != text {
            tracing::error!(%error, waiting, "{text}");
            trouble.text.clone_from(&text);
        }
        self.shared.set_health(Health::Degraded(text));
    }

    fn recovered(&self, trouble: &Trouble) {
        self.shared.set_health(Health::Good);
        tracing::info!(
            after_ms = trouble.since.elapsed().as_millis(),
            tries = trouble.tries,
            "the store writes again, nothing was lost"
        );
    }

    fn give_up(&mut self, chunk: Vec<Command>) {
        self.lost += chunk.len();
        for command in chunk {
            command.done.tell(Err(StoreError::Closed));
        }
    }

    /// Work for quiet moments. What fails here is tried again at the next one.
    fn tidy(&mut self) {
        self.dirty = false;
        let now = self.shared.now.load(Ordering::Relaxed);
        if self.sets > 0 {
            self.sets = 0;
            match self.transact(|connection, _, _| batch::sweep(connection, now)) {
                // There may be more: comes back soon.
                Ok(swept) if swept > 0 => (self.sets, self.dirty) = (1, true),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "expired values stay for now"),
            }
        }
        self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)");
    }

    fn checkpoint(&self, pragma: &str) {
        if let Err(error) = self.connection.query_row(pragma, [], |_| Ok(())) {
            tracing::debug!(%error, "the log stays as it is for now");
        }
    }

    /// Nothing comes any more: leaves one tidy file behind.
    fn end(&mut self, panicked: bool) {
        if panicked {
            let text = "the store's writer broke off; this is a bug in jalm, please report it; \
                        a restart goes on from the last record on disk";
            tracing::error!("{text}");
            self.shared.set_health(Health::Degraded(text.to_owned()));
            self.shared.mailbox.close();
            let mut rest = Vec::new();
            while let Taken::Commands = self.shared.mailbox.take(&mut rest, None) {
                self.give_up(std::mem::take(&mut rest));
            }
        }
        if self.lost > 0 {
            let lost = self.lost;
            tracing::error!(lost, "closed with records that could not be written");
        }
        self.shared.readers.close();
        self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    #[cfg(test)]
    fn bound_pages(&self) -> rusqlite::Result<()> {
        let pages = match self.shared.max_pages.load(Ordering::Relaxed) {
            0 => u32::MAX - 1,
            pages => pages,
        };
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// A disk that refuses.
struct Trouble {
    since: Instant,
    tries: u32,
    text: String,
}
