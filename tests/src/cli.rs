//! The command line: what was typed, and what came of it.

use crate::{binary, until};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Only there to end a test that would hang.
const GIVE_UP: Duration = Duration::from_mins(2);

/// A process with none of this process's `JALM_…` variables, which dies with its handle.
pub(crate) fn command(program: &OsStr, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).kill_on_drop(true).stdin(Stdio::null()).env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JALM_") {
            command.env_remove(name);
        }
    }
    command
}

/// Signals a process that has not been waited for.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    // One that has just ended takes no signal, which is as good.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

/// A command line, to be run.
#[derive(Debug)]
pub struct Typed {
    command: Command,
    input: Option<String>,
    errors: Option<PathBuf>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it said beside.
    pub err: String,
}

impl Typed {
    pub(crate) fn new(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = command(binary().as_os_str(), folder);
        command.args(arguments);
        Self { command, input: None, errors: None }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads from stdin.
    #[must_use]
    pub fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    /// Writes what it says beside its output into a file, to be read while it runs.
    #[must_use]
    pub fn errors_to(mut self, path: PathBuf) -> Self {
        self.errors = Some(path);
        self
    }

    /// Runs it to its end.
    pub async fn run(self) -> Finished {
        finish(self.command, self.input).await
    }

    /// Runs it until `ready`, then sends SIGINT as Ctrl-C does.
    pub async fn interrupt_when(self, ready: impl Future<Output = ()>) -> Finished {
        self.signal_when(ready, Signal::INT).await
    }

    /// Runs it until `ready`, then kills it.
    pub async fn kill_when(self, ready: impl Future<Output = ()>) -> Finished {
        self.signal_when(ready, Signal::KILL).await
    }

    async fn signal_when(self, ready: impl Future<Output = ()>, with: Signal) -> Finished {
        let mut command = self.command;
        command.stdout(Stdio::piped()).stderr(match self.errors {
            Some(path) => std::fs::File::create(path).expect("the file can be written").into(),
            None => Stdio::piped(),
        });
        let child = command.spawn().expect("the command starts");
        ready.await;
        signal(&child, with);
        ended(child).await
    }
}

impl Finished {
    /// What it printed, as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("stdout is not JSON ({error}): {self:#?}"))
    }
}

pub(crate) async fn finish(mut command: Command, input: Option<String>) -> Finished {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().expect("the command starts");
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // A command that does not read all of it is free to do so.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    ended(child).await
}

async fn ended(child: Child) -> Finished {
    let output = tokio::time::timeout(GIVE_UP, child.wait_with_output()).await;
    let output = output.expect("a command ends within two minutes");
    let output = output.expect("a process can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Finished { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The first line of a pipe; the rest is read and dropped, so that the writer never blocks.
pub(crate) async fn first_line(
    mut pipe: impl tokio::io::AsyncRead + Unpin + Send + 'static,
) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while pipe.read(&mut byte).await.is_ok_and(|count| count == 1) && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    tokio::spawn(async move { tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await });
    String::from_utf8_lossy(&line).into_owned()
}

/// Waits until a process of ours has ended.
pub(crate) async fn wait_for_end(child: &mut Child) -> Option<i32> {
    let status = until("the end of the server's process", async || {
        child.try_wait().expect("a process can be waited for")
    });
    status.await.code()
}
