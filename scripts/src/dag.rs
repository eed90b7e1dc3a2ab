//! `cargo xtask dag`: dependencies between our crates point one way (DESIGN §10).
//!
//! [`ALLOWED`] is the drawing in ARCHITECTURE.md as a table. Dev-dependencies never ship, so they
//! are listed but not judged.

use crate::finding::Finding;
use crate::repo::Repo;
use serde_json::Value;

/// Which of our crates a crate may depend on.
enum May {
    /// These.
    Only(&'static [&'static str]),
    /// All: the binary wires everything, tools and benchmarks look at everything.
    Any,
}

/// The drawing. A new crate is one line here.
const ALLOWED: &[(&str, May)] = &[
    ("jalm-kernel", May::Only(&[])),
    ("jalm-cfg", May::Only(&["jalm-kernel"])),
    ("jalm-state-store", May::Only(&["jalm-kernel"])),
    ("jalm-isolates", May::Only(&["jalm-kernel"])),
    ("jalm-registry-proxy", May::Only(&["jalm-kernel"])),
    ("jalm-layers", May::Only(&["jalm-kernel", "jalm-isolates", "jalm-registry-proxy"])),
    ("jalm-scheduler", May::Only(&["jalm-kernel"])),
    ("jalm-api", May::Only(&["jalm-kernel", "jalm-scheduler"])),
    ("jalm-ui", May::Only(&[])),
    ("jalm", May::Any),
    ("xtask", May::Only(&["jalm-kernel", "jalm-cfg", "jalm-layers", "jalm-api"])),
    ("jalm-tests", May::Any),
    ("jalm-benches", May::Any),
];

/// A dependency between two of our crates.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    dev: bool,
}

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    if !arguments.is_empty() {
        return Err("`dag` takes no arguments".to_owned());
    }
    let text = repo.cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    let metadata = serde_json::from_str(&text)
        .map_err(|error| format!("`cargo metadata` printed no JSON: {error}"))?;
    let (packages, edges) = edges(&metadata);
    let dev: Vec<String> = edges
        .iter()
        .filter(|edge| edge.dev && edge.from != edge.to)
        .map(|edge| format!("{} → {}", edge.from, edge.to))
        .collect();
    let judged = edges.iter().filter(|edge| !edge.dev).count();
    let done = format!(
        "{} crates, {judged} dependencies, all point the right way (for tests only: {})",
        packages.len(),
        if dev.is_empty() { "none".to_owned() } else { dev.join(", ") },
    );
    Ok((done, judge(&packages, &edges)))
}

/// Our crates, and the dependencies among them.
fn edges(metadata: &Value) -> (Vec<String>, Vec<Edge>) {
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours: Vec<String> = packages().map(|package| text(&package["name"])).collect();
    let mut edges = Vec::new();
    for package in packages() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = text(&dependency["name"]);
            if ours.contains(&to) {
                let dev = dependency["kind"] == "dev";
                edges.push(Edge { from: text(&package["name"]), to, dev });
            }
        }
    }
    (ours, edges)
}

fn judge(packages: &[String], edges: &[Edge]) -> Vec<Finding> {
    let known = |name: &str| ALLOWED.iter().find(|(crate_name, _)| *crate_name == name);
    let mut findings = Vec::new();
    for name in packages.iter().filter(|name| known(name).is_none()) {
        findings.push(Finding::error(
            format!("crate `{name}` is not in the drawing"),
            "add it to ALLOWED in scripts/src/dag.rs and to the drawing in ARCHITECTURE.md",
        ));
    }
    for Edge { from, to, .. } in edges.iter().filter(|edge| !edge.dev) {
        let Some((_, May::Only(allowed))) = known(from) else { continue };
        if !allowed.contains(&to.as_str()) {
            findings.push(Finding::error(format!("`{from}` depends on `{to}`"), mend(from, to)));
        }
    }
    findings
}

fn mend(from: &str, to: &str) -> String {
    match (from, to) {
        ("jalm-kernel", _) => "the kernel knows nobody: put a trait into `kernel::ports`, let \
                               the other crate implement it, and hand it in from `cli`"
            .to_owned(),
        (_, "jalm") => {
            "move what is needed out of the binary, into a crate that both may use".to_owned()
        }
        _ => format!(
            "siblings never know each other: take what `{from}` needs as a trait of \
             `kernel::ports`, and have `cli/src/wire.rs` put them together"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let metadata = json!({ "packages": [
            { "name": from, "dependencies": [
                { "name": to, "kind": kind }, { "name": "serde", "kind": null },
            ]},
            { "name": to, "dependencies": [] },
        ]});
        let (packages, edges) = edges(&metadata);
        judge(&packages, &edges).iter().map(|finding| finding.what.clone()).collect()
    }

    #[test]
    fn dependencies_downwards_are_fine() {
        for (from, to) in
            [("jalm", "jalm-ui"), ("jalm-api", "jalm-scheduler"), ("jalm-cfg", "jalm-kernel")]
        {
            assert!(found(from, to, None).is_empty(), "{from} → {to}");
        }
    }

    #[test]
    fn siblings_and_ways_back_are_found() {
        for (from, to) in [
            ("jalm-kernel", "jalm-layers"),
            ("jalm-scheduler", "jalm-state-store"),
            ("jalm-api", "jalm-layers"),
            ("jalm-layers", "jalm"),
        ] {
            assert_eq!(found(from, to, None), [format!("`{from}` depends on `{to}`")]);
        }
    }

    #[test]
    fn what_only_tests_need_is_not_judged() {
        assert!(found("jalm-api", "jalm-state-store", Some("dev")).is_empty());
        assert_eq!(found("jalm-api", "jalm-state-store", Some("build")).len(), 1);
    }

    #[test]
    fn a_crate_that_nobody_drew_is_found() {
        assert_eq!(
            found("jalm-extra", "jalm-kernel", None),
            ["crate `jalm-extra` is not in the drawing"]
        );
    }
}
