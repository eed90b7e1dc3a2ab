//! The server's side: starts the worker, hands jobs over, waits for their end.

pub(crate) mod process;
mod route;
mod start;
mod survey;
pub(crate) mod verdict;
mod worker;

pub use survey::{Surveyed, survey};
pub(crate) use verdict::NOT_LOCKED_IN;

use crate::api::{Job, Limits, Options, Refused, Report, Script, Strength, Verdict};
use crate::compiled::Compiled;
use crate::deps::{Dependencies, DependencyError, Environment, Requirements, Source};
use crate::engines::Task;
use crate::languages::Language;
use crate::native::{Native, Packages};
use crate::network::Egress;
use crate::node::{Code, Flavour, Node};
use crate::wasm::{Place, Python, Wasm};
use crate::wire::{Ended, Order, Terms};
use route::{Route, route};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, Semaphore};
use worker::{Child, Worker};

/// How much longer than its wall clock a run may take before the worker itself is given up.
/// The worker kills a child that overstays within milliseconds, and the kernel ends it when its
/// processor time is used up; both may take longer on a busy machine.
const GRACE: Duration = Duration::from_secs(15);

/// The worker keeps a descriptor for each child, and it may have 256.
const MOST_CHILDREN: usize = 200;

/// Room in an answer for what is neither result nor printed text.
const ENVELOPE: u64 = 64 * 1024;

/// The isolates of one server. Cloning gives another handle to the same worker.
#[derive(Clone, Debug)]
pub struct Isolates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    state: Mutex<State>,
    permits: Arc<Semaphore>,
    native: Native,
    node: Node,
    compiled: Compiled,
    wasm: Wasm,
    python: Python,
    dependencies: Dependencies,
}

#[derive(Debug, Default)]
struct State {
    worker: Option<Arc<Worker>>,
    report: Option<Report>,
}

/// Nobody can ask for a run any more.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(worker) = self.state.get_mut().worker.take() {
            worker.stop();
        }
    }
}

impl Isolates {
    /// Isolates with these settings. Nothing is started before it is needed.
    pub fn new(options: Options) -> Self {
        let permits = Arc::new(Semaphore::new(options.max_children.clamp(1, MOST_CHILDREN)));
        let state = Mutex::new(State::default());
        let (wasm, python) = (Wasm::new(&options), Python::new(&options));
        Self(Arc::new(Inner {
            options,
            state,
            permits,
            native: Native::default(),
            node: Node::default(),
            compiled: Compiled::default(),
            wasm,
            python,
            dependencies: Dependencies::default(),
        }))
    }

    /// What this host gives to the sandbox, if a worker was started or tried to already.
    pub fn known_report(&self) -> Option<Report> {
        self.0.state.try_lock().ok().and_then(|state| state.report.clone())
    }

    /// What this host gives to the sandbox: starts a worker if none was started yet.
    pub async fn report(&self) -> Report {
        let mut state = self.0.state.lock().await;
        if state.report.is_none() {
            self.start(&mut state).await;
        }
        state.report.clone().unwrap_or(Report { strength: None, layers: Vec::new() })
    }

    /// How often a script in a compiled language was compiled.
    #[cfg(feature = "testkit")]
    pub fn compilations(&self) -> u64 {
        self.0.compiled.compilations()
    }

    /// Has what a script depends on installed, as `known` pins it, if it does. Dropping the future
    /// ends the installer.
    pub async fn install(
        &self,
        wanted: &Requirements,
        known: Option<&Value>,
    ) -> Result<Environment, DependencyError> {
        self.0.dependencies.prepare(&self.0.options, wanted, known).await
    }

    /// Runs a job. Dropping the future kills it.
    pub async fn run(&self, job: Job) -> Result<Verdict, Refused> {
        self.run_with(job, None).await
    }

    /// The same with packages that were prepared for it.
    pub async fn run_with(
        &self,
        job: Job,
        environment: Option<&Environment>,
    ) -> Result<Verdict, Refused> {
        self.run_online(job, environment, None).await
    }

