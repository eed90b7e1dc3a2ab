//! A world for tests: its own folders, stores in memory, a real HTTP server when one is needed.

mod examples;
mod stores;
mod stub;

pub(crate) use stub::{Reply, Stub};

use crate::{Layers, Options, Policy};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Millis, Place};
use jalm_kernel::intent::Grants;
use jalm_kernel::ports::{Call, Runner};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stores::{MemoryKv, MemoryQueue};

/// Layers and what they stand on.
pub(crate) struct World {
    pub(crate) layers: Arc<Layers>,
    pub(crate) queue: Arc<MemoryQueue>,
    folder: tempfile::TempDir,
    calls: AtomicU32,
}

impl World {
    /// Everything is allowed, loopback too.
    pub(crate) fn new() -> Self {
        Self::with_policy(Policy { private_networks: true, ..Policy::default() })
    }

    pub(crate) fn with_policy(policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = Arc::new(MemoryQueue::default());
        let layers = Layers::new(Options {
            data: folder.path().join("data"),
            files: folder.path().join("files"),
            connections: BTreeMap::new(),
            auto_connections: true,
            policy,
            kv: Arc::new(MemoryKv::default()),
            queue: queue.clone(),
            isolates: isolates(),
        })
        .unwrap();
        Self { layers, queue, folder, calls: AtomicU32::new(0) }
    }

    /// A path below the file root, as the system knows it.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join("files").join(path)
    }

    /// A path outside of the file root.
    pub(crate) fn outside(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A call with a key of its own.
    pub(crate) fn call(&self, atom: &str, input: Value) -> Call {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let entry = self.layers.catalog().entry(atom).unwrap();
        Call {
            execution: ExecutionId(uuid::Uuid::nil()),
            intent: "test".into(),
            place: Place { step: "step".into(), items: Vec::new() },
            attempt: 1,
            atom: entry.card.name,
            input,
            idempotency_key: format!("jalm-test-{number}").into(),
            timeout: Millis(30_000),
            grants: None,
            pins: jalm_kernel::ports::Pins::default(),
        }
    }

    pub(crate) async fn perform(&self, call: Call) -> Result<Value, Failure> {
        self.layers.run(call).await.map(|answer| answer.output)
    }

    pub(crate) async fn run(&self, atom: &str, input: Value) -> Result<Value, Failure> {
        self.perform(self.call(atom, input)).await
    }

    pub(crate) async fn run_granted(
        &self,
        atom: &str,
        input: Value,
        grants: Grants,
    ) -> Result<Value, Failure> {
        let call = Call { grants: Some(Arc::new(grants)), ..self.call(atom, input) };
        self.perform(call).await
    }

    /// Each input is refused with a message and a hint that hold these parts.
    pub(crate) async fn refuses(&self, atom: &str, cases: &[(Value, &str, &str)]) {
        for (input, message, hint) in cases {
            let failure = match self.run(atom, input.clone()).await {
                Ok(output) => panic!("{atom} took {input} and gave {output}"),
                Err(failure) => failure,
            };
            assert!(!failure.retryable, "{input}: {failure:?}");
            assert!(failure.message.contains(message), "{input}: {failure:?}");
            let given = failure.hint.as_deref().unwrap_or_default();
            assert!(given.contains(hint), "{input}: {failure:?}");
        }
    }
}

/// Isolates that no test of this crate starts: what runs in them is tested where they are built.
fn isolates() -> jalm_isolates::Isolates {
    jalm_isolates::Isolates::new(jalm_isolates::Options::new(PathBuf::from("/nonexistent")))
}
