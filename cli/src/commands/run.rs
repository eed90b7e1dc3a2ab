//! `jalm run`: one intent, here, on the same durable store as a server's.

use super::input;
use crate::args::{Global, Run};
use crate::print::{self, Colour, Error};
use crate::{settings, wire};
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::{Event, Status, View};
use jalm_scheduler::{Engine, Submission, SubmitError};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) fn run(global: &Global, args: &Run) -> Result<ExitCode, Error> {
    let config = settings::load(global, Vec::new())?;
    settings::start_log(&config, Some("warn"));
    let submission = match &args.file {
        None => None,
        Some(file) => {
            let (name, source) = input::text(file)?;
            // Checked before the store is opened: a bad intent needs no store to be told so.
            input::compile(&name, &source)?;
            let timeout = args.timeout.as_deref().map(input::duration).transpose()?;
            let params = input::params(&args.params)?;
            Some((name, Submission { source, params, timeout, key: None }))
        }
    };
    let runtime = wire::runtime()?;
    runtime.block_on(async {
        // Heard from before the first step on: without a listener, Ctrl-C ends the process.
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))?;
        let runner = wire::runner(&config)?;
        let shown = go(&runner.engine, args, submission, &mut interrupts).await;
        let others = runner.store.unfinished().await.map_or(0, |ids| ids.len());
        runner.engine.shutdown(Duration::from_secs(1)).await;
        runner.isolates.shutdown().await;
        if others > 0 {
            let noun = if others == 1 { "execution has" } else { "executions have" };
            print::note(format_args!(
                "{others} {noun} not ended in this store; `jalm serve` goes on with all, `jalm run --resume ID` with one"
            ));
        }
        show(&shown?, args.json)
    })
}

async fn go(
    engine: &Engine,
    args: &Run,
    submission: Option<(String, Submission)>,
    interrupts: &mut Signal,
) -> Result<View, Error> {
    let id = match submission {
        Some((name, submission)) => {
            let source = submission.source.clone();
            let receipt = engine.submit(submission).await;
            receipt.map_err(|error| refused(&name, &source, error))?.id
        }
        None => resume(engine, args.resume.as_deref().unwrap_or_default()).await?,
    };
    if !args.json {
        print::note(print::paint(Colour::Dim, &format!("execution {id}")));
    }
    follow(engine, id, !args.json, interrupts).await?;
    let view = engine.view(id).await.map_err(Error::failed)?;
    view.ok_or_else(|| Error::failed(format!("execution {id} is gone from the store")))
}

async fn resume(engine: &Engine, text: &str) -> Result<ExecutionId, Error> {
    let id: ExecutionId = text.parse().map_err(|_| {
        Error::usage(format!("`{text}` is not an execution id")).hint("ids look like 0192f7c4-…")
    })?;
    if engine.resume(id).await.map_err(Error::failed)? {
        return Ok(id);
    }
    match engine.view(id).await.map_err(Error::failed)? {
        Some(_) => Ok(id),
        None => Err(Error::usage(format!("there is no execution {id} in this store"))
            .hint("check --data and --store")),
    }
}

