//! From MiniJinja's form to JSON, within a bound. A list may be lazy: `[[0] * 1000] * 1000` costs
//! nothing until somebody walks it, and MiniJinja's fuel does not see that walk.

use crate::failure::Failure;
use crate::machine::{MAX_DEPTH, MAX_OUTPUT};
use minijinja::Value as Jinja;
use minijinja::value::ValueKind;
use serde_json::{Map, Value};

/// What a value costs beside its text: about as much as its JSON takes.
const COST: usize = 8;

/// The JSON of what the expression `text` gave.
pub(super) fn to_json(value: &Jinja, text: &str) -> Result<Value, Failure> {
    let mut left = MAX_OUTPUT;
    convert(value, &mut left, MAX_DEPTH).map_err(|problem| match problem {
        Problem::Large => {
            Failure::permanent("too_large", format!("`{text}` gives more than {MAX_OUTPUT} bytes"))
                .hint("take a part of it, or compute it in a `compute_script` step")
        }
        Problem::Deep => too_deep(&format!("the value of `{text}`")),
        Problem::NoJson(why) => {
            Failure::permanent("expression", format!("`{text}` gives no JSON: {why}"))
                .hint("functions and macros are not values; call them")
        }
    })
}

/// For values nested too deep for a journal.
pub(crate) fn too_deep(what: &str) -> Failure {
    Failure::permanent("too_deep", format!("{what} is nested deeper than {MAX_DEPTH} levels"))
        .hint("keep it as text (`| tojson`), or take the inner part that is needed")
}

enum Problem {
    Large,
    Deep,
    NoJson(String),
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "scalars, and kinds that may come with a later MiniJinja"
)]
fn convert(value: &Jinja, left: &mut usize, depth: usize) -> Result<Value, Problem> {
    let failed = |error: minijinja::Error| Problem::NoJson(error.to_string());
    spend(left, COST)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let depth = depth.checked_sub(1).ok_or(Problem::Deep)?;
            let mut list = Vec::new();
            for item in value.try_iter().map_err(failed)? {
                list.push(convert(&item, left, depth)?);
            }
            Ok(Value::Array(list))
        }
        ValueKind::Map => {
            let depth = depth.checked_sub(1).ok_or(Problem::Deep)?;
            let mut map = Map::new();
            for key in value.try_iter().map_err(failed)? {
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                spend(left, name.len())?;
                let item = value.get_item(&key).map_err(failed)?;
                map.insert(name, convert(&item, left, depth)?);
            }
            Ok(Value::Object(map))
        }
        _ => {
            let text = value.as_str().map(str::len).or(value.as_bytes().map(<[u8]>::len));
            spend(left, text.unwrap_or(0))?;
            serde_json::to_value(value).map_err(|error| Problem::NoJson(error.to_string()))
        }
    }
}

fn spend(left: &mut usize, cost: usize) -> Result<(), Problem> {
    *left = left.checked_sub(cost).ok_or(Problem::Large)?;
    Ok(())
}
