//! `jalm serve`, about to be started.

use crate::cli::{self, Finished};
use crate::{Runner, World, binary};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// How a server is to be started.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    folder: PathBuf,
    before: Vec<OsString>,
    arguments: Vec<OsString>,
    listen: OsString,
    variables: Vec<(String, OsString)>,
}

impl Server {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            binary: binary(),
            folder: world.folder().to_owned(),
            before: Vec::new(),
            arguments: vec!["--data".into(), world.data().into()],
            listen: "127.0.0.1:0".into(),
            variables: Vec::new(),
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Another address than a free port on 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.into();
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Another binary.
    #[must_use]
    pub fn binary(mut self, path: PathBuf) -> Self {
        self.binary = path;
        self
    }

    /// A command that becomes the server, such as `prlimit --fsize=… --`: it must end in `exec`.
    #[must_use]
    pub fn under<const N: usize>(mut self, command: [&str; N]) -> Self {
        self.before = command.iter().map(Into::into).collect();
        self
    }

    /// Starts it, and comes back when it listens.
    ///
    /// # Panics
    /// When it ends instead; the message holds its log.
    pub async fn start(self) -> Runner {
        let log = self.folder.join(format!("log-{}", crate::runner::number()));
        let file = std::fs::File::create(&log).expect("a log can be written");
        let mut command = self.command();
        let child = command.stdout(Stdio::piped()).stderr(file).spawn();
        Runner::watch(child.expect("the server's process starts"), log).await
    }

    /// Runs it to its end: for servers that refuse to start.
    pub async fn fails(self) -> Finished {
        cli::finish(self.command(), None).await
    }

    fn command(&self) -> Command {
        let mut words = self.before.clone();
        words.push(self.binary.clone().into());
        words.extend(["serve".into(), "--listen".into(), self.listen.clone()]);
        words.extend(self.arguments.iter().cloned());
        let mut command = cli::command(&words[0], &self.folder);
        command.args(&words[1..]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}
