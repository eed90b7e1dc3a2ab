//! `jalm isolates`: which languages run here, in what, how fast.

use crate::args::{Global, Isolates};
use crate::print::{self, Error};
use crate::{settings, wire};
use jalm_isolates::Surveyed;
use std::process::ExitCode;

/// Scripts of each engine behind the first one, when it is measured.
const RUNS: u32 = 50;

pub(crate) fn run(global: &Global, args: &Isolates) -> Result<ExitCode, Error> {
    let config = settings::load(global, Vec::new())?;
    let options = wire::isolate_options(&config)?;
    let runs = if args.measure { RUNS } else { 0 };
    let found = wire::runtime()?.block_on(jalm_isolates::survey(&options, runs));
    if args.json {
        let found = serde_json::to_value(&found).map_err(Error::failed)?;
        print::out(format_args!("{found:#}"));
    } else {
        print::out(table(&found, args.measure));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(found: &[Surveyed], measured: bool) -> String {
    let mut header = vec!["language", "runtime", "works"];
    if measured {
        header.extend(["first", "then", "memory"]);
    }
    header.push("isolation, or why not");
    let rows = found.iter().map(|engine| {
        let mut row = vec![engine.language.to_owned(), runtime(engine), yes_or_no(engine.works)];
        if measured {
            row.extend([time(engine.cold_ms), time(engine.warm_ms), memory(engine.memory)]);
        }
        row.push(engine.detail.clone());
        row
    });
    let header = header.into_iter().map(str::to_owned).collect();
    print::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), None)
}

fn runtime(engine: &Surveyed) -> String {
    let mark = if engine.usual { " (usual)" } else { "" };
    format!("{}{mark}", engine.runtime)
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn time(ms: Option<f64>) -> String {
    ms.map_or_else(String::new, |ms| format!("{ms:.2} ms"))
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20))
}
