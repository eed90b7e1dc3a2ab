//! `cargo xtask errors`: every error code that people can meet is explained in `docs/errors.md`.
//!
//! Codes are found by the way in which errors are made: the first text of `permanent(…)`,
//! `transient(…)`, `syntax(…)`, `Problem::new(STATUS, …)` and so on. A new way to make an error
//! belongs into [`MAKERS`].

use crate::finding::Finding;
use crate::repo::{Repo, is_test, without_tests};
use std::collections::BTreeMap;

const PAGE: &str = "docs/errors.md";

/// What stands before a code.
const MAKERS: &[&str] = &[
    "permanent(",
    "transient(",
    "syntax(",
    "error(",
    ".problem(",
    "bad_request(",
    "ScriptError::new(",
    "code: ",
    "let code = ",
    "NOT_GRANTED: &str = ",
    "BAD_INPUT: &str = ",
    "=> (",
    "{ (",
];

/// Those behind which other texts stand too: only a code followed by a message counts.
const LOOSE: &[&str] = &["=> (", "{ ("];

/// The crates whose errors are shown to authors and callers. Settings have paths, not codes.
const CRATES: &[&str] = &["api/", "isolates/", "kernel/", "layers/", "scheduler/"];

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    if !arguments.is_empty() {
        return Err("`errors` takes no arguments".to_owned());
    }
    let mut codes = BTreeMap::new();
    let mut sources = String::new();
    for name in repo.files("rs")? {
        if CRATES.iter().any(|folder| name.starts_with(folder)) && !is_test(&name) {
            let text = repo.read(&name)?;
            let text = without_tests(&text);
            for code in codes_of(text) {
                codes.entry(code).or_insert_with(|| name.clone());
            }
            sources.push_str(text);
        }
    }
    let page = repo.read(PAGE)?;
    let explained = explained(&page);
    let mut findings = Vec::new();
    for (code, name) in codes.iter().filter(|(code, _)| !explained.contains(&code.as_str())) {
        findings.push(Finding::error(
            format!("error code `{code}` of {name} is not explained in {PAGE}"),
            "add a row: the code, what it means, what to do",
        ));
    }
    for code in explained.iter().filter(|code| !sources.contains(&format!("\"{code}\""))) {
        findings.push(Finding::error(
            format!("{PAGE} explains `{code}`, which the code never says"),
            "remove the row, or correct the code's name",
        ));
    }
    Ok((format!("{} codes, all explained", codes.len()), findings))
}

/// The codes that a source makes errors with.
fn codes_of(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for maker in MAKERS {
        for (at, _) in source.match_indices(maker) {
            found.extend(code_at(&source[at + maker.len()..], LOOSE.contains(maker)));
        }
    }
    for (at, maker) in
        source.match_indices("Problem::new(").chain(source.match_indices("Self::new("))
    {
        let arguments = source[at + maker.len()..].trim_start();
        if let Some((_, second)) =
            arguments.strip_prefix("StatusCode::").and_then(|rest| rest.split_once(','))
        {
            found.extend(code_at(second, false));
        }
    }
    found
}

/// The text literal that begins here, if it looks like a code. `in_tuple`: more must follow.
fn code_at(text: &str, in_tuple: bool) -> Option<String> {
    let (code, rest) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    let fits = !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (fits && (!in_tuple || rest.starts_with(", \"") || rest.starts_with(", format")))
        .then(|| code.to_owned())
}

/// The codes that have a row on the page: `` | `code` | … ``.
fn explained(page: &str) -> Vec<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_the_error_is_made() {
        let source = r#"
            Failure::permanent("one", "x"); transient(
                "two", format!("y"));
            Problem { code: "three", path };
            Problem::new(StatusCode::CONFLICT, "four", text);
            Self::new(
                StatusCode::CONFLICT,
                "five",
            );
            match x { Null => ("six", "empty".to_owned()), _ => ("seven", 7) };
            if data { ("nine", "does not fit") } else { 1 }
            Url::new("https://x"); key("eight", "what");
        "#;
        let mut found = codes_of(source);
        found.sort_unstable();
        assert_eq!(found, ["five", "four", "nine", "one", "six", "three", "two"]);
    }

    #[test]
    fn rows_of_the_page_are_read() {
        assert_eq!(explained("| code | x |\n|---|---|\n| `a_b` | what |\ntext `c`\n"), ["a_b"]);
    }
}
