//! The server's side of compiling.

use super::BUILD;
use super::builder::{Built, DISK, MOST_PROGRAM, MOST_SOURCE, Settings};
use super::toolchain::{PROGRAM, Toolchain};
use super::{crates, memory};
use crate::api::{Refused, Strength, WORKER_ARG};
use crate::host::process::{self, Failure};
use crate::native::child::unavailable;
use crate::native::start::first_words;
use crate::sandbox::program::FILES;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest that a script may be compiled.
const LIMIT: Duration = Duration::from_mins(2);

/// How much longer the process around the compiler may take.
const GRACE: Duration = Duration::from_secs(20);

/// Closing the socket ends the compiler.
struct Cancel(UnixStream);

impl Drop for Cancel {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Compiles a script. Dropping the future ends it.
pub(super) async fn build(
    exe: PathBuf,
    strength: Strength,
    toolchain: &Toolchain,
    source: &str,
    packages: Option<&Path>,
) -> Result<(Built, Vec<u8>), Refused> {
    if u64::try_from(source.len()).unwrap_or(u64::MAX) > MOST_SOURCE {
        return Err(unavailable("the script is longer than a compiler takes"));
    }
    let settings = Settings {
        language: toolchain.language,
        folders: toolchain.folders.clone(),
        executable: toolchain.executable.clone(),
        readable: toolchain.readable.clone(),
        programs: toolchain.programs,
        variables: toolchain.variables.clone(),
        steps: toolchain.steps.clone(),
        temporary: std::env::temp_dir(),
        limit: LIMIT,
        product: PROGRAM.to_owned(),
        packages: None,
        disk: DISK,
        files: FILES,
    };
    let settings = match packages {
        None => settings,
        Some(packages) => crates::with(settings, toolchain, packages).ok_or_else(no_cargo)?,
    };
    let failed = |error: &dyn std::fmt::Display| unavailable(&error.to_string());
    let settings = serde_json::to_string(&settings).map_err(|error| failed(&error))?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
    let cancel = Cancel(ours.try_clone().map_err(|error| failed(&error))?);
    let (tell, told) = oneshot::channel();
    let (source, watched) = (source.to_owned(), packages.is_some());
    // The kernel ends the process when the thread that started it ends.
    let thread = std::thread::Builder::new().name("jalm-build".to_owned());
    let begun = thread.spawn(move || {
        let arguments = [WORKER_ARG, strength.name(), BUILD, &settings];
        let _ = tell.send(match process::start(&exe, &arguments, theirs.into()) {
            Err(failure) => Err(failure),
            Ok(mut child) => {
                let built = if watched {
                    talk_watched(child.id(), ours, &source)
                } else {
                    talk(ours, &source)
                };
                end(&mut child);
                built
            }
        });
    });
    begun.map_err(|error| failed(&error))?;
    let told = tokio::time::timeout(LIMIT + GRACE, told).await;
    drop(cancel);
    match told {
        Ok(Ok(Ok(built))) => Ok(built),
        Ok(Ok(Err((layer, why)))) => Err(unavailable(&format!("{layer}: {why}"))),
        Ok(Err(_)) => Err(unavailable("the compiler's thread ended")),
        Err(_) => Err(unavailable("the compiler does not end")),
    }
}

fn no_cargo() -> Refused {
    Refused::NoInterpreter {
        language: "rust",
        why: "crates are compiled by the `cargo` beside `rustc`, or by one in PATH that is no link to rustup; there is none".to_owned(),
    }
}

/// The same, while somebody looks how much memory it takes.
fn talk_watched(pid: u32, socket: UnixStream, source: &str) -> Result<(Built, Vec<u8>), Failure> {
    let failed = |error: std::io::Error| ("worker".to_owned(), error.to_string());
    let stop = Cancel(socket.try_clone().map_err(failed)?);
    let (over, too_much) = (AtomicBool::new(false), AtomicBool::new(false));
    let built = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            memory::watch(pid, &over, || {
                too_much.store(true, Ordering::SeqCst);
                let _ = stop.0.shutdown(Shutdown::Both);
            });
        });
        let built = talk(socket, source);
        over.store(true, Ordering::SeqCst);
        watch.thread().unpark();
        built
    });
    match built {
        Err(_) if too_much.load(Ordering::SeqCst) => Ok((Built::too_much(), Vec::new())),
        built => built,
    }
}

/// Gives the source, and hears the answer out.
fn talk(mut socket: UnixStream, source: &str) -> Result<(Built, Vec<u8>), Failure> {
    let failed = |error: &dyn std::fmt::Display| ("worker".to_owned(), error.to_string());
    first_words(&mut socket)?;
    let length = u64::try_from(source.len()).unwrap_or(0).to_le_bytes();
    let sent = socket.write_all(&length).and_then(|()| socket.write_all(source.as_bytes()));
    sent.map_err(|error| failed(&error))?;
    let mut answer = Vec::new();
    let most = MOST_PROGRAM + 4 * 1024 * 1024;
    socket.take(most).read_to_end(&mut answer).map_err(|error| failed(&error))?;
    let rest = answer.strip_prefix(b"R").unwrap_or(&answer);
    if let Some(why) = rest.strip_prefix(b"X") {
        return Err(crate::native::start::failure(why));
    }
    read(rest).ok_or_else(|| failed(&"the process around the compiler went away"))
}

fn read(answer: &[u8]) -> Option<(Built, Vec<u8>)> {
    let (length, rest) = answer.strip_prefix(b"D")?.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (head, program) = rest.split_at_checked(length)?;
    let built: Built = serde_json::from_slice(head).ok()?;
    let whole = u64::try_from(program.len()).ok()? == built.size;
    whole.then(|| (built, program.to_vec()))
}

/// It ends by itself, and has a folder to remove; the kernel ends it when it does not.
fn end(child: &mut std::process::Child) {
    for _ in 0..1000 {
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    process::end(child);
}
