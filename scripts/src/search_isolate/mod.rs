//! `cargo xtask search-isolate`: what this host can really run foreign code in.
//!
//! Writes `candidates/isolates.json`: what the kernel gives, which interpreters, toolchains and
//! container runtimes are there, what each of the runner's own engines measures here, and the
//! engines that it could use, with a rank and the reasons. Nothing in it is guessed: what was not
//! found or not measured says so.

mod host;
mod known;
mod tools;

use crate::repo::Repo;
use serde_json::{Value, json};
use std::process::Command;

pub(crate) const FILE: &str = "candidates/isolates.json";

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    if !arguments.is_empty() {
        return Err("`search-isolate` takes no arguments".to_owned());
    }
    let mut engines = engines(repo)?;
    rank(&mut engines);
    let works = engines.iter().filter(|engine| engine["works"] == true).count();
    let found = json!({
        "about": "Written by `make search_isolate` on the host that it describes; measured there.",
        "host": host::look(),
        "tools": tools::look(),
        "engines": engines,
        "could_use": known::engines(),
    });
    let path = repo.root().join(FILE);
    let written = std::fs::create_dir_all(path.parent().unwrap_or(repo.root()))
        .and_then(|()| std::fs::write(&path, format!("{found:#}\n")));
    written.map_err(|error| format!("cannot write {FILE}: {error}"))?;
    Ok((format!("{works} of {} engines work here; see {FILE}", engines.len()), Vec::new()))
}

/// What the runner's own engines do here, measured by the runner.
fn engines(repo: &Repo) -> Result<Vec<Value>, String> {
    let jalm = ["target/release/jalm", "target/debug/jalm"]
        .map(|path| repo.root().join(path))
        .into_iter()
        .find(|path| path.is_file())
        .ok_or("the runner is not built; run `make search_isolate`, which builds it")?;
    let output = Command::new(&jalm)
        .args(["isolates", "--measure", "--json"])
        .output()
        .map_err(|error| format!("cannot start {}: {error}", jalm.display()))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        format!(
            "`jalm isolates` gave no list ({error}): {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// The fastest that works comes first; what does not work has no rank.
fn rank(engines: &mut [Value]) {
    let warm = |engine: &Value| engine["warm_ms"].as_f64().unwrap_or(f64::INFINITY);
    engines.sort_by(|a, b| {
        let works = |engine: &Value| engine["works"] != true;
        works(a).cmp(&works(b)).then(warm(a).total_cmp(&warm(b)))
    });
    for (at, engine) in engines.iter_mut().enumerate() {
        let works = engine["works"] == true;
        let reason = if works {
            let ms =
                |key: &str| engine[key].as_f64().map_or("?".to_owned(), |ms| format!("{ms:.2}"));
            format!("a script in {} ms, the first one in {} ms", ms("warm_ms"), ms("cold_ms"))
        } else {
            format!("does not work here: {}", engine["detail"].as_str().unwrap_or("unknown"))
        };
        engine["rank"] = if works { json!(at + 1) } else { Value::Null };
        engine["reason"] = json!(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_that_works_comes_first() {
        let mut engines = vec![
            json!({ "runtime": "broken", "works": false, "detail": "not there" }),
            json!({ "runtime": "slow", "works": true, "warm_ms": 9.0, "cold_ms": 90.0 }),
            json!({ "runtime": "fast", "works": true, "warm_ms": 1.0, "cold_ms": 10.0 }),
        ];
        rank(&mut engines);
        let ranked: Vec<(&str, Option<u64>)> = engines
            .iter()
            .map(|engine| (engine["runtime"].as_str().unwrap(), engine["rank"].as_u64()))
            .collect();
        assert_eq!(ranked, [("fast", Some(1)), ("slow", Some(2)), ("broken", None)]);
        assert_eq!(engines[0]["reason"], "a script in 1.00 ms, the first one in 10.00 ms");
        assert_eq!(engines[2]["reason"], "does not work here: not there");
    }

    #[test]
    fn what_is_said_of_this_host_has_a_value_or_a_reason() {
        let host = host::look();
        for key in ["system", "kernel", "architecture", "processors", "features"] {
            assert!(!host[key].is_null(), "{key}");
        }
        for (name, tool) in tools::look().as_object().unwrap() {
            for (tool, found) in tool.as_object().unwrap() {
                assert!(found["found"].is_boolean(), "{name} {tool}");
            }
        }
    }
}
