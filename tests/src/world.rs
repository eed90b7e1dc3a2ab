//! One test's own place.

use crate::{Runner, Server, Stub, Typed};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that goes with the test, and a stub server on loopback.
pub struct World {
    folder: TempDir,
    stub: Stub,
}

impl World {
    /// A new, empty place.
    ///
    /// # Panics
    /// When this machine has no temporary folder or no loopback.
    pub async fn new() -> Self {
        // Fails only if a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("jalm-test-").tempdir();
        Self { folder: folder.expect("a temporary folder can be made"), stub: Stub::start().await }
    }

    /// The only other server in this world.
    pub fn stub(&self) -> &Stub {
        &self.stub
    }

    /// Where all of this test's files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The runner's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Writes a file below [`World::folder`].
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, content).expect("a file of the test can be written");
        path
    }

    /// The database that steps know as `name`; it is made if it is not there.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn database(&self, name: &str) -> rusqlite::Connection {
        let folder = self.data().join("db");
        std::fs::create_dir_all(&folder).expect("the data folder can be made");
        let database = rusqlite::Connection::open(folder.join(format!("{name}.db")));
        let database = database.expect("the database opens");
        database.busy_timeout(std::time::Duration::from_secs(30)).expect("a timeout can be set");
        database
    }

    /// A server on this world's data folder, to be started.
    pub fn server(&self) -> Server {
        Server::new(self)
    }

    /// Starts `jalm serve` on this world's data folder.
    pub async fn start(&self) -> Runner {
        self.server().start().await
    }

    /// A command line `jalm …`, to be run in this world's folder.
    pub fn jalm<const N: usize>(&self, arguments: [&str; N]) -> Typed {
        Typed::new(self.folder(), &arguments)
    }
}
