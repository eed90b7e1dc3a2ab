//! The published suite of JSON Schema 2020-12 (`tests/data/json-schema-2020-12`, MIT), all of it,
//! the optional parts too. What is expected to fail is listed in `json-schema-2020-12.failing`,
//! one test a line; the list must be exact.

use super::check;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "json") {
            found.push(path);
        }
    }
    found.sort();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_published_suite_passes_but_for_what_is_listed() {
    let root = data().join("json-schema-2020-12");
    let remotes = root.join("remotes");
    let (mut found, mut schemas) = (Vec::new(), Map::new());
    files(&remotes, &mut found);
    for path in found {
        let name = path.strip_prefix(&remotes).unwrap().to_str().unwrap();
        schemas.insert(format!("http://localhost:1234/{name}"), json(&path));
    }
    let mut tests = Vec::new();
    files(&root, &mut tests);
    let (mut passed, mut failed) = (0, BTreeSet::new());
    for path in tests.iter().filter(|path| !path.starts_with(&remotes)) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        // In the optional parts `format` is meant to be asserted.
        let formats = name.starts_with("optional/format/");
        for group in json(path).as_array().unwrap() {
            for test in group["tests"].as_array().unwrap() {
                let result = check(&group["schema"], &schemas, &test["data"], formats, 1);
                let valid = result.map(|(mistakes, _)| mistakes.is_empty());
                if valid.ok() == test["valid"].as_bool() {
                    passed += 1;
                } else {
                    let text = |it: &Value| it["description"].as_str().unwrap().to_owned();
                    failed.insert(format!("{name}: {}: {}", text(group), text(test)));
                }
            }
        }
    }
    let listed = std::fs::read_to_string(data().join("json-schema-2020-12.failing")).unwrap();
    let listed: BTreeSet<String> =
        listed.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let new: Vec<_> = failed.difference(&listed).collect();
    let mended: Vec<_> = listed.difference(&failed).collect();
    assert!(new.is_empty() && mended.is_empty(), "fail now: {new:#?}\npass now: {mended:#?}");
    assert_eq!(passed, PASSING);
}

/// Counted, so that no file of the suite can be lost without notice.
const PASSING: usize = 1904;