/// Shows steps as they end; Ctrl-C cancels, a second one leaves at once.
async fn follow(
    engine: &Engine,
    id: ExecutionId,
    progress: bool,
    interrupts: &mut Signal,
) -> Result<(), Error> {
    let mut next = 0;
    let mut interrupted = false;
    loop {
        // Taken before reading, so that nothing that comes after the reading is missed.
        let mut watch = engine.watch(id);
        let events = engine.events(id, next).await.map_err(Error::failed)?.unwrap_or_default();
        for (number, event) in &events {
            next = number + 1;
            if progress && let Some(line) = line(event) {
                print::note(line);
            }
            if event.is_end() {
                return Ok(());
            }
        }
        let Some(watch) = &mut watch else {
            // It does not run here and has not ended: the store could not take its events.
            return Err(Error::failed(format!("execution {id} stopped before its end"))
                .hint("see the log above; `jalm run --resume` goes on with it"));
        };
        let news = async {
            while *watch.borrow_and_update() <= next {
                if watch.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = news => {}
            _ = interrupts.recv() => {
                if interrupted {
                    return Err(Error { exit: 130, ..Error::failed("stopped at once; the execution goes on with `jalm run --resume`") });
                }
                interrupted = true;
                print::note("cancelling; press Ctrl-C again to stop at once");
                let _ = engine.cancel(id, "interrupted at the terminal").await;
            }
        }
    }
}

/// What is shown of an event while it runs.
fn line(event: &Event) -> Option<String> {
    let (mark, colour, place, rest) = match event {
        Event::Done { place, us, out: Some(_), .. } => {
            ("✓", Colour::Green, place, print::micros(*us))
        }
        Event::Failed { place, error, retry_at: Some(at), n, .. } => {
            let rest = format!("attempt {n} failed: {error}; next at {at}");
            ("↻", Colour::Yellow, place, rest)
        }
        Event::Failed { place, error, .. } => ("✗", Colour::Red, place, error.to_string()),
        Event::Skipped { place, .. } => ("–", Colour::Dim, place, "skipped".to_owned()),
        Event::Done { .. }
        | Event::Submitted(_)
        | Event::Started { .. }
        | Event::Entered { .. }
        | Event::Calling { .. }
        | Event::Completed { .. }
        | Event::Broken { .. }
        | Event::Cancelled { .. } => return None,
    };
    Some(format!("{} {place}  {}", print::paint(colour, mark), print::paint(Colour::Dim, &rest)))
}

fn refused(name: &str, source: &str, error: SubmitError) -> Error {
    match error {
        SubmitError::Config(problems) => input::bad_config(name, source, &problems),
        SubmitError::Params(problems) => {
            for problem in &problems {
                let at = if problem.path.is_empty() { "params" } else { &problem.path };
                print::note(format_args!("{at}: {}\n  help: {}", problem.message, problem.hint));
            }
            Error::usage(format!("the params do not fit {name}"))
                .hint("pass them with --param NAME=VALUE or --params FILE")
        }
        SubmitError::KeyConflict(_)
        | SubmitError::Busy(_)
        | SubmitError::Store(_)
        | SubmitError::ShuttingDown => Error::failed(error),
    }
}

fn show(view: &View, json: bool) -> Result<ExitCode, Error> {
    if json {
        let text =
            serde_json::to_string_pretty(&jalm_api::ExecutionBody(view)).map_err(Error::failed)?;
        print::out(text);
    } else {
        print::note(format_args!("\n{}\n", print::table(&rows(view), Some(2))));
        if let Some(error) = &view.error {
            let step = view
                .failed_step
                .as_deref()
                .map_or_else(String::new, |step| format!("step {step}: "));
            print::note(format_args!(
                "{}: {step}{error}",
                print::paint(Colour::Red, view.summary.status.name())
            ));
            if let Some(hint) = &error.hint {
                print::note(format_args!("  {}: {hint}", print::paint(Colour::Blue, "help")));
            }
        }
        if let Some(output) = &view.output {
            print::out(format_args!("{output:#}"));
        }
    }
    Ok(ExitCode::from(match view.summary.status {
        Status::Completed => 0,
        Status::Cancelled => 130,
        Status::Pending | Status::Running | Status::Failed => 1,
    }))
}

fn rows(view: &View) -> Vec<Vec<String>> {
    let header =
        ["step", "atom", "status", "attempts", "time", "isolation"].map(str::to_owned).to_vec();
    let rows = view.steps.iter().map(|step| {
        let depth = depth(view, step.parent.as_deref());
        let mut atom = step.atom.to_string();
        if let Some(items) = step.items {
            atom = format!("{atom} ×{}", items.total);
        }
        vec![
            format!("{}{}", "  ".repeat(depth), step.id),
            atom,
            step.status.name().to_owned(),
            step.attempts.to_string(),
            step.execution_us.map_or_else(String::new, print::micros),
            step.isolation.as_deref().unwrap_or_default().to_owned(),
        ]
    });
    std::iter::once(header).chain(rows).collect()
}

fn depth(view: &View, parent: Option<&str>) -> usize {
    match parent.and_then(|id| view.steps.iter().find(|step| &*step.id == id)) {
        Some(step) => 1 + depth(view, step.parent.as_deref()),
        None => 0,
    }
}
