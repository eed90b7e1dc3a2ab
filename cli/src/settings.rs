//! From flags and environment to settings. The only place that reads the process environment.

use crate::args::Global;
use crate::print::Error;
use jalm_cfg::{Config, LogFormat, Sources};
use std::collections::BTreeMap;

/// Loads the settings; `flags` are those of the command itself.
pub(crate) fn load(global: &Global, mut flags: Vec<(String, String)>) -> Result<Config, Error> {
    let file = match &global.config {
        None => None,
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::usage(format!("cannot read config file {name}: {error}"))
                    .hint("check --config and JALM_CONFIG")
            })?;
            Some((name, text))
        }
    };
    let own = [("data", &global.data), ("store", &global.store), ("log.level", &global.log)];
    for (path, value) in own {
        if let Some(value) = value {
            flags.push((path.to_owned(), value.clone()));
        }
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    jalm_cfg::load(&Sources { file, environment, flags })
        .map_err(|error| Error::usage(format!("the settings cannot be used\n{error}")))
}

/// The values of the environment variables that intents may read.
pub(crate) fn allowed_environment(config: &Config) -> BTreeMap<String, String> {
    let value = |name: &String| std::env::var(name).ok().map(|value| (name.clone(), value));
    config.policy.env.iter().filter_map(value).collect()
}

/// Starts logging to stderr.
pub(crate) fn start_log(config: &Config, default: Option<&str>) {
    use tracing_subscriber::EnvFilter;
    let asked = &config.log_level;
    let is_default = config.origins.get("log.level") == Some(&jalm_cfg::Origin::Default);
    let level = default.filter(|_| is_default).unwrap_or(asked);
    let filter = EnvFilter::try_new(level).unwrap_or_else(|error| {
        crate::print::note(format_args!(
            "log level `{level}` is not understood ({error}); using info"
        ));
        EnvFilter::new("info")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (tests) changes nothing.
    let _ = match config.log_format {
        LogFormat::Text => log.with_ansi(crate::print::colours()).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "bug in jalm, please report");
        default_hook(panic);
    }));
}
