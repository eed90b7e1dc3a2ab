//! One script: compiled unless it is kept, and run in a process that is ready.

use super::build::build;
use super::builder::End;
use super::ended::{Heard, verdict};
use super::enter::{DESCRIPTORS, Order};
use super::kept::{Binary, Kept, Key, key, sealed};
use super::toolchain::Toolchain;
use super::{RUN, messages};
use crate::api::{Limits, Options, Refused, Script, ScriptError, USUAL_DISK, Verdict};
use crate::deps::Environment;
use crate::languages::Language;
use crate::native::ahead::Ahead;
use crate::native::child::{Child, GONE_LIMIT, unavailable};
use crate::native::{in_force, isolation, threads};
use crate::network::{Egress, beside};
use crate::sandbox::program::Own;
use crate::shelf::{self, Shelf};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::IoSlice;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::pipe::{PipeFlags, pipe_with};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{OnceCell, Semaphore};

/// Bytes of programs that are kept on disk.
const ON_DISK: u64 = 256 * 1024 * 1024;

/// Scripts in Rust and Go.
#[derive(Debug)]
pub(crate) struct Compiled {
    rust: OnceCell<Result<Toolchain, String>>,
    go: OnceCell<Result<Toolchain, String>>,
    ahead: Ahead,
    kept: Kept,
    /// The same on disk, for servers to come; none if the operator named no folder.
    shelf: OnceCell<Option<Shelf>>,
    /// A compiler takes what it can get: only some at once.
    building: Semaphore,
    compilations: AtomicU64,
}

impl Default for Compiled {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            rust: OnceCell::new(),
            go: OnceCell::new(),
            ahead: Ahead::new(RUN),
            kept: Kept::default(),
            shelf: OnceCell::new(),
            building: Semaphore::new(cores),
            compilations: AtomicU64::new(0),
        }
    }
}

impl Compiled {
    /// The program of a script, or what is wrong with it; dropping the future ends the compiler.
    pub(crate) async fn program(
        &self,
        options: &Options,
        script: &Script,
        environment: Option<&Environment>,
    ) -> Result<Result<Arc<Binary>, Verdict>, Refused> {
        let begin = Instant::now();
        let toolchain = self.toolchain(options, script.language).await?;
        let strength = self.ahead.strength(options, NO_SETTINGS).await?;
        let packages = environment.map_or("", |environment| environment.key.as_str());
        let key = key(script.language, &toolchain.version, packages, &script.source);
        if let Some(binary) = self.kept.get(&key) {
            return Ok(Ok(binary));
        }
        let _turn =
            self.building.acquire().await.map_err(|_| unavailable("the runner is stopping"))?;
        // Somebody else may have had the same script compiled meanwhile.
        if let Some(binary) = self.kept.get(&key) {
            return Ok(Ok(binary));
        }
        let disk = self.shelf(options).await;
        if let Some(program) = shelved(disk, key).await {
            return self.ready(options, key, &program).map(Ok);
        }
        self.compilations.fetch_add(1, Ordering::Relaxed);
        let folder = environment.map(|environment| environment.folder.as_path());
        let exe = options.worker_exe.clone();
        let (built, program) = build(exe, strength, toolchain, &script.source, folder).await?;
        if built.end != End::Done || program.is_empty() {
            let error = messages::error(script.language, &script.source, &built);
            let error = error.unwrap_or_else(|| {
                ScriptError::new("script_syntax", "the compiler left no program")
            });
            return Ok(Err(Verdict {
                result: Err(error),
                stdout: String::new(),
                stderr: String::new(),
                duration: begin.elapsed(),
                memory_used: 0,
                isolation: isolation(strength),
            }));
        }
        let binary = self.ready(options, key, &program)?;
        shelve(disk, key, program).await;
        Ok(Ok(binary))
    }

    /// A program in memory, where it stays for the next time.
    fn ready(&self, options: &Options, key: Key, program: &[u8]) -> Result<Arc<Binary>, Refused> {
        let file = sealed("script", program, true).map_err(|error| no_memory(&error))?;
        let bytes = u64::try_from(program.len()).unwrap_or(u64::MAX);
        let binary = Arc::new(Binary { file, bytes });
        self.kept.put(key, &binary, options.compiled_kept);
        Ok(binary)
    }

