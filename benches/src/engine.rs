//! The engine in process: no HTTP, the real store, the real atoms.

use crate::figures::median;
use crate::intents::pure_steps;
use jalm_isolates::Isolates;
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::ports::Store;
use jalm_layers::Layers;
use jalm_scheduler::{Engine, Options, Submission, Waited};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const AT_ONCE: usize = 128;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

/// Ten pure steps, 128 executions at once.
pub(crate) fn throughput() {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    for store in
        [format!("sqlite:{}", folder.path().join("bench.db").display()), "memory:".to_owned()]
    {
        let scheme = store.split(':').next().unwrap_or_default().to_owned();
        let mut rates: Vec<f64> = runtime.block_on(async {
            let store = jalm_state_store::open(&store).expect("the store opens");
            let layers = layers(folder.path(), &store);
            let engine = Engine::start(store, layers.clone(), layers, Options::default());
            let mut rates = Vec::new();
            for _ in 0..ROUNDS {
                rates.push(round(&engine).await);
            }
            engine.shutdown(Duration::from_secs(1)).await;
            rates
        });
        println!(
            "engine in process, {scheme}, 10 pure steps x {AT_ONCE}: {:.0} steps/s (median of {ROUNDS})",
            median(&mut rates)
        );
    }
}

/// Runs one execution to its end.
async fn one(engine: &Engine, source: &Arc<str>, n: u64) -> ExecutionId {
    let params = Some(json!({ "n": n }));
    let submission = Submission { source: source.clone(), params, timeout: None, key: None };
    match engine.run(submission, Duration::from_mins(1)).await {
        Ok(Waited::Ended(view)) => {
            assert_eq!(view.summary.status.name(), "completed", "{view:?}");
            view.summary.execution_id
        }
        other => panic!("not ended: {other:?}"),
    }
}

async fn round(engine: &Engine) -> f64 {
    let source: Arc<str> = pure_steps(10).to_string().into();
    let begin = Instant::now();
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (engine, source) = (engine.clone(), source.clone());
            tokio::spawn(async move {
                let mut ended = 0_u32;
                while begin.elapsed() < ROUND {
                    one(&engine, &source, u64::from(ended)).await;
                    ended += 1;
                }
                ended
            })
        })
        .collect();
    let mut ended = 0;
    for worker in workers {
        ended += worker.await.expect("a worker ends");
    }
    f64::from(ended) * 10.0 / begin.elapsed().as_secs_f64()
}

/// Runs so many one-step executions straight into the store of a server that is not running.
/// Gives a sample of their ids.
pub(crate) fn fill(folder: &Path, wanted: u64) -> Vec<String> {
    let runtime = runtime();
    let store = format!("sqlite:{}", folder.join("jalm.db").display());
    runtime.block_on(async {
        let store = jalm_state_store::open(&store).expect("the store opens");
        let layers = layers(folder, &store);
        let engine = Engine::start(store, layers.clone(), layers, Options::default());
        let left = Arc::new(AtomicU64::new(wanted));
        let source: Arc<str> = pure_steps(1).to_string().into();
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (engine, source, left) = (engine.clone(), source.clone(), left.clone());
                tokio::spawn(async move {
                    let mut sample = Vec::new();
                    let take = |left| if left == 0 { None } else { Some(left - 1) };
                    while let Ok(number) = left.try_update(Relaxed, Relaxed, take) {
                        let id = one(&engine, &source, number).await;
                        if number % 1009 == 0 {
                            sample.push(id.to_string());
                        }
                    }
                    sample
                })
            })
            .collect();
        let mut sample = Vec::new();
        for worker in workers {
            sample.extend(worker.await.expect("a worker ends"));
        }
        engine.shutdown(Duration::from_secs(10)).await;
        sample
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

/// Times an intent with scripts, so many runs of it one after another, each durable. `binary`
/// becomes the isolates' processes.
pub(crate) fn sequence(binary: &str, intents: &[(serde_json::Value, usize)]) -> Vec<Vec<Duration>> {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("sqlite:{}", folder.path().join("bench.db").display());
    let binary = Path::new(binary).canonicalize().expect("the binary is there");
    runtime.block_on(async {
        let store = jalm_state_store::open(&store).expect("the store opens");
        let isolates = Isolates::new(jalm_isolates::Options::new(binary));
        let layers = layers_with(folder.path(), &store, isolates.clone());
        let engine = Engine::start(store, layers.clone(), layers, Options::default());
        let mut all = Vec::new();
        for (intent, count) in intents {
            let source: Arc<str> = intent.to_string().into();
            // The first ones start what is started when it is needed.
            for n in 0..3 {
                one(&engine, &source, n).await;
            }
            let mut times = Vec::new();
            for _ in 0..*count {
                let begin = Instant::now();
                one(&engine, &source, 1).await;
                times.push(begin.elapsed());
            }
            all.push(times);
        }
        engine.shutdown(Duration::from_secs(10)).await;
        isolates.shutdown().await;
        all
    })
}

/// Layers whose isolates nobody uses: the steps are pure.
fn layers(folder: &Path, store: &Arc<dyn Store>) -> Arc<Layers> {
    layers_with(folder, store, Isolates::new(jalm_isolates::Options::new("/nonexistent".into())))
}

fn layers_with(folder: &Path, store: &Arc<dyn Store>, isolates: Isolates) -> Arc<Layers> {
    Layers::new(jalm_layers::Options {
        data: folder.to_owned(),
        files: folder.join("files"),
        connections: std::collections::BTreeMap::new(),
        auto_connections: true,
        policy: jalm_layers::Policy::default(),
        kv: store.clone(),
        queue: store.clone(),
        isolates,
    })
    .expect("the layers fit together")
}
