//! The engine in process: no HTTP, the real store, the real atoms.

use crate::figures::median;
use crate::intents::pure_steps;
use jalm_scheduler::{Engine, Options, Submission, Waited};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

const AT_ONCE: usize = 128;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

/// Ten pure steps, 128 executions at once.
pub(crate) fn throughput() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
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

async fn round(engine: &Engine) -> f64 {
    let source: Arc<str> = pure_steps(10).to_string().into();
    let begin = Instant::now();
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (engine, source) = (engine.clone(), source.clone());
            tokio::spawn(async move {
                let mut ended = 0_u32;
                while begin.elapsed() < ROUND {
                    let submission = Submission {
                        source: source.clone(),
                        params: Some(json!({ "n": ended })),
                        timeout: None,
                        key: None,
                    };
                    match engine.run(submission, Duration::from_secs(60)).await {
                        Ok(Waited::Ended(view)) => {
                            assert_eq!(view.summary.status.name(), "completed", "{view:?}");
                            ended += 1;
                        }
                        other => panic!("not ended: {other:?}"),
                    }
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

fn layers(
    folder: &std::path::Path,
    store: &Arc<dyn jalm_kernel::ports::Store>,
) -> Arc<jalm_layers::Layers> {
    todo_layers(folder, store)
}