    /// The same for code that reaches the network through this way out, and in no other way. Kinds
    /// of isolates that have no sockets have none with it, either.
    pub async fn run_online(
        &self,
        job: Job,
        environment: Option<&Environment>,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<Verdict, Refused> {
        let Job { program, limits } = job;
        match route(program)? {
            Route::Isolate(task) => self.run_in_worker(&task, limits).await,
            Route::Node(flavour, script) => {
                let packages = environment.map(|environment| environment.folder.clone());
                self.run_on_node((flavour, script), packages, limits, egress).await
            }
            Route::Python(script) => {
                let permit = self.0.permits.acquire().await;
                let _permit = permit.map_err(|_| stopped())?;
                let all = self.0.dependencies.folder(&self.0.options, Source::Python).await;
                let own = environment.map(|environment| environment.key.as_str());
                let packages = Packages { all, own };
                let native = &self.0.native;
                let ran = native.run(&self.0.options, &script, &packages, &limits, egress).await;
                ran.map_err(|refused| self.other_python(refused))
            }
            Route::PythonWasi(script) => {
                let begin = Instant::now();
                let worker = self.worker().await?;
                let code = self.python(limits.wall).await?;
                let limits = Limits { wall: limits.wall.saturating_sub(begin.elapsed()), ..limits };
                self.0.python.run(&code, &script, &self.wasm_place(&worker, &limits)).await
            }
            Route::Compiled(script) => {
                let compiled = &self.0.compiled;
                match compiled.program(&self.0.options, &script, environment).await? {
                    Err(wrong) => Ok(wrong),
                    Ok(program) => {
                        let permit = self.0.permits.acquire().await;
                        let _permit = permit.map_err(|_| stopped())?;
                        compiled.run(&self.0.options, &program, &script, &limits, egress).await
                    }
                }
            }
            Route::Wasm(script) => {
                let worker = self.worker().await?;
                let compile = async |limits| {
                    let source = script.source.clone();
                    self.run_in_worker(&Task::CompileWasm { source }, limits).await
                };
                self.0.wasm.run(&script, &self.wasm_place(&worker, &limits), compile).await
            }
            #[cfg(feature = "testkit")]
            Route::ProbeWasm(attempts) => {
                let worker = self.worker().await?;
                self.0.wasm.probe(attempts, &self.wasm_place(&worker, &limits)).await
            }
        }
    }

    /// Gets ready, in the background, what takes seconds when it is needed first: Python in
    /// WebAssembly, if its component is there and was not compiled yet.
    pub fn prepare(&self) {
        if self.0.options.python_wasi.is_file() {
            let this = self.clone();
            tokio::spawn(async move {
                if let Err(refused) = this.prepare_python().await {
                    tracing::warn!(%refused, "Python for WebAssembly is not ready");
                }
            });
        }
    }

    /// Gets Python in WebAssembly ready, or says why there is none.
    pub async fn prepare_python(&self) -> Result<(), Refused> {
        self.python(Duration::from_hours(1)).await.map(drop)
    }

    /// The interpreter's machine code. It is made to the end, whoever waits no longer.
    async fn python(&self, wait: Duration) -> Result<Arc<std::fs::File>, Refused> {
        if let Some(code) = self.0.python.ready() {
            return Ok(code);
        }
        let this = self.clone();
        let made = tokio::spawn(async move {
            let compile = async |component, limits| {
                this.run_in_worker(&Task::CompilePython { component }, limits).await
            };
            this.0.python.prepare(&this.0.options, compile).await
        });
        match tokio::time::timeout(wait, made).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => Err(Refused::Unavailable { why: error.to_string() }),
            Err(_) => Err(Refused::Unavailable {
                why: "Python is still being compiled, for the first time here".to_owned(),
            }),
        }
    }

    /// Where the host's Python is refused for want of Landlock, the other one is not.
    fn other_python(&self, refused: Refused) -> Refused {
        if let Refused::BelowMinimum { reasons, .. } = &refused
            && self.0.options.minimum < Strength::B
        {
            return Refused::NativePython { reasons: reasons.clone() };
        }
        refused
    }

    /// A runner has a sandbox like that of the worker, or there is none.
    fn wasm_place<'a>(&'a self, worker: &Worker, limits: &'a Limits) -> Place<'a> {
        Place {
            options: &self.0.options,
            strength: worker.strength(),
            isolation: worker.wasm_isolation(),
            limits,
        }
    }

    /// The worker takes TypeScript's types away first.
    async fn run_on_node(
        &self,
        (flavour, script): (Flavour, Script),
        packages: Option<std::path::PathBuf>,
        limits: Limits,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<Verdict, Refused> {
        let started = Instant::now();
        let Script { language, source, variables, .. } = script;
        let mut code = Code { text: source, strict: false, places: Value::Null };
        if language == Language::TypeScript {
            // The text and its places are larger than the source, and no result of a script.
            let room = u64::try_from(code.text.len()).unwrap_or(u64::MAX).saturating_mul(32);
            let output = limits.output.saturating_add(room);
            let task = Task::StripTypeScript { source: code.text };
            let stripped = self.run_in_worker(&task, Limits { output, ..limits }).await?;
            code = match stripped.result.as_ref().map(Code::read) {
                Ok(Some(code)) => code,
                Ok(None) => return Err(no_code()),
                Err(_) => return Ok(stripped),
            };
        }
        let permit = self.0.permits.acquire().await;
        let _permit = permit.map_err(|_| stopped())?;
        let wall = limits.wall.saturating_sub(started.elapsed());
        let limits = Limits { wall, ..limits };
        let code = (flavour, &code, packages);
        self.0.node.run(&self.0.options, code, &variables, &limits, egress).await
    }

    async fn run_in_worker(&self, task: &Task, limits: Limits) -> Result<Verdict, Refused> {
        let mut task = serde_json::to_vec(task).map_err(|error| Refused::Unavailable {
            why: format!("the job cannot be sent: {error}"),
        })?;
        let permit = self.0.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| stopped())?;
        let worker = self.worker().await?;
        let started = Instant::now();
        let unavailable = |why| Refused::Unavailable { why };
        let Child { id, socket, ended } = worker.take(permit).map_err(unavailable)?;
        let mut running = Running { worker: worker.clone(), id, over: false };
        let wall_ms = u64::try_from(limits.wall.as_millis()).unwrap_or(u64::MAX).max(1);
        worker.send(Order::Run { id, wall_ms }, None).map_err(unavailable)?;
        socket.set_nonblocking(true).map_err(|error| no_socket(&error))?;
        let socket = UnixStream::from_std(socket).map_err(|error| no_socket(&error))?;
        let terms = Terms { wall_ms, memory: limits.memory, output: limits.output };
        task.splice(..0, terms.to_bytes());

        let most = limits.output.saturating_mul(2).saturating_add(ENVELOPE);
        let limit = limits.wall.saturating_add(GRACE);
        let answer = tokio::time::timeout(limit, talk(socket, &task, most));
        let bytes = match answer.await {
            Ok(bytes) => bytes,
            Err(_) => {
                worker.give_up("it did not end a script that overstayed");
                None
            }
        };
        let answer = bytes.as_deref().and_then(verdict::read_answer);
        let ended = match (&answer, &bytes) {
            // The answer is whole: how its process ends afterwards changes nothing.
            (Some(_), Some(_)) => {
                running.over = true;
                None
            }
            (_, None) => {
                drop(running);
                Some(wait_for(ended).await?)
            }
            (None, Some(_)) => {
                running.over = true;
                Some(wait_for(ended).await?)
            }
        };
        let isolation = worker.isolation();
        verdict::of(answer, ended, bytes.is_none(), &limits, started.elapsed(), isolation)
    }

