//! `cargo xtask samples`: every intent shown in a Markdown file is one that the runner takes.

use crate::finding::Finding;
use crate::repo::Repo;
use jalm_kernel::plan::Plan;

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    if !arguments.is_empty() {
        return Err("`samples` takes no arguments".to_owned());
    }
    let mut findings = Vec::new();
    let mut count = 0;
    for name in repo.files("md")? {
        for (line, intent) in intents(&repo.read(&name)?) {
            count += 1;
            findings.extend(judge(&name, line, &intent));
        }
    }
    for name in repo.files("yaml")?.iter().filter(|name| name.starts_with("examples/")) {
        count += 1;
        findings.extend(judge(name, 0, &repo.read(name)?));
    }
    Ok((format!("{count} intents, all as the runner takes them"), findings))
}

/// The blocks of YAML that begin with `intent:`, with the line before each.
fn intents(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut open {
            Some((begin, block)) if line == "```" => {
                if block.starts_with("intent:") {
                    found.push((*begin, std::mem::take(block)));
                }
                open = None;
            }
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line == "```yaml" => open = Some((number + 1, String::new())),
            None => {}
        }
    }
    found
}

fn judge(name: &str, before: usize, intent: &str) -> Vec<Finding> {
    let problems = match Plan::compile(intent, jalm_layers::catalog()) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems,
    };
    let found = problems.iter().map(|problem| {
        let report = problem.report(intent);
        let line = before + report.line as usize;
        Finding::error(format!("{name}:{line}: {}", report.message), report.hint.into_owned())
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_that_would_be_refused_is_found_with_its_line() {
        let text = "# A\n\n```yaml\nintent: x\nsteps:\n  - atom: get_timestmp\n```\n\n```yaml\na: 1\n```\n";
        let blocks = intents(text);
        assert_eq!(blocks.len(), 1);
        let found = judge("a.md", blocks[0].0, &blocks[0].1);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.starts_with("a.md:6: "), "{}", found[0].what);
        assert!(found[0].mend.contains("get_timestamp"), "{}", found[0].mend);
    }
}
