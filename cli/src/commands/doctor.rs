//! `jalm doctor`: what works on this machine, what is missing, what to do about it.

use crate::args::Global;
use crate::print::{self, Colour, Error};
use crate::{settings, wire};
use jalm_isolates::{Refused, Report};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

struct Finding {
    what: &'static str,
    good: bool,
    detail: String,
    hint: Option<String>,
}

pub(crate) fn run(global: &Global, as_json: bool) -> Result<ExitCode, Error> {
    let config = settings::load(global, Vec::new())?;
    let (report, python) = sandbox(&config)?;
    let findings = [
        data(&config.data),
        store(&config),
        isolation(&config, &report),
        python_wasi(python),
        files_limit(),
    ];
    let good = findings.iter().all(|finding| finding.good);
    if as_json {
        let findings: Vec<Value> = findings
            .iter()
            .map(|finding| {
                json!({ "check": finding.what, "ok": finding.good, "detail": finding.detail, "hint": finding.hint })
            })
            .collect();
        let all = json!({
            "version": env!("CARGO_PKG_VERSION"), "ok": good, "checks": findings,
            "isolation": report,
        });
        print::out(format_args!("{all:#}"));
        return Ok(ExitCode::from(u8::from(!good)));
    }
    print::out(format_args!("jalm {}", env!("CARGO_PKG_VERSION")));
    for finding in &findings {
        let mark = if finding.good { "ok     " } else { "problem" };
        print::out(format_args!("{mark}  {:<12}{}", finding.what, finding.detail));
        if let Some(hint) = &finding.hint {
            print::out(format_args!("         {:<12}{hint}", ""));
        }
    }
    print::out("\nlayers of the sandbox for scripts:");
    for layer in &report.layers {
        let mark = if layer.works { "yes" } else { "no " };
        print::out(format_args!("  {mark}  {:<12}{}", layer.name, layer.detail));
    }
    if !good {
        print::note(print::paint(Colour::Yellow, "some checks need attention"));
    }
    Ok(ExitCode::from(u8::from(!good)))
}

/// Builds the sandbox as a script would get it, and says what it has. Python in WebAssembly is got
/// ready besides, if it is there.
fn sandbox(config: &jalm_cfg::Config) -> Result<(Report, Result<(), Refused>), Error> {
    let isolates = wire::isolates(config)?;
    wire::runtime()?.block_on(async {
        let report = isolates.report().await;
        let python = isolates.prepare_python().await;
        isolates.shutdown().await;
        Ok((report, python))
    })
}

/// Nobody needs it who does not ask for it.
fn python_wasi(python: Result<(), Refused>) -> Finding {
    let detail = match python {
        Ok(()) => "`runtime: wasi` is ready".to_owned(),
        Err(refused) => format!("`runtime: wasi` is not ready: {refused}"),
    };
    Finding { what: "python", good: true, detail, hint: None }
}

fn data(folder: &Path) -> Finding {
    let shown = folder.display();
    let probe = folder.join(format!(".jalm-doctor-{}", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, b"x"))
        .and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding {
            what: "data",
            good: true,
            detail: format!("{shown} can be written"),
            hint: None,
        },
        Err(error) => Finding {
            what: "data",
            good: false,
            detail: format!("{shown} cannot be written: {error}"),
            hint: Some(
                "choose another folder with --data, or give this user the right to write there"
                    .to_owned(),
            ),
        },
    }
}

fn store(config: &jalm_cfg::Config) -> Finding {
    match jalm_state_store::open(&config.store) {
        Ok(_) => Finding {
            what: "store",
            good: true,
            detail: format!("{} opens", config.store),
            hint: None,
        },
        Err(error) => {
            let hint = Some(error.hint());
            Finding {
                what: "store",
                good: false,
                detail: error.to_string(),
                hint: hint.map(str::to_owned),
            }
        }
    }
}

fn isolation(config: &jalm_cfg::Config, report: &Report) -> Finding {
    let minimum = wire::minimum(config);
    let good = report.strength.is_some_and(|strength| strength >= minimum);
    let hint = format!(
        "scripts are refused: the settings ask for {}; {}; `isolation.minimum` is the setting",
        minimum.name(),
        report.missing()
    );
    Finding { what: "isolation", good, detail: report.summary(), hint: (!good).then_some(hint) }
}

fn files_limit() -> Finding {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|text| text.parse::<u64>().ok());
    let good = soft.is_none_or(|soft| soft >= 4096);
    Finding {
        what: "open files",
        good,
        detail: soft.map_or_else(|| "no limit".to_owned(), |soft| format!("limit {soft}")),
        hint: (!good).then(|| "raise it for many connections: ulimit -n 65536".to_owned()),
    }
}
