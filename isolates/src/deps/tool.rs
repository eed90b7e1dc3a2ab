//! The server's side of running an installer.

use super::error::DependencyError;
use super::keeper::{Done, End, Order};
use super::{INSTALL, Settings};
use crate::api::WORKER_ARG;
use crate::host::process;
use crate::native::interpreter::locate;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// Of the server's environment, this much reaches a tool: where programs and the user's own
/// settings of them are. Nothing of it is a secret; what else a tool needs, the operator says.
const PASSED: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "XDG_CONFIG_HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    // Whose certificates this machine believes.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// A tool of this host, by name or path. `does` and `install` are for whoever lacks it.
pub(super) fn find(name: &Path, does: &str, install: &str) -> Result<PathBuf, DependencyError> {
    locate(name, std::env::var_os("PATH").as_deref()).ok_or_else(|| {
        let message = format!("there is no `{}` here, which {does}", name.display());
        DependencyError::new("dependency_tool_missing", message, install)
    })
}

/// A tool and what it is to do.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    /// How people call it.
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(&'static str, String)>,
    /// A folder of its own.
    pub(super) folder: &'a Path,
}

/// What tools say when the network is at fault. Some go on and complain of something else then.
const NETWORK: [&str; 24] = [
    "name resolution",
    "NameResolutionError",
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Connection refused",
    "Connection reset",
    "Network is unreachable",
    "timed out",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "error sending request",
    "dns error",
    "no such host",
    "could not resolve host",
    "Couldn't resolve host",
    "Could not connect",
    "Failed to connect",
    "i/o timeout",
    "spurious network error",
    "ProxyError",
];

/// What tools say when there is nothing of that name or version.
const MISSING: [&str; 14] = [
    "No matching distribution found",
    "Could not find a version",
    "No solution found",
    "E404",
    "ETARGET",
    "notarget",
    "no matching package",
    "failed to select a version",
    "was not found in the package registry",
    "404 Not Found",
    "410 Gone",
    "unknown revision",
    "module lookup disabled",
    "no matching versions",
];

impl Tool<'_> {
    /// Runs it to its good end. Dropping the future ends it, and all that it has started.
    pub(super) async fn run(self, settings: &Settings, exe: &Path) -> Result<(), DependencyError> {
        let name = self.name;
        let passed = PASSED
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        let own = self.variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        let asked = settings.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        let variables = passed
            .chain([
                ("TMPDIR".to_owned(), self.folder.display().to_string()),
                ("NO_COLOR".to_owned(), "1".to_owned()),
            ])
            .chain(own)
            .chain(asked)
            .collect();
        let order = Order {
            program: self.program,
            arguments: self.arguments,
            variables,
            folder: self.folder.to_owned(),
            bytes: settings.size,
            limit: settings.time,
        };
        let done = keep(exe.to_owned(), order)
            .await
            .map_err(|why| DependencyError::unavailable(&format!("{name} cannot be run"), &why))?;
        judge(name, &done, settings)
    }
}

/// How a tool's end is told.
fn judge(name: &str, done: &Done, settings: &Settings) -> Result<(), DependencyError> {
    let error = match done.end {
        End::Code(0) => return Ok(()),
        End::TooLarge | End::Signal(libc::SIGXFSZ) => DependencyError::new(
            "dependency_too_large",
            format!("the dependencies take more than {} MiB", settings.size / (1024 * 1024)),
            "depend on less, or raise `isolation.dependency_size` in the settings",
        ),
        End::Late | End::Unwanted => DependencyError::new(
            "dependency_timeout",
            format!("{name} was not done within {} s", settings.time.as_secs()),
            "try again; if it stays so, raise `isolation.dependency_timeout` in the settings",
        ),
        End::Code(_) | End::Signal(_) => failed(name, &done.said),
    };
    Err(error.said(&done.said))
}

fn failed(name: &str, said: &str) -> DependencyError {
    let says = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if says(&NETWORK) {
        return DependencyError::new(
            "dependency_unreachable",
            format!("{name} does not reach its registry"),
            "see whether this machine has a network; a registry or proxy of your own is named in the tool's own settings or in `isolation.installer_env`",
        );
    }
    if says(&MISSING) {
        return DependencyError::new(
            "dependency_not_found",
            format!("{name} finds no packages that fit"),
            match name {
                "pip" | "uv" => {
                    "see whether names and versions exist, agree with each other, and come as wheels for this machine's Python: source packages are refused, since building them runs their code"
                }
                _ => "see whether names and versions exist, and agree with each other",
            },
        );
    }
    DependencyError::new(
        "dependency_failed",
        format!("{name} does not install the dependencies"),
        "`detail` holds what it said",
    )
}

/// Closing the socket ends the keeper.
struct Cancel(UnixStream);

impl Drop for Cancel {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

async fn keep(exe: PathBuf, order: Order) -> Result<Done, String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let order = serde_json::to_vec(&order).map_err(|error| failed(&error))?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
    let _cancel = Cancel(ours.try_clone().map_err(|error| failed(&error))?);
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("jalm-install".to_owned());
    let begun = thread.spawn(move || {
        let answer = match process::start(&exe, &[WORKER_ARG, "B", INSTALL, ""], theirs.into()) {
            Err((_, why)) => Err(why),
            Ok(mut child) => {
                let done = talk(ours, &order);
                // It ends by itself once the socket is closed, and has a folder to remove before.
                let _ = child.wait();
                done
            }
        };
        // Nobody may wait for it any more.
        let _ = tell.send(answer);
    });
    begun.map_err(|error| failed(&error))?;
    told.await.map_err(|error| failed(&error))?
}

fn talk(mut socket: UnixStream, order: &[u8]) -> Result<Done, String> {
    let length = u64::try_from(order.len()).unwrap_or(0).to_le_bytes();
    let sent = socket.write_all(&length).and_then(|()| socket.write_all(order));
    sent.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    match answer.split_first() {
        Some((b'D', done)) => serde_json::from_slice(done).map_err(|error| error.to_string()),
        Some((b'X', why)) => Err(crate::native::start::failure(why).1),
        Some(_) | None => Err("its keeper went away".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        let code = |said: &str| failed("pip", said).code;
        let offline = "WARNING: Retrying: NewConnectionError('…: Temporary failure in name resolution')\nERROR: No matching distribution found for six";
        assert_eq!(code(offline), "dependency_unreachable");
        assert_eq!(code("ERROR: No matching distribution found for x"), "dependency_not_found");
        assert_eq!(code("npm error code E404"), "dependency_not_found");
        assert_eq!(code("Segmentation fault"), "dependency_failed");
        assert!(failed("npm", "EAI_AGAIN").may_pass() && !failed("npm", "E404").may_pass());
    }
}
