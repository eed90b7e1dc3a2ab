//! Taking submissions, waiting for their end, stopping them.

use crate::engine::{CancelError, Engine, Mode, Receipt, Submission, SubmitError, Waited, now};
use crate::live::{Durable, Live};
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::{Event, Execution, Input, JOURNAL_FORMAT, Status, Submitted, View};
use jalm_kernel::plan::Plan;
use jalm_kernel::ports::{Birth, Health, StoreError};
use jalm_kernel::source::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a submission leads to.
enum Accepted {
    New(Arc<Live>),
    Known(ExecutionId),
}

impl Engine {
    /// Takes a submission; it is durable when this returns.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, SubmitError> {
        match self.accept(submission).await? {
            Accepted::New(live) => {
                let durable = reached(&live, |durable| durable.events > 0).await?;
                let status =
                    if durable.ended { live.lock().execution.status() } else { Status::Running };
                Ok(Receipt { id: live.id, status, existing: false })
            }
            Accepted::Known(id) => self.known(id).await,
        }
    }

    /// Takes a submission and waits for its end, at most `wait`.
    pub async fn run(&self, submission: Submission, wait: Duration) -> Result<Waited, SubmitError> {
        let live = match self.accept(submission).await? {
            Accepted::New(live) => live,
            Accepted::Known(id) => {
                let receipt = self.known(id).await?;
                return match self.wait(id, wait).await? {
                    Some(view) if view.summary.status.is_end() => Ok(Waited::Ended(Box::new(view))),
                    Some(_) | None => Ok(Waited::Running(receipt)),
                };
            }
        };
        let ended = tokio::time::timeout(wait, reached(&live, |durable| durable.ended)).await;
        match ended {
            // Everything of it is durable, so the state in memory may be shown.
            Ok(Ok(_)) => Ok(Waited::Ended(Box::new(live.lock().execution.view()))),
            // Time is up; or the runner stops, and the execution goes on at the next start.
            Err(_) | Ok(Err(StoreError::Closed)) => {
                reached(&live, |durable| durable.events > 0).await?;
                Ok(Waited::Running(Receipt {
                    id: live.id,
                    status: Status::Running,
                    existing: false,
                }))
            }
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// Waits for the end of an execution, at most `wait`; then shows it as it is.
    pub async fn wait(&self, id: ExecutionId, wait: Duration) -> Result<Option<View>, StoreError> {
        if let Some(live) = self.0.table.get(id) {
            // Whether it ended in time is seen in the view.
            let _ = tokio::time::timeout(wait, reached(&live, |durable| durable.ended)).await;
        }
        self.view(id).await
    }

    /// Stops an execution and everything it runs; durable when it returns.
    pub async fn cancel(&self, id: ExecutionId, reason: &str) -> Result<(), CancelError> {
        let cancel = || Input::Cancel { reason: reason.to_owned() };
        let mut live = self.0.table.get(id);
        if live.is_none() {
            // Not taken up yet, or it could not be: it ends without starting anything more.
            if let Some(taken) = self.take_up(id, cancel()).await? {
                return Ok(reached(&taken, |durable| durable.ended).await.map(|_| ())?);
            }
            // Somebody else was faster: it runs, or has ended.
            live = self.0.table.get(id);
        }
        let Some(live) = live else {
            return Err(match self.0.store.load(id).await? {
                None => CancelError::Unknown(id),
                Some(stored) => CancelError::Ended(id, stored.summary.status),
            });
        };
        self.drive(&live, cancel());
        reached(&live, |durable| durable.ended).await?;
        let status = live.lock().execution.status();
        if status == Status::Cancelled { Ok(()) } else { Err(CancelError::Ended(id, status)) }
    }

    async fn accept(&self, submission: Submission) -> Result<Accepted, SubmitError> {
        if self.0.mode() != Mode::Open {
            return Err(SubmitError::ShuttingDown);
        }
        let in_flight = self.0.table.len();
        if in_flight >= self.0.options.max_in_flight {
            return Err(SubmitError::Busy(in_flight));
        }
        if let Health::Degraded(message) = self.0.store.health() {
            return Err(SubmitError::Store(StoreError::Unavailable { message }));
        }
        let plan = self.compile(&submission.source).map_err(SubmitError::Config)?;
        let params = plan.check_params(submission.params).map_err(SubmitError::Params)?;
        let submitted = Submitted {
            format: JOURNAL_FORMAT,
            at: now(),
            intent: plan.name.clone(),
            version: plan.version.clone(),
            plan: plan.hash,
            params,
            env: self.env(&plan).map_err(SubmitError::Config)?,
            key: submission.key.as_deref().map(Arc::from),
            timeout: submission.timeout,
        };
        let Some(key) = submitted.key.clone() else {
            return Ok(Accepted::New(self.begin(plan, submitted)));
        };
        let _one_at_a_time = self.0.keys.lock().await;
        if let Some(live) = self.0.table.by_key(&key) {
            let same = live.lock().execution.is_of(&submitted);
            reached(&live, |durable| durable.events > 0).await?;
            return if same {
                Ok(Accepted::Known(live.id))
            } else {
                Err(SubmitError::KeyConflict(live.id))
            };
        }
        match self.0.store.find_key(&key).await? {
            Some(id) if self.stored_is_of(id, &submitted).await? => Ok(Accepted::Known(id)),
            Some(id) => Err(SubmitError::KeyConflict(id)),
            None => Ok(Accepted::New(self.begin(plan, submitted))),
        }
    }

    /// Starts an execution; nothing of it is durable yet.
    fn begin(&self, plan: Arc<Plan>, submitted: Submitted) -> Arc<Live> {
        self.0.counters.submitted.fetch_add(1, Ordering::Relaxed);
        let birth =
            Birth { plan: plan.hash, source: plan.source.clone(), key: submitted.key.clone() };
        let key = submitted.key.clone();
        let event = Event::Submitted(submitted.clone());
        let live = Live::new(Execution::new(new_id(), plan, submitted), Some(birth), key);
        live.lock().unsent.push(event);
        self.0.table.insert(&live);
        self.drive(&live, Input::Start);
        self.give_up_if_stopped(&live);
        live
    }

    async fn known(&self, id: ExecutionId) -> Result<Receipt, SubmitError> {
        let status = match self.0.store.load(id).await? {
            Some(stored) => stored.summary.status,
            None => Status::Running,
        };
        Ok(Receipt { id, status, existing: true })
    }

    async fn stored_is_of(
        &self,
        id: ExecutionId,
        submitted: &Submitted,
    ) -> Result<bool, StoreError> {
        let Some(stored) = self.0.store.load(id).await? else { return Ok(false) };
        Ok(match crate::read::events_of(&stored)?.first() {
            Some(Event::Submitted(first)) => {
                first.plan == submitted.plan && first.params == submitted.params
            }
            _ => false,
        })
    }

    /// The environment values that the plan reads, if the operator allows them all.
    fn env(&self, plan: &Plan) -> Result<BTreeMap<String, String>, Vec<Problem>> {
        let mut values = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, span) in &plan.env_names {
            match self.0.options.env.get(name) {
                Some(value) => {
                    values.insert(name.clone(), value.clone());
                }
                None => problems.push(Problem {
                    code: "env_not_allowed",
                    path: format!("env.{name}"),
                    span: *span,
                    message: format!("the operator does not let intents read `{name}` from the environment"),
                    hint: format!("add `{name}` to `policy.env` in the runner's config and set it, or use a param").into(),
                    warning: false,
                }),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }
}

/// Waits until the store has got that far with an execution.
async fn reached(live: &Live, enough: impl Fn(&Durable) -> bool) -> Result<Durable, StoreError> {
    let mut durable = live.durable.subscribe();
    let found = durable.wait_for(|durable| live.lost.get().is_some() || enough(durable)).await;
    match found.map(|durable| *durable) {
        Ok(durable) if enough(&durable) => Ok(durable),
        Ok(_) | Err(_) => Err(live.lost.get().cloned().unwrap_or(StoreError::Closed)),
    }
}

fn new_id() -> ExecutionId {
    ExecutionId(uuid::Uuid::now_v7())
}
