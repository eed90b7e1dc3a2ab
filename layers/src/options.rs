//! What the layers are started with.

use crate::access::PatternError;
use crate::script::ScriptLimits;
use jalm_isolates::Isolates;
use jalm_kernel::intent::{FileGrants, Grants, ScriptGrants};
use jalm_kernel::ports::{Kv, Queue};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything the layers need from outside.
pub struct Options {
    /// The runner's data folder; created when missing.
    pub data: PathBuf,
    /// The root of all file steps; created when missing.
    pub files: PathBuf,
    /// Database connections: name to `sqlite:PATH`. The file is created at its first use.
    pub connections: BTreeMap<String, String>,
    /// Whether a name that is not in `connections` means `<data>/db/<name>.db`.
    pub auto_connections: bool,
    /// The operator's ceiling.
    pub policy: Policy,
    /// Where cached values live.
    pub kv: Arc<dyn Kv>,
    /// The embedded queue.
    pub queue: Arc<dyn Queue>,
    /// Where foreign code runs.
    pub isolates: Isolates,
}

/// The operator's ceiling: no intent gets more, whatever it asks for. An intent without `grants`
/// gets all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// URL patterns (see [`crate::UrlPattern`]).
    pub http: Vec<String>,
    /// Whether HTTP may reach loopback and private address ranges. Link-local, metadata and the
    /// runner's own addresses stay refused.
    pub private_networks: bool,
    /// The addresses on which this runner's server listens: never reachable from a step. Set
    /// later with [`crate::Layers::set_own_addresses`] when the port is not known yet.
    pub own_addresses: Vec<SocketAddr>,
    /// Connection names; `*` is every name.
    pub db: Vec<String>,
    /// Globs below the file root.
    pub file: FileGrants,
    /// Channel names; `*` is every name.
    pub notify: Vec<String>,
    /// Languages of scripts; `*` is every one.
    pub script_languages: Vec<String>,
    /// Whether an intent may give its scripts the network, as far as `http` goes.
    pub script_network: bool,
    /// Bounds of scripts.
    pub script_limits: ScriptLimits,
}

impl Default for Policy {
    /// Everything that cannot reach into the operator's own network.
    fn default() -> Self {
        let all = || vec!["*".to_owned()];
        let files = || vec!["**".to_owned()];
        Self {
            http: all(),
            private_networks: false,
            own_addresses: Vec::new(),
            db: all(),
            file: FileGrants { read: files(), write: files() },
            notify: all(),
            script_languages: all(),
            script_network: true,
            script_limits: ScriptLimits::default(),
        }
    }
}

impl Policy {
    /// Its lists in the form in which an intent writes them.
    pub(crate) fn as_grants(&self) -> Grants {
        Grants {
            http: self.http.clone(),
            db: self.db.clone(),
            file: self.file.clone(),
            notify: self.notify.clone(),
            script: ScriptGrants {
                languages: Some(self.script_languages.clone()),
                network: self.script_network,
            },
        }
    }
}

/// Why the layers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A URL pattern of the policy.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A file glob of the policy.
    #[error("`{pattern}` is not a file glob: {reason}")]
    Glob {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A language of the policy, or of an intent's grants.
    #[error("`{name}` is not a language of scripts")]
    Language {
        /// As written.
        name: String,
    },
    /// A connection that is not `sqlite:PATH`.
    #[error("connection `{name}`: {reason}")]
    Connection {
        /// Its name.
        name: String,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// A folder that cannot be made or opened.
    #[error("cannot use folder `{}`: {source}", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
