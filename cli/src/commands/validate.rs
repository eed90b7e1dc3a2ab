//! `jalm validate`: everything that is wrong, at once.

use super::input;
use crate::args::Validate;
use crate::print::{self, Error};
use jalm_kernel::plan::Plan;
use jalm_kernel::source::{self, Problem, Report};
use serde_json::json;
use std::process::ExitCode;

pub(crate) fn run(args: &Validate) -> Result<ExitCode, Error> {
    let mut bad = 0;
    let mut reports = Vec::new();
    for file in &args.files {
        let (name, text) = input::text(file)?;
        let (valid, problems) = match Plan::compile(&text, jalm_layers::catalog()) {
            Ok(plan) => (true, plan.warnings),
            Err(problems) => (false, problems),
        };
        bad += usize::from(!valid);
        if args.json {
            let all: Vec<Report> =
                problems.iter().map(|problem: &Problem| problem.report(&text)).collect();
            let (warnings, errors): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|report| report.warning);
            reports.push(
                json!({ "file": name, "valid": valid, "errors": errors, "warnings": warnings }),
            );
            continue;
        }
        if !problems.is_empty() {
            print::note(source::render(&name, &text, &problems, print::colours()).trim_end());
        }
        if valid {
            print::out(format_args!("{name}: ok"));
        } else {
            let count = problems.iter().filter(|problem| !problem.warning).count();
            print::out(format_args!(
                "{name}: {count} problem{}",
                if count == 1 { "" } else { "s" }
            ));
        }
    }
    if args.json {
        print::out(format_args!("{:#}", json!(reports)));
    }
    Ok(ExitCode::from(if bad == 0 { 0 } else { 2 }))
}