    /// Ends the worker and whatever still runs in it.
    pub async fn shutdown(&self) {
        self.0.permits.close();
        self.0.native.shutdown().await;
        self.0.node.shutdown().await;
        self.0.compiled.shutdown().await;
        self.0.wasm.shutdown();
        self.0.python.shutdown();
        if let Some(worker) = self.0.state.lock().await.worker.take() {
            worker.stop();
            // Waiting for its end blocks, if only for a moment.
            let _ = tokio::task::spawn_blocking(move || worker.wait()).await;
        }
    }

    async fn worker(&self) -> Result<Arc<Worker>, Refused> {
        let mut state = self.0.state.lock().await;
        if let Some(worker) = state.worker.as_ref().filter(|worker| !worker.is_gone()) {
            return Ok(worker.clone());
        }
        if self.0.permits.is_closed() {
            return Err(stopped());
        }
        self.start(&mut state).await;
        match (&state.worker, &state.report) {
            (Some(worker), _) => Ok(worker.clone()),
            (None, report) => Err(Refused::BelowMinimum {
                minimum: self.0.options.minimum,
                strength: report.as_ref().and_then(|report| report.strength),
                reasons: report.as_ref().map(Report::missing).unwrap_or_default(),
            }),
        }
    }

    /// Starts a worker in the strongest sandbox that this host gives, and notes what it gives.
    async fn start(&self, state: &mut State) {
        let (exe, maximum, minimum) = {
            let options = &self.0.options;
            // A strength that was had once is not given up silently later.
            let known = state.report.as_ref().and_then(|report| report.strength);
            (options.worker_exe.clone(), known.unwrap_or(options.maximum), options.minimum)
        };
        let ahead = self.0.options.isolate_ahead;
        let found =
            tokio::task::spawn_blocking(move || start::strongest(&exe, maximum, ahead)).await;
        let Ok((worker, report)) = found else { return };
        state.worker = worker.filter(|worker| {
            let enough = worker.strength() >= minimum;
            if !enough {
                worker.stop();
            }
            enough
        });
        state.report = Some(report);
    }
}

/// Kills a run that nobody waits for any more.
struct Running {
    worker: Arc<Worker>,
    id: u64,
    over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.worker.send(Order::Kill { id: self.id }, None);
        }
    }
}

/// Gives the job to its child and reads the answer. None if the answer is larger than it may be.
async fn talk(mut socket: UnixStream, task: &[u8], most: u64) -> Option<Vec<u8>> {
    // A child that died early breaks the pipe; how it ended says more than that.
    let _ = socket.write_all(task).await;
    let _ = socket.shutdown().await;
    let mut answer = Vec::new();
    let _ = (&mut socket).take(most).read_to_end(&mut answer).await;
    (u64::try_from(answer.len()).unwrap_or(u64::MAX) < most).then_some(answer)
}

async fn wait_for(ended: tokio::sync::oneshot::Receiver<Ended>) -> Result<Ended, Refused> {
    let why = "the worker went away";
    match tokio::time::timeout(GRACE, ended).await {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(_)) | Err(_) => Err(Refused::Unavailable { why: why.to_owned() }),
    }
}

fn no_code() -> Refused {
    Refused::Unavailable { why: "the worker gave no code".to_owned() }
}

fn stopped() -> Refused {
    Refused::Unavailable { why: "the runner is stopping".to_owned() }
}

fn no_socket(error: &std::io::Error) -> Refused {
    Refused::Unavailable { why: format!("no socket for the job: {error}") }
}
