//! `cargo xtask links`: every relative link of a Markdown file leads to a file or heading.

use crate::finding::Finding;
use crate::repo::Repo;
use std::collections::BTreeSet;

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    if !arguments.is_empty() {
        return Err("`links` takes no arguments".to_owned());
    }
    let mut findings = Vec::new();
    let mut count = 0;
    let files = repo.files("md")?;
    for name in &files {
        let text = repo.read(name)?;
        for (line, target) in links(&text) {
            count += 1;
            if let Some(why) = wrong(repo, name, &text, &target) {
                findings.push(Finding::error(
                    format!("{name}:{line}: link `{target}` leads nowhere: {why}"),
                    "correct the link, or write what it should lead to",
                ));
            }
        }
    }
    Ok((format!("{count} links in {} files lead somewhere", files.len()), findings))
}

/// The relative links of a text with their lines. Code is not looked at.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let mut rest = prose.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let end = after.find(')').unwrap_or(after.len());
            let target = after[..end].split_whitespace().next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !elsewhere {
                found.push((line, target.to_owned()));
            }
            rest = &after[end..];
        }
    }
    found
}

/// The lines outside code blocks, without inline code, numbered from 1.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => {
                let outside: Vec<&str> = line.split('`').step_by(2).collect();
                lines.push((number + 1, outside.join("``")));
            }
        }
    }
    lines
}

fn wrong(repo: &Repo, from: &str, own: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(p, a)| (p, Some(a)));
    let text = if path.is_empty() {
        own.to_owned()
    } else {
        let full = repo.path(from).parent()?.join(path);
        if !full.exists() {
            return Some(format!("there is no file `{path}`"));
        }
        std::fs::read_to_string(full).unwrap_or_default()
    };
    let anchor = anchor.filter(|anchor| !anchor.is_empty())?;
    let anchors = anchors(&text);
    (!anchors.contains(anchor)).then(|| format!("there is no heading `#{anchor}`"))
}

/// The names under which headings can be linked, as code hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug = slug(title.trim());
        let mut name = slug.clone();
        let mut number = 0;
        while !found.insert(name.clone()) {
            number += 1;
            name = format!("{slug}-{number}");
        }
    }
    found
}

fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_links_outside_code_are_looked_at() {
        let text = "[a](a.md) [web](https://x.example/y) `[b](b.md)`\n```\n[c](c.md)\n```\n[d](#d)";
        assert_eq!(links(text), [(1, "a.md".to_owned()), (5, "#d".to_owned())]);
    }

    #[test]
    fn anchors_are_made_as_code_hosts_make_them() {
        let found = anchors("# `GET /exec` – a list\n## One\n## One\n```\n# no\n```\n#no\n");
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["get-exec--a-list", "one", "one-1"]);
    }

    #[test]
    fn missing_files_and_headings_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path());
        std::fs::create_dir(folder.path().join("docs")).unwrap();
        std::fs::write(folder.path().join("docs/b.md"), "# Here\n").unwrap();
        std::fs::write(
            folder.path().join("a.md"),
            "[1](docs/b.md#here) [2](docs/b.md#there) [3](c.md) [4](#own)\n# Own\n",
        )
        .unwrap();
        let (_, findings) = run(&repo, &[]).unwrap();
        let found: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("#there") && found[1].contains("c.md"), "{found:?}");
    }
}
