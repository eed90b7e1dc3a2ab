//! Looking at executions. Everything shown comes from the store, so it is durable: what somebody
//! has seen can never be taken back by a crash.

use crate::engine::Engine;
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::{Event, Execution, Summary, View, decode, replay};
use jalm_kernel::ports::{Filter, StoreError, Stored};
use tokio::sync::watch;

impl Engine {
    /// The durable state of one execution.
    pub async fn view(&self, id: ExecutionId) -> Result<Option<View>, StoreError> {
        let Some(stored) = self.0.store.load(id).await? else { return Ok(None) };
        self.replay(id, &stored).map(|execution| Some(execution.view()))
    }

    /// The durable events from number `from` on, numbered; `None` if there is no such execution.
    pub async fn events(
        &self,
        id: ExecutionId,
        from: u64,
    ) -> Result<Option<Vec<(u64, Event)>>, StoreError> {
        let records = self.0.store.records(id, from).await?;
        if records.is_empty() && self.0.store.load(id).await?.is_none() {
            return Ok(None);
        }
        let mut events = Vec::new();
        for record in records {
            let decoded = decode(&record.record).map_err(|error| corrupt(id, &error))?;
            events.extend((record.first..).zip(decoded).filter(|(number, _)| *number >= from));
        }
        Ok(Some(events))
    }

    /// How many events of a running execution are durable; changes with each flush, closes at its
    /// end. `None` when it does not run here.
    pub fn watch(&self, id: ExecutionId) -> Option<watch::Receiver<u64>> {
        let live = self.0.table.get(id)?;
        let mut durable = live.durable.subscribe();
        drop(live);
        let (sender, receiver) = watch::channel(durable.borrow_and_update().events);
        self.0.runtime.spawn(async move {
            loop {
                let state = *durable.borrow_and_update();
                sender.send_replace(state.events);
                if state.ended || sender.is_closed() {
                    return;
                }
                tokio::select! {
                    changed = durable.changed() => if changed.is_err() { return },
                    () = sender.closed() => return,
                }
            }
        });
        Some(receiver)
    }

    /// Lists executions, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Summary>, StoreError> {
        self.0.store.list(filter).await
    }

    /// Forgets a finished execution; false when there is none of this id or it has not ended.
    pub async fn delete(&self, id: ExecutionId) -> Result<bool, StoreError> {
        self.0.store.delete(id).await
    }

    pub(crate) fn replay(&self, id: ExecutionId, stored: &Stored) -> Result<Execution, StoreError> {
        let plan = self.compile(&stored.source).map_err(|problems| {
            let first = problems.first().map_or("", |problem| problem.message.as_str());
            corrupt(id, &format!("its intent does not compile with this version of jalm: {first}"))
        })?;
        replay(id, plan, events_of(stored)?).map_err(|error| corrupt(id, &error.to_string()))
    }
}

pub(crate) fn events_of(stored: &Stored) -> Result<Vec<Event>, StoreError> {
    let id = stored.summary.execution_id;
    let mut events = Vec::new();
    for record in &stored.records {
        if record.first != events.len() as u64 {
            return Err(corrupt(
                id,
                &format!("events {} to {} are missing", events.len(), record.first),
            ));
        }
        events.extend(decode(&record.record).map_err(|error| corrupt(id, &error))?);
    }
    Ok(events)
}

fn corrupt(id: ExecutionId, why: &str) -> StoreError {
    StoreError::Corrupt {
        message: format!(
            "the journal of execution {id} cannot be read: {why}; nothing was changed, restore the store from a backup or delete this execution"
        ),
    }
}
