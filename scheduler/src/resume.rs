//! Going on after a stop or a crash.

use crate::engine::{Engine, Mode, TAKING};
use crate::live::Live;
use futures_util::StreamExt;
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::Input;
use jalm_kernel::ports::StoreError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Journals read at once; more would only wait for the same disk.
const READS_AT_ONCE: usize = 16;

impl Engine {
    /// Takes up every execution that had not ended when the last runner stopped. Returns how many.
    pub async fn resume_unfinished(&self) -> Result<usize, StoreError> {
        let ids = self.0.store.unfinished().await?;
        let resumed = futures_util::stream::iter(ids)
            .map(|id| async move {
                match self.resume(id).await {
                    Ok(resumed) => usize::from(resumed),
                    Err(error) => {
                        tracing::error!(execution_id = %id, %error, "an execution cannot go on");
                        0
                    }
                }
            })
            .buffer_unordered(READS_AT_ONCE)
            .fold(0, async |sum, one| sum + one)
            .await;
        if resumed > 0 {
            tracing::info!(executions = resumed, "went on with executions of an earlier run");
        }
        Ok(resumed)
    }

    /// Takes up one execution that had not ended. False when there is none such, or it runs here
    /// already.
    pub async fn resume(&self, id: ExecutionId) -> Result<bool, StoreError> {
        if self.0.mode() != Mode::Open {
            return Ok(false);
        }
        Ok(self.take_up(id, Input::Recover).await?.is_some())
    }

    /// Takes up an execution that had not ended; `input` is the first that it gets. None when
    /// there is none such, or it runs here already.
    pub(crate) async fn take_up(
        &self,
        id: ExecutionId,
        input: Input,
    ) -> Result<Option<Arc<Live>>, StoreError> {
        let _alone = self.0.taking[usize::from(id.0.as_bytes()[15]) % TAKING].lock().await;
        if self.0.table.get(id).is_some() {
            return Ok(None);
        }
        let Some(stored) = self.0.store.load(id).await? else { return Ok(None) };
        if stored.summary.status.is_end() {
            return Ok(None);
        }
        let execution = self.replay(id, &stored)?;
        let key = execution.key();
        let live = Live::new(execution, None, key);
        if !self.0.table.insert(&live) {
            return Ok(None);
        }
        self.0.counters.resumed.fetch_add(1, Ordering::Relaxed);
        self.drive(&live, input);
        self.give_up_if_stopped(&live);
        Ok(Some(live))
    }

    /// A shutdown has come between: what was not driven never will be, here.
    pub(crate) fn give_up_if_stopped(&self, live: &Arc<Live>) {
        if self.0.mode() == Mode::Stopped && live.lock().sent == live.flushed() {
            self.0.table.remove(live);
            live.give_up(StoreError::Closed);
        }
    }
}
