//! The layers as the rest of the runner sees them.

use crate::access::Rules;
use crate::atom::Card;
use crate::catalog::{AtomCatalog, catalog};
use crate::context::Cx;
use crate::files::FileRoot;
use crate::io_http::auth_token::fetch::Kept;
use crate::jwks::Jwks;
use crate::net::{Guard, Net};
use crate::options::{Options, SetupError};
use crate::script::ScriptLimits;
use crate::sqlite::Databases;
use jalm_isolates::Isolates;
use jalm_kernel::atom::{AtomSpec, Catalog};
use jalm_kernel::failure::Failure;
use jalm_kernel::ports::{Answer, Call, Future, Kv, Queue, Runner};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// All atoms, and what they work with. One for each runner.
pub struct Layers {
    shared: Arc<Shared>,
}

/// What atoms reach through their [`Cx`].
pub(crate) struct Shared {
    pub(crate) rules: Arc<Rules>,
    pub(crate) net: Net,
    pub(crate) files: FileRoot,
    pub(crate) databases: Databases,
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) isolates: Isolates,
    pub(crate) jwks: Jwks,
    pub(crate) tokens: Kept,
    pub(crate) script_limits: ScriptLimits,
}

impl Layers {
    /// Makes the folders, compiles the policy. Nothing is opened or connected before a step needs
    /// it.
    pub fn new(options: Options) -> Result<Arc<Self>, SetupError> {
        let Options { data, files, connections, auto_connections, policy, kv, queue, isolates } =
            options;
        let shared = Shared {
            rules: Arc::new(Rules::compile(&policy.as_grants())?),
            net: Net::new(Guard::new(policy.private_networks, policy.own_addresses)),
            files: FileRoot::open(&files)?,
            databases: Databases::new(&connections, &data, auto_connections)?,
            kv,
            queue,
            isolates,
            jwks: Jwks::default(),
            tokens: Kept::default(),
            script_limits: policy.script_limits,
        };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }

    /// Tells on which addresses the runner's own server listens, once it does: no step can reach
    /// them.
    pub fn set_own_addresses(&self, addresses: Vec<SocketAddr>) {
        self.shared.net.guard.set_own(addresses);
    }

    /// What calls work with.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// How soon an unknown key name may lead to another fetch.
    #[cfg(test)]
    pub(crate) fn set_jwks_pause(&self, pause: Duration) {
        self.shared.jwks.set_pause(pause);
    }

    /// All atoms with cards, schemas and examples.
    pub fn catalog(&self) -> &'static AtomCatalog {
        catalog()
    }

    /// The cards, layer by layer.
    pub fn cards(&self) -> impl Iterator<Item = &'static Card> {
        catalog().cards()
    }
}

impl Catalog for Layers {
    fn atom(&self, name: &str) -> Option<&AtomSpec> {
        catalog().atom(name)
    }

    fn names(&self) -> Vec<&'static str> {
        catalog().names()
    }
}

/// A little before the engine drops the call, so that the answer can say what took so long.
fn own_limit(timeout: Duration) -> Duration {
    timeout.saturating_sub((timeout / 20).min(Duration::from_millis(100)))
}

impl Runner for Layers {
    fn run(&self, call: Call) -> Future<'static, Result<Answer, Failure>> {
        let Call {
            execution,
            intent,
            place,
            attempt,
            atom,
            input,
            idempotency_key,
            timeout,
            grants,
            pins,
        } = call;
        let Some(entry) = catalog().entry(atom) else {
            let failure = Failure::bug(format!("a plan calls `{atom}`, which is no atom"));
            return Box::pin(std::future::ready(Err(failure)));
        };
        let cx = Cx {
            shared: Arc::clone(&self.shared),
            execution,
            intent,
            place,
            attempt,
            key: idempotency_key,
            timeout: own_limit(Duration::from_millis(timeout.0)),
            grants,
            pins,
        };
        entry.run(cx, input)
    }
}
