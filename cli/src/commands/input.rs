//! Reading intents and params from files, stdin and flags.

use crate::args::Params;
use crate::print::{self, Error};
use jalm_kernel::ids::Millis;
use jalm_kernel::plan::Plan;
use jalm_kernel::source::{self, Problem};
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The text of a file, or of stdin for `-`.
pub(crate) fn text(path: &Path) -> Result<(String, Arc<str>), Error> {
    let from_stdin = path.as_os_str() == "-";
    let name = if from_stdin { "<stdin>".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if from_stdin {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::usage(format!("cannot read {name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        Error::usage(format!("{name} is not UTF-8 (byte {})", error.utf8_error().valid_up_to()))
            .hint("save the file as UTF-8")
    })?;
    Ok((name, text.into()))
}

/// Compiles an intent; its problems go to stderr.
pub(crate) fn compile(name: &str, source: &str) -> Result<Plan, Error> {
    Plan::compile(source, jalm_layers::catalog())
        .map_err(|problems| bad_config(name, source, &problems))
}

/// Shows the problems of an intent.
pub(crate) fn bad_config(name: &str, source: &str, problems: &[Problem]) -> Error {
    print::note(source::render(name, source, problems, print::colours()).trim_end());
    let errors = problems.iter().filter(|problem| !problem.warning).count();
    Error::usage(format!("{name} has {errors} problem{}", if errors == 1 { "" } else { "s" }))
}

/// The params: those of the file, with the single ones laid over them.
pub(crate) fn params(args: &Params) -> Result<Option<Value>, Error> {
    let mut params = match &args.params {
        None => Map::new(),
        Some(path) => {
            let (name, text) = text(path)?;
            let node =
                source::parse(&text).map_err(|problems| bad_config(&name, &text, &problems))?;
            match node.to_value() {
                Value::Object(params) => params,
                Value::Null => Map::new(),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    return Err(Error::usage(format!("the params in {name} are not a map"))
                        .hint("write NAME: VALUE lines, or a JSON object"));
                }
            }
        }
    };
    for param in &args.param {
        let (name, value) = param.split_once('=').ok_or_else(|| {
            Error::usage(format!("--param {param} has no value")).hint("write --param NAME=VALUE")
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        params.insert(name.to_owned(), value);
    }
    Ok((!params.is_empty()).then_some(Value::Object(params)))
}

/// `30s`, `500ms`, `10m`, `2h`, or seconds.
pub(crate) fn duration(text: &str) -> Result<Millis, Error> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match &text[digits..] {
        "ms" => Some(1),
        "s" | "" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number = text[..digits].parse::<u64>().ok();
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .map(Millis)
        .ok_or_else(|| {
            Error::usage(format!("`{text}` is not a duration")).hint("write 500ms, 30s, 10m or 2h")
        })
}
