//! Packages that scripts depend on: pinned, installed outside of the sandbox, shown inside it.
//!
//! An author names packages of a registry, in the script or beside it. They are *pinned* once: a
//! lock names exact versions with hashes, and goes into the execution's journal, so that whatever
//! happens later to this execution uses the same. From a lock an *environment* is built, a folder
//! that is complete when it is in its place and never changes, named by the hash of lock and
//! platform. A script sees its own one, read-only, and no other.
//!
//! **What runs where.** Installers are the operator's own tools, and run outside of the sandbox as
//! the server's user: they need the network and the operator's settings. So they get nothing but
//! plain names and versions (`syntax`), and run no code of what they install: wheels only, no
//! install scripts. Whatever has to be compiled is compiled in the sandbox of compilers. Nothing of
//! the server's environment reaches them but where programs and settings are (`tool`).
//!
//! | file | part |
//! |---|---|
//! | `wanted` | what an author wrote, in one form |
//! | `block` | the block of PEP 723, and the like for other languages |
//! | `syntax` | what a requirement may look like |
//! | `lock` | what requirements are pinned to |
//! | `store` | where environments and locks lie |
//! | `tool`, `keeper` | running an installer: the server's side, and the process around it |
//! | `installer` | who pins and installs what |
//! | `python` | uv and pip |
//! | `npm` | npm |
//! | `cargo` | Cargo |
//! | `versions` | what `requires-python` means |
//! | `error` | why it cannot be had |

mod block;
mod cargo;
mod error;
mod installer;
mod keeper;
mod lock;
mod npm;
mod python;
mod store;
mod syntax;
mod tool;
mod versions;
mod wanted;

pub use error::DependencyError;
pub(crate) use keeper::become_keeper;
pub use wanted::Requirements;
pub(crate) use wanted::Source;

use crate::api::Options;
use installer::Installer;
use lock::Lock;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::OnceCell;

/// The second argument of a worker that is to keep an installer.
pub(crate) const INSTALL: &str = "install";

/// Settings of dependencies.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's data folder; without one, scripts have no dependencies.
    pub data: Option<PathBuf>,
    /// uv, by name or path.
    pub uv: PathBuf,
    /// npm, by name or path.
    pub npm: PathBuf,
    /// Cargo, by name or path.
    pub cargo: PathBuf,
    /// What installers find in their environment, besides where programs and settings are.
    pub environment: BTreeMap<String, String>,
    /// Bytes that an environment may have, while it is built and when it is done.
    pub size: u64,
    /// The longest that one run of an installer may take.
    pub time: Duration,
    /// Requirements are pinned anew after so long; executions keep what they have.
    pub fresh: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: None,
            uv: PathBuf::from("uv"),
            npm: PathBuf::from("npm"),
            cargo: PathBuf::from("cargo"),
            environment: BTreeMap::new(),
            size: 512 * 1024 * 1024,
            time: Duration::from_mins(5),
            fresh: Duration::from_hours(24),
        }
    }
}

/// Packages that are installed, for one script.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name below the folder of its kind.
    pub(crate) key: String,
    /// Where it is.
    pub(crate) folder: PathBuf,
    lock: Arc<Value>,
}

impl Environment {
    /// What it was built from, to be recorded with the execution.
    pub fn lock(&self) -> Arc<Value> {
        self.lock.clone()
    }
}

/// The environments of one server.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    store: OnceCell<Arc<Store>>,
    /// By `Source`.
    installers: [OnceCell<Installer>; 4],
}

impl Dependencies {
    /// An environment for these requirements: as `known` pins them, if it does. Dropping the future
    /// ends the installer.
    pub(crate) async fn prepare(
        &self,
        options: &Options,
        wanted: &Requirements,
        known: Option<&Value>,
    ) -> Result<Environment, DependencyError> {
        let store = self.store(options).await?;
        let (settings, exe) = (&options.dependencies, options.worker_exe.as_path());
        let tools = self.installer(options, wanted.source).await?;
        tools.fits(wanted)?;
        let platform = tools.platform();
        let lock = match known.and_then(|known| Lock::recorded(known, wanted)) {
            Some(lock) => lock,
            None => {
                let key = key(&[&wanted.hash(), &platform]);
                let _turn = store.turn(format!("lock {key}")).await;
                match store.lock(&key).filter(|(lock, _)| lock.wanted == wanted.hash()) {
                    Some((lock, age)) if age < settings.fresh => lock,
                    old => {
                        let folder = store.temporary()?;
                        match (tools.pin(wanted, &folder, settings, exe).await, old) {
                            (Ok(lock), _) => {
                                store.note(&key, &lock);
                                lock
                            }
                            // Offline, what was found before is as good.
                            (Err(error), Some((lock, _))) if error.may_pass() => {
                                tracing::warn!(%error, "dependencies stay as they were pinned before");
                                lock
                            }
                            (Err(error), _) => return Err(error),
                        }
                    }
                }
            }
        };
        let key = key(&[&lock.digest, &platform]);
        let source = wanted.source;
        let done = |folder| Environment { key: key.clone(), folder, lock: lock.to_json() };
        if let Some(folder) = store.environment(source, &key) {
            return Ok(done(folder));
        }
        let _turn = store.turn(format!("environment {key}")).await;
        if let Some(folder) = store.environment(source, &key) {
            return Ok(done(folder));
        }
        let folder = store.temporary()?;
        let built = tools.install(&lock, &folder, settings, exe).await?;
        store.keep(&built, source, &key).map(done)
    }

    /// The folder of all environments of a kind, if there may be any.
    pub(crate) async fn folder(&self, options: &Options, source: Source) -> Option<PathBuf> {
        options.dependencies.data.as_ref()?;
        self.store(options).await.ok().map(|store| store.environments(source))
    }

    async fn store(&self, options: &Options) -> Result<Arc<Store>, DependencyError> {
        let Some(data) = options.dependencies.data.clone() else {
            return Err(DependencyError::new(
                "dependency_refused",
                "scripts may not have dependencies here",
                "set `isolation.dependencies` to true in the settings",
            ));
        };
        let open = || async { blocking(move || Store::open(&data)).await.map(Arc::new) };
        self.store.get_or_try_init(open).await.cloned()
    }

    async fn installer(
        &self,
        options: &Options,
        source: Source,
    ) -> Result<&Installer, DependencyError> {
        let options = options.clone();
        let find = || blocking(move || Installer::find(source, &options));
        self.installers[source as usize].get_or_try_init(find).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DependencyError> + Send + 'static,
) -> Result<T, DependencyError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(DependencyError::unavailable("a thread ended", &error)))
}

/// The name of what comes from all of these.
fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    let mut key = wanted::hex(&hash.finalize());
    key.truncate(40);
    key
}
