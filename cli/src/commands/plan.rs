//! `jalm plan`: what an intent will do and touch.

use super::input;
use crate::args::Plan;
use crate::print::{self, Error};
use jalm_kernel::atom::Effect;
use jalm_kernel::intent::Grants;
use jalm_kernel::plan::StepDescription;
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &Plan) -> Result<ExitCode, Error> {
    let (name, text) = input::text(&args.file)?;
    let plan = input::compile(&name, &text)?;
    let description = plan.describe();
    if args.json {
        let json = serde_json::to_string_pretty(&description).map_err(Error::failed)?;
        print::out(json);
        return Ok(ExitCode::SUCCESS);
    }
    let mut shown = format!("intent {}", description.intent);
    if let Some(version) = &description.version {
        let _ = write!(shown, " {version}");
    }
    let _ = writeln!(shown, "\nhash   {}\n", description.hash);
    let header = ["step", "does", "effect", "after"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> =
        std::iter::once(header).chain(description.steps.iter().map(row)).collect();
    let _ = writeln!(shown, "{}\n", print::table(&rows, None));
    shown.push_str(&grants(description.grants.as_deref()));
    print::out(shown);
    Ok(ExitCode::SUCCESS)
}

fn row(step: &StepDescription) -> Vec<String> {
    let mut does = step.atom.to_string();
    if step.foreach {
        does.push_str(" (per item)");
    }
    if step.conditional {
        does.push_str(" (if)");
    }
    let effect = match step.effect {
        Effect::None => "none",
        Effect::Read => "reads",
        Effect::Write => "writes",
    };
    let indent = "  ".repeat(step.depth as usize);
    let needs: Vec<&str> = step.needs.iter().map(|id| &**id).collect();
    vec![format!("{indent}{}", step.id), does, effect.to_owned(), needs.join(", ")]
}

fn grants(grants: Option<&Grants>) -> String {
    let Some(grants) = grants else {
        return "grants: none written; it may touch all that the operator's policy allows"
            .to_owned();
    };
    let kinds = [
        ("http", &grants.http),
        ("db", &grants.db),
        ("file read", &grants.file.read),
        ("file write", &grants.file.write),
        ("notify", &grants.notify),
    ];
    let mut shown = "grants (nothing else can be touched):".to_owned();
    for (kind, list) in kinds {
        let list = if list.is_empty() { "–".to_owned() } else { list.join(", ") };
        let _ = write!(shown, "\n  {kind:<11}{list}");
    }
    if !grants.script.is_usual() {
        let languages = grants.script.languages.as_ref();
        let languages = languages.map_or("all languages".to_owned(), |some| some.join(", "));
        let network = if grants.script.network { "; network: the addresses of http" } else { "" };
        let _ = write!(shown, "\n  {:<11}{languages}{network}", "script");
    }
    shown
}