    async fn shelf(&self, options: &Options) -> Option<&Shelf> {
        let cache = options.cache.clone();
        let opened = self.shelf.get_or_init(async || {
            let opened = tokio::task::spawn_blocking(move || {
                Shelf::open(&cache?, "programs", ON_DISK)
                    // They are compiled again after the next start, then.
                    .inspect_err(|error| tracing::warn!(%error, "programs are not kept on disk"))
                    .ok()
            });
            opened.await.ok().flatten()
        });
        opened.await.as_ref()
    }

    /// Runs a program; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        options: &Options,
        binary: &Binary,
        script: &Script,
        limits: &Limits,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<Verdict, Refused> {
        let variables = serde_json::to_vec(&script.variables)
            .map_err(|error| unavailable(&error.to_string()))?;
        let input = sealed("variables", &variables, false).map_err(|error| no_memory(&error))?;
        drop(variables);
        let own = Own { network: egress.is_some(), disk: limits.disk };
        let special = || serde_json::to_string(&own).map_err(|why| unavailable(&why.to_string()));
        let (mut child, strength) = match own {
            Own { network: false, disk: USUAL_DISK } => {
                self.ahead.take(options, NO_SETTINGS, options.compiled_ahead).await?
            }
            Own { network: false, .. } => {
                self.ahead.alone(options, NO_SETTINGS, &special()?).await?
            }
            Own { network: true, .. } => {
                self.ahead.alone_online(options, NO_SETTINGS, &special()?).await?
            }
        };
        let (socket, way) = child.ready(egress).await?;
        let isolation = in_force(strength, way.is_some());
        let started = Instant::now();
        let mut heard = Heard::default();
        let mut pipes = Pipes::new(&socket, binary, &input, limits)?;
        drop(input);
        let mut ended = None;
        let talk = async {
            let [stdout, stderr, result] = &mut pipes.0;
            let most = limits.output;
            let all = tokio::try_join!(
                hear(stdout, &mut heard.stdout, most),
                hear(stderr, &mut heard.stderr, most),
                hear(result, &mut heard.result, most.saturating_add(1)),
            );
            if all.is_ok() {
                ended = (&mut child.ended).await.ok();
            }
            all.is_err()
        };
        let mut crowded = false;
        let process = rustix::io::fcntl_dupfd_cloexec(&child.pidfd, 3);
        let process = process.map_err(|error| no_memory(&error.into()))?;
        let watched = async {
            tokio::select! {
                too_much = talk => too_much,
                () = threads::too_many(&process, limits.processes) => {
                    crowded = true;
                    false
                }
            }
        };
        let talk = beside(way, tokio::time::timeout(limits.wall, watched)).await;
        let (overstayed, too_much) = (talk.is_err(), talk.unwrap_or(false));
        let mut ended = match ended {
            Some(ended) => ended,
            None => gone(&mut child).await?,
        };
        ended.overstayed = overstayed;
        if ended.code == Some(1) && heard.is_empty() {
            not_started(socket).await?;
        }
        heard.too_much = too_much;
        let mut verdict = verdict(script, heard, ended, limits, started.elapsed(), isolation)?;
        if crowded {
            verdict.result = Err(ScriptError::too_many(limits.processes));
        }
        Ok(verdict)
    }

    /// How often a script was compiled.
    #[cfg(feature = "testkit")]
    pub(crate) fn compilations(&self) -> u64 {
        self.compilations.load(Ordering::Relaxed)
    }

    /// Ends those that wait.
    pub(crate) async fn shutdown(&self) {
        self.building.close();
        self.ahead.shutdown().await;
    }

