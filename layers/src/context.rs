//! What one call carries to its atom.

use crate::access::Access;
use crate::runner::Shared;
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Place, Timestamp};
use jalm_kernel::intent::Grants;
use jalm_kernel::ports::Pins;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One call: who calls, under which key, and what it may touch. Atoms reach the outside only
/// through it.
#[derive(Clone)]
pub struct Cx {
    pub(crate) shared: Arc<Shared>,
    pub(crate) execution: ExecutionId,
    pub(crate) intent: Arc<str>,
    pub(crate) place: Place,
    pub(crate) attempt: u32,
    pub(crate) key: Arc<str>,
    pub(crate) timeout: Duration,
    pub(crate) grants: Option<Arc<Grants>>,
    pub(crate) pins: Pins,
}

impl Cx {
    /// What this execution may touch. Compiled at the first question, so that atoms that touch
    /// nothing do not pay for it.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        Access::new(Arc::clone(&self.shared.rules), self.grants.as_ref())
    }

    /// W3C trace context: the trace is the execution, the span is this attempt.
    pub(crate) fn traceparent(&self) -> String {
        let trace = self.execution.0.simple();
        let digest = Sha256::digest(format!("{}#{}", self.key, self.attempt));
        let span = digest[..8].iter().fold(0_u64, |span, byte| span << 8 | u64::from(*byte));
        format!("00-{trace}-{span:016x}-01")
    }
}

/// The time of the wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
