//! The worker's side: the process locks itself in and becomes Node, Deno or Bun.

use super::flavour::Flavour;
use super::program::Program;
use crate::api::Strength;
use crate::native::start::{tell_failure, tell_listener, tell_process};
use crate::sandbox::program::{self, Own, Room};
use crate::sandbox::{Missing, network, packages_seen};
use crate::worker::leave;
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// What the program runs.
const CHILD: &str = include_str!("child.js");

/// What every script in JavaScript finds, on whichever runtime.
const PRELUDE: &str = include_str!("../engines/javascript/prelude.js");

/// From the server, as JSON in the worker's arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) flavour: Flavour,
    pub(crate) program: Program,
    /// Bytes of memory that the script may take.
    pub(crate) memory: u64,
    /// The environment of packages that the script sees.
    pub(crate) packages: Option<PathBuf>,
    pub(crate) own: Own,
}

/// Never returns: the process is the program then, or has told why not. The socket is descriptor 0.
pub(crate) fn become_node(socket: OwnedFd, strength: Strength, settings: &str) -> ! {
    let settings = serde_json::from_str::<Settings>(settings);
    let standard = settings.as_ref().is_ok_and(|settings| settings.flavour.speaks_on_standard());
    let Some(socket) = place(socket, standard) else { leave(1) };
    let why = match settings {
        Err(error) => Missing::new("worker", format_args!("the settings cannot be read: {error}")),
        Ok(settings) => start(&socket, strength, &settings).unwrap_or_else(|missing| missing),
    };
    tell_failure(&socket, why);
    leave(1)
}

/// Becomes the program; returns why that failed.
fn start(socket: &OwnedFd, strength: Strength, settings: &Settings) -> Result<Missing, Missing> {
    let program = &settings.program;
    let packages = settings.packages.as_deref();
    let seen = packages.map(|folder| packages_seen(strength, folder));
    let mut readable = program.readable(settings.flavour);
    readable.extend(seen.clone());
    let room = Room {
        program: &program.executable,
        folders: &program.folders(),
        readable: &readable,
        packages,
        memory: settings.memory.saturating_add(settings.flavour.base()),
        own: settings.own,
    };
    let locked = program::enter(
        strength,
        &room,
        |process| tell_process(socket, &process),
        |listener| tell_listener(socket, &listener),
    )?;
    let (arguments, variables) = command(settings, seen.as_deref(), locked.port)?;
    let error = locked.start(&arguments, &variables);
    let shown = program.executable.display();
    Ok(Missing::new("worker", format_args!("{shown} cannot be started: {error}")))
}

/// The command line and the environment.
fn command(
    settings: &Settings,
    packages: Option<&Path>,
    port: Option<u16>,
) -> Result<(Vec<CString>, Vec<CString>), Missing> {
    let flavour = settings.flavour;
    let arguments = flavour.arguments(settings.memory);
    let packages = packages.map(|folder| folder.display().to_string()).unwrap_or_default();
    let code = [CHILD, PRELUDE, &packages];
    let arguments = arguments.iter().map(String::as_str).chain(code).collect::<Vec<_>>();
    // Scripts do not see these: `child.js` takes them away, all but those of the proxy.
    let mut variables: Vec<String> = flavour.variables().iter().map(ToString::to_string).collect();
    if let Some(port) = port {
        variables.extend(network::variables(port));
        // Its own certificates are built in.
        variables.push(format!("NODE_EXTRA_CA_CERTS={}", network::CERTIFICATES));
    }
    let texts = |texts: &[&str]| {
        let all = texts.iter().map(|text| CString::new(*text));
        all.collect::<Result<Vec<_>, _>>().map_err(|error| Missing::new("worker", error))
    };
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    Ok((texts(&arguments)?, texts(&variables)?))
}

/// Puts the socket where `child.js` looks for it: at 3, and nothing where programs read, or where
/// they read and write.
fn place(mut socket: OwnedFd, standard: bool) -> Option<OwnedFd> {
    let copy = if standard {
        #[expect(unsafe_code, reason = "standard output has no owner to be borrowed from")]
        // SAFETY: it is open (/dev/null), nothing else in this process writes there, and it is
        // forgotten below instead of being closed.
        let mut output = unsafe { OwnedFd::from_raw_fd(1) };
        let copied = rustix::io::dup2(&socket, &mut output);
        std::mem::forget(output);
        copied.ok()?;
        rustix::io::fcntl_dupfd_cloexec(&socket, 3).ok()
    } else {
        // It stays open as the program starts.
        rustix::io::dup(&socket).ok()
    };
    let copy = copy.filter(|copy| copy.as_raw_fd() == 3)?;
    if !standard {
        // Output goes to /dev/null, and is as good for input.
        rustix::io::dup2(std::io::stdout(), &mut socket).ok()?;
    }
    // Closing it would free its number.
    std::mem::forget(socket);
    Some(copy)
}
