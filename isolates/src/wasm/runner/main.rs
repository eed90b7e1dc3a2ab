//! Arguments and results of an exported function `main`: whole numbers and floating ones.

use crate::api::ScriptError;
use serde_json::{Map, Number, Value};
use wasmtime::{FuncType, Val, ValType};

const HINT: &str = "`main` takes and gives numbers; a WASI command gets the variables as JSON on \
                    its standard input, and what it prints is the result";

fn wrong(message: String) -> ScriptError {
    ScriptError::new("script_error", message).hint(HINT)
}

/// The variables as arguments: by name, if the module names every parameter; else in their order.
pub(super) fn arguments(
    ty: &FuncType,
    names: &[(u32, String)],
    data: &[u8],
) -> Result<Vec<Val>, ScriptError> {
    let variables: Map<String, Value> = serde_json::from_slice(data)
        .map_err(|error| wrong(format!("the variables cannot be read: {error}")))?;
    let count = ty.params().len();
    let name = |at: usize| names.iter().find(|(number, _)| usize::try_from(*number) == Ok(at));
    let all: Option<Vec<&str>> =
        (0..count).map(|at| name(at).map(|(_, name)| name.as_str())).collect();
    let taken: Vec<(&str, &Value)> = match all {
        Some(all) => all
            .into_iter()
            .map(|name| match variables.get(name) {
                Some(value) => Ok((name, value)),
                None => Err(wrong(format!("`main` wants `{name}`, and there is no such variable"))),
            })
            .collect::<Result<_, _>>()?,
        None if variables.len() == count => {
            variables.iter().map(|(name, value)| (name.as_str(), value)).collect()
        }
        None => {
            let there = variables.len();
            let why = format!("`main` takes {count} parameters, and there are {there} variables");
            return Err(wrong(why));
        }
    };
    ty.params().zip(taken).map(|(ty, (name, value))| argument(&ty, name, value)).collect()
}

fn argument(ty: &ValType, name: &str, value: &Value) -> Result<Val, ScriptError> {
    let whole = || match value {
        Value::Bool(yes) => Some(i128::from(*yes)),
        Value::Number(number) => number.as_i128().or_else(|| whole_float(number)),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let float = || match value {
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    let (given, kind) = match ty {
        ValType::I32 => (whole().and_then(bits_32).map(Val::I32), "a whole number of 32 bits"),
        ValType::I64 => (whole().and_then(bits_64).map(Val::I64), "a whole number of 64 bits"),
        #[expect(clippy::cast_possible_truncation, reason = "the module wants it less exact")]
        ValType::F32 => (float().map(|n| Val::F32((n as f32).to_bits())), "a number"),
        ValType::F64 => (float().map(|n| Val::F64(n.to_bits())), "a number"),
        ValType::V128 | ValType::Ref(_) => {
            return Err(wrong(format!("`main` wants {ty} for `{name}`, which no variable can be")));
        }
    };
    given.ok_or_else(|| {
        let mut shown = value.to_string();
        if shown.len() > 60 {
            let end = (0..=57).rev().find(|at| shown.is_char_boundary(*at)).unwrap_or(0);
            shown.truncate(end);
            shown.push('…');
        }
        wrong(format!("`{name}` must be {kind}, and is {shown}"))
    })
}

/// `3.0` is 3: JSON does not tell them apart.
fn whole_float(number: &Number) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.as_f64().filter(|number| number.abs() <= EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is not large")]
    let whole = number as i128;
    #[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "both are exact here")]
    let same = whole as f64 == number;
    same.then_some(whole)
}

/// With a sign or without: the bits are the same.
fn bits_32(number: i128) -> Option<i32> {
    let signed = i32::try_from(number).ok();
    signed.or_else(|| u32::try_from(number).ok().map(u32::cast_signed))
}

fn bits_64(number: i128) -> Option<i64> {
    let signed = i64::try_from(number).ok();
    signed.or_else(|| u64::try_from(number).ok().map(u64::cast_signed))
}

/// A place for each result.
pub(super) fn room(ty: &FuncType) -> Result<Vec<Val>, ScriptError> {
    let place = |ty: ValType| match ty {
        ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => Ok(Val::I32(0)),
        ValType::V128 | ValType::Ref(_) => {
            Err(wrong(format!("`main` gives {ty}, which is no JSON")))
        }
    };
    ty.results().map(place).collect()
}

/// None for no result, a list for several.
pub(super) fn result(results: &[Val]) -> Result<Option<Value>, ScriptError> {
    let one = |value: &Val| match value {
        Val::I32(number) => Ok((*number).into()),
        Val::I64(number) => Ok((*number).into()),
        Val::F32(bits) => number(f64::from(f32::from_bits(*bits))),
        Val::F64(bits) => number(f64::from_bits(*bits)),
        Val::V128(_)
        | Val::FuncRef(_)
        | Val::ExternRef(_)
        | Val::AnyRef(_)
        | Val::ExnRef(_)
        | Val::ContRef(_) => Err(wrong("`main` gives what is no JSON".to_owned())),
    };
    match results {
        [] => Ok(None),
        [only] => one(only).map(Some),
        several => several.iter().map(one).collect::<Result<_, _>>().map(Value::Array).map(Some),
    }
}

fn number(number: f64) -> Result<Value, ScriptError> {
    let json = Number::from_f64(number).map(Value::Number);
    json.ok_or_else(|| wrong(format!("`main` gave {number}, which has no place in JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_fit_or_are_refused() {
        let taken = |ty: ValType, value: Value| {
            argument(&ty, "x", &value).ok().map(|val| result(&[val]).unwrap().unwrap())
        };
        for (ty, value, wanted) in [
            (ValType::I32, json!(-1), Some(json!(-1))),
            (ValType::I32, json!(4_294_967_295_u32), Some(json!(-1))),
            (ValType::I32, json!(4_294_967_296_u64), None),
            (ValType::I32, json!(3.0), Some(json!(3))),
            (ValType::I32, json!(3.5), None),
            (ValType::I32, json!(true), Some(json!(1))),
            (ValType::I32, json!("1"), None),
            (ValType::I64, json!(u64::MAX), Some(json!(-1))),
            (ValType::I64, json!(i64::MIN), Some(json!(i64::MIN))),
            (ValType::F64, json!(0.1), Some(json!(0.1))),
            (ValType::F64, json!(7), Some(json!(7.0))),
            (ValType::F32, json!(0.5), Some(json!(0.5))),
            (ValType::F32, json!(null), None),
            (ValType::F64, json!(true), None),
        ] {
            assert_eq!(taken(ty.clone(), value.clone()), wanted, "{ty} {value}");
        }
        let error = argument(&ValType::I64, "x", &json!("ü".repeat(1000))).unwrap_err();
        assert!(error.message.len() < 120, "{}", error.message);
    }

    #[test]
    fn infinities_are_no_result() {
        assert!(result(&[Val::F64(f64::INFINITY.to_bits())]).is_err());
        assert!(result(&[Val::F32(f32::NAN.to_bits())]).is_err());
        assert_eq!(result(&[]).unwrap(), None);
        assert_eq!(result(&[Val::I32(1), Val::I64(2)]).unwrap(), Some(json!([1, 2])));
    }
}
