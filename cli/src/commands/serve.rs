//! `jalm serve`: the HTTP API, until a signal.

use crate::args::{Global, Serve};
use crate::print::{self, Error};
use crate::{settings, wire};
use jalm_api::{Auth, State};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) fn run(global: &Global, args: &Serve) -> Result<ExitCode, Error> {
    let mut flags = Vec::new();
    if let Some(listen) = &args.listen {
        flags.push(("listen".to_owned(), listen.clone()));
    }
    if args.insecure_no_auth {
        flags.push(("insecure_no_auth".to_owned(), "true".to_owned()));
    }
    let config = settings::load(global, flags)?;
    settings::start_log(&config, None);
    let runtime = wire::runtime()?;
    runtime.block_on(serve(&config))?;
    // Blocking work that hangs (a dead network disk) must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &jalm_cfg::Config) -> Result<(), Error> {
    let mut signals = Signals::new()?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Error::failed(format!("cannot listen on {}: {error}", config.listen))
            .hint("is another runner there? choose another address with --listen, or port 0 for a free one")
    })?;
    let address = listener.local_addr().map_err(Error::failed)?;
    let runner = wire::runner(config)?;
    runner.layers.set_own_addresses(vec![address]);
    let auth = config.token.as_deref().map_or(Auth::Open, Auth::token);
    let isolates = runner.isolates.clone();
    isolates.prepare();
    let state = State::new(
        runner.engine.clone(),
        runner.store.clone(),
        auth,
        env!("CARGO_PKG_VERSION"),
        move || match isolates.known_report() {
            Some(report) => serde_json::to_value(report).unwrap_or_default(),
            None => serde_json::json!({ "strength": null, "detail": "no script has run yet" }),
        },
    );
    let router = jalm_api::router(state.clone(), jalm_ui::router());
    print::out(format_args!("listening on http://{address}"));
    tracing::info!(%address, store = config.store.split('?').next().unwrap_or_default(), "serving");

    let engine = runner.engine.clone();
    tokio::spawn(async move {
        if let Err(error) = engine.resume_unfinished().await {
            tracing::error!(%error, "cannot go on with executions of an earlier run");
        }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let work = async {
        let stopped = async { drop(stopped.await) };
        jalm_api::serve(listener, router, state, stopped).await;
        runner.engine.shutdown(config.shutdown_grace).await;
        runner.isolates.shutdown().await;
    };
    // Heard at all times: answers that are on their way can take as long as what runs.
    let second = async {
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        // Nobody hears it when the work has ended already.
        let _ = stop.send(());
        signals.next().await
    };
    tokio::select! {
        () = work => tracing::info!("stopped"),
        name = second => tracing::warn!(signal = name, "stopped at once; what ran goes on at the next start"),
    }
    Ok(())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
