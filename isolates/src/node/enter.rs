//! The worker's side: the process locks itself in and becomes Node.

use super::program::Program;
use crate::api::Strength;
use crate::native::start::{tell_failure, tell_listener, tell_process};
use crate::sandbox::program::{self, Room};
use crate::sandbox::{Missing, network, packages_seen};
use crate::worker::leave;
use rustix::fd::{AsRawFd, OwnedFd};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// What Node runs.
const CHILD: &str = include_str!("child.js");

/// What every script in JavaScript finds, on whichever runtime.
const PRELUDE: &str = include_str!("../engines/javascript/prelude.js");

const MIB: u64 = 1024 * 1024;

/// Memory that Node itself takes, threads included, before a script has any.
const BASE: u64 = 64 * MIB;

/// From the server, as JSON in the worker's arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) program: Program,
    /// Bytes of memory that the script may take.
    pub(crate) memory: u64,
    /// The environment of packages that the script sees.
    pub(crate) packages: Option<PathBuf>,
    /// Whether it has a way out.
    pub(crate) network: bool,
}

/// Never returns: the process is Node then, or has told why not. The socket is descriptor 0.
pub(crate) fn become_node(socket: OwnedFd, strength: Strength, settings: &str) -> ! {
    let Some(socket) = place(socket) else { leave(1) };
    let why = match serde_json::from_str::<Settings>(settings) {
        Err(error) => Missing::new("worker", format_args!("the settings cannot be read: {error}")),
        Ok(settings) => start(&socket, strength, &settings).unwrap_or_else(|missing| missing),
    };
    tell_failure(&socket, why);
    leave(1)
}

/// Becomes Node; returns why that failed.
fn start(socket: &OwnedFd, strength: Strength, settings: &Settings) -> Result<Missing, Missing> {
    let program = &settings.program;
    let packages = settings.packages.as_deref();
    let seen = packages.map(|folder| packages_seen(strength, folder));
    let mut readable = program.readable();
    readable.extend(seen.clone());
    let room = Room {
        program: &program.executable,
        folders: &program.folders(),
        readable: &readable,
        packages,
        memory: settings.memory.saturating_add(BASE),
        network: settings.network,
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
    let heap = format!("--max-old-space-size={}", settings.memory / MIB);
    let arguments = [
        "node",
        &heap,
        // One more thread for compiling and for garbage.
        "--v8-pool-size=1",
        "--no-addons",
        "--no-warnings",
        // There is no configuration to be read, and in strength B none that may be.
        "--openssl-config=/dev/null",
        "-e",
        CHILD,
        PRELUDE,
        &packages.map(|folder| folder.display().to_string()).unwrap_or_default(),
    ];
    // Scripts do not see these: `child.js` takes them away, all but those of the proxy.
    let variables = ["TZ=UTC", "UV_THREADPOOL_SIZE=2", "UV_USE_IO_URING=0", "LC_ALL=C.UTF-8"];
    let mut variables = variables.map(str::to_owned).to_vec();
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

/// Puts the socket where `child.js` looks for it, at 3, and nothing where programs read.
fn place(mut socket: OwnedFd) -> Option<OwnedFd> {
    // It stays open as the program starts.
    let copy = rustix::io::dup(&socket).ok().filter(|copy| copy.as_raw_fd() == 3)?;
    // Output goes to /dev/null, and is as good for input.
    rustix::io::dup2(std::io::stdout(), &mut socket).ok()?;
    // Closing it would free its number.
    std::mem::forget(socket);
    Some(copy)
}
