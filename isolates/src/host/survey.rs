//! What each engine does on this very host: whether it works, how fast, how much memory.

use crate::api::{Job, Limits, Options, Program, Script};
use crate::host::Isolates;
use crate::languages::{ENGINES, Engine, Language};
use serde::Serialize;
use std::time::{Duration, Instant};

/// One engine as it was found.
#[derive(Clone, Debug, Serialize)]
pub struct Surveyed {
    /// `python`.
    pub language: &'static str,
    /// `native`.
    pub runtime: &'static str,
    /// `process`.
    pub kind: &'static str,
    /// Whether it is what the language gets unasked.
    pub usual: bool,
    /// Whether a script ran.
    pub works: bool,
    /// The isolation that was in force, or why nothing ran.
    pub detail: String,
    /// The first script after a start, the start included, in milliseconds.
    pub cold_ms: Option<f64>,
    /// The median of those that followed, in milliseconds.
    pub warm_ms: Option<f64>,
    /// The most memory that a script's process had, in bytes.
    pub memory: Option<u64>,
}

/// Looks at every engine, with so many scripts after the first one; none for a look only.
pub async fn survey(options: &Options, runs: u32) -> Vec<Surveyed> {
    let mut found = Vec::new();
    for engine in ENGINES {
        // Isolates of its own, so that the first script pays for the start.
        let isolates = Isolates::new(options.clone());
        found.push(look(&isolates, engine, runs).await);
        isolates.shutdown().await;
    }
    found
}

async fn look(isolates: &Isolates, engine: &Engine, runs: u32) -> Surveyed {
    let usual = engine.language.engines().next().is_some_and(|first| std::ptr::eq(first, engine));
    let mut surveyed = Surveyed {
        language: engine.language.name(),
        runtime: engine.runtime.name(),
        kind: engine.kind.name(),
        usual,
        works: false,
        detail: String::new(),
        cold_ms: None,
        warm_ms: None,
        memory: None,
    };
    let begin = Instant::now();
    match isolates.run(smallest(engine)).await {
        Err(refused) => surveyed.detail = refused.to_string(),
        Ok(verdict) => {
            surveyed.cold_ms = Some(millis(begin.elapsed()));
            surveyed.memory = Some(verdict.memory_used);
            match verdict.result {
                Err(error) => surveyed.detail = error.message,
                Ok(_) => {
                    surveyed.works = true;
                    surveyed.detail = verdict.isolation.to_string();
                    surveyed.warm_ms = warm(isolates, engine, runs).await;
                }
            }
        }
    }
    surveyed
}

async fn warm(isolates: &Isolates, engine: &Engine, runs: u32) -> Option<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let begin = Instant::now();
        isolates.run(smallest(engine)).await.ok()?.result.ok()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().map(millis)
}

/// The smallest script of a language: it gives 1.
fn smallest(engine: &Engine) -> Job {
    let source = match engine.language {
        Language::JavaScript => "return 1",
        Language::TypeScript => "return 1 as number",
        Language::Python => "return 1",
        Language::Rust => "return 1",
        Language::Go => "return 1",
        Language::Wasm => "(module (func (export \"main\") (result i32) i32.const 1))",
    };
    let program = Program::Script(Script {
        language: engine.language,
        runtime: Some(engine.runtime),
        source: source.to_owned(),
        variables: serde_json::Map::new(),
    });
    Job { program, limits: Limits::default() }
}

/// With three digits behind the point: more would be noise.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
