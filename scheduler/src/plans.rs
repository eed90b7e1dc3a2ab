//! Compiled plans, kept while they are in use: most submissions repeat a source seen before.

use jalm_kernel::atom::Catalog;
use jalm_kernel::plan::Plan;
use jalm_kernel::source::Problem;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

/// Plans kept at most.
const PLANS: usize = 1024;

/// Bytes of source kept at most; a plan takes about ten times its source.
const BYTES: usize = 8 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Plans(RwLock<Cache>);

#[derive(Default)]
struct Cache {
    by_source: HashMap<Arc<str>, Arc<Plan>>,
    /// Oldest first.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Plans {
    pub(crate) fn compile(
        &self,
        source: &Arc<str>,
        catalog: &dyn Catalog,
    ) -> Result<Arc<Plan>, Vec<Problem>> {
        let known =
            self.0.read().unwrap_or_else(PoisonError::into_inner).by_source.get(source).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let plan = Arc::new(Plan::compile(source, catalog)?);
        let mut cache = self.0.write().unwrap_or_else(PoisonError::into_inner);
        cache.insert(source.clone(), plan.clone());
        Ok(plan)
    }
}

impl Cache {
    fn insert(&mut self, source: Arc<str>, plan: Arc<Plan>) {
        if self.by_source.insert(source.clone(), plan).is_some() {
            return;
        }
        self.bytes += source.len();
        self.order.push_back(source);
        while self.order.len() > PLANS || (self.bytes > BYTES && self.order.len() > 1) {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= oldest.len();
            self.by_source.remove(&oldest);
        }
    }
}