    async fn toolchain(
        &self,
        options: &Options,
        language: Language,
    ) -> Result<&Toolchain, Refused> {
        let (cell, name) = match language {
            Language::Go => (&self.go, &options.go),
            Language::Rust
            | Language::JavaScript
            | Language::TypeScript
            | Language::Python
            | Language::Wasm => (&self.rust, &options.rustc),
        };
        let find = || async {
            let (name, search) = (name.clone(), std::env::var_os("PATH"));
            let cargo = options.dependencies.cargo.clone();
            let found = tokio::task::spawn_blocking(move || {
                Toolchain::find(language, &name, &cargo, search.as_deref())
            });
            found.await.unwrap_or_else(|error| Err(error.to_string()))
        };
        cell.get_or_init(find)
            .await
            .as_ref()
            .map_err(|why| Refused::NoInterpreter { language: language.name(), why: why.clone() })
    }
}

/// These processes are all alike until they have a program.
const NO_SETTINGS: &str = "";

fn no_memory(error: &std::io::Error) -> Refused {
    unavailable(&format!("a program cannot be kept in memory: {error}"))
}

/// Ends a process, and waits until it has gone.
async fn gone(child: &mut Child) -> Result<crate::wire::Ended, Refused> {
    child.kill();
    tokio::time::timeout(GONE_LIMIT, &mut child.ended)
        .await
        .map_err(|_| unavailable("a script's process does not end"))?
        .map_err(|_| unavailable("the script's process went away"))
}

/// A process that did not become the program says why on its socket, which programs do not have.
async fn not_started(mut socket: tokio::net::UnixStream) -> Result<(), Refused> {
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    match said.strip_prefix(b"X") {
        None => Ok(()),
        Some(why) => {
            let (layer, why) = crate::native::start::failure(why);
            Err(unavailable(&format!("a script's process could not be locked in: {layer}: {why}")))
        }
    }
}

/// Reads to the end; an error if that is more than it may be.
async fn hear(pipe: &mut Receiver, into: &mut Vec<u8>, most: u64) -> Result<(), ()> {
    let _ = pipe.take(most.saturating_add(1)).read_to_end(into).await;
    if u64::try_from(into.len()).unwrap_or(u64::MAX) > most { Err(()) } else { Ok(()) }
}

/// Where output, errors and the result come out.
struct Pipes([Receiver; 3]);

impl Pipes {
    /// Makes them, and hands a process what it needs to run its program.
    fn new(
        socket: &tokio::net::UnixStream,
        binary: &Binary,
        input: &OwnedFd,
        limits: &Limits,
    ) -> Result<Self, Refused> {
        let failed = |error: std::io::Error| unavailable(&format!("no pipe for a script: {error}"));
        let pipe = || {
            let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
            Ok::<_, std::io::Error>((Receiver::from_owned_fd(ours)?, theirs))
        };
        let (stdout, out) = pipe().map_err(failed)?;
        let (stderr, err) = pipe().map_err(failed)?;
        let (result, end) = pipe().map_err(failed)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // This only catches what the watchdog cannot.
        let seconds = limits.wall.as_secs().saturating_add(2);
        let seconds = seconds.saturating_mul(u64::try_from(cores).unwrap_or(1));
        let order = Order { memory: limits.memory, seconds }.to_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [&binary.file, input, &out, &err, &end].map(AsFd::as_fd);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(socket, &[IoSlice::new(&order)], &mut ancillary, SendFlags::NOSIGNAL)
            .map_err(|error| unavailable(&format!("a script's process went away: {error}")))?;
        Ok(Self([stdout, stderr, result]))
    }
}

/// A program that an earlier server has compiled.
async fn shelved(shelf: Option<&Shelf>, key: Key) -> Option<Vec<u8>> {
    let shelf = shelf?.clone();
    let read = move || shelf.get(&key).and_then(|file| shelf::content(file).ok());
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// Keeps a program for servers to come.
async fn shelve(shelf: Option<&Shelf>, key: Key, program: Vec<u8>) {
    let Some(shelf) = shelf.cloned() else { return };
    let put = tokio::task::spawn_blocking(move || shelf.put(&key, &program));
    if let Ok(Err(error)) = put.await {
        tracing::warn!(%error, "a program is not kept on disk");
    }
}
