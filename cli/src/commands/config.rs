//! `jalm config`: the settings in force.

use crate::args::{Config, Global};
use crate::print::{self, Error};
use crate::settings;
use std::process::ExitCode;

pub(crate) fn run(global: &Global, command: &Config) -> Result<ExitCode, Error> {
    let Config::Show { origin } = command;
    let config = settings::load(global, Vec::new())?;
    let rows: Vec<Vec<String>> = jalm_cfg::KEYS
        .iter()
        .map(|key| {
            let value = config.shown.get(key.path).map_or("", String::as_str);
            let last = if *origin {
                config.origins.get(key.path).map_or_else(String::new, ToString::to_string)
            } else {
                key.about.to_owned()
            };
            vec![key.path.to_owned(), value.to_owned(), last]
        })
        .collect();
    print::out(print::table(&rows, None));
    Ok(ExitCode::SUCCESS)
}
