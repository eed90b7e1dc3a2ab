//! What a script may be: the text of a module, or its bytes as base64.

use crate::api::ScriptError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// The longest script, in bytes.
const LONGEST: usize = 24 * 1024 * 1024;

/// What every module and component begins with.
const MAGIC: &[u8] = b"\0asm";

/// The module's bytes.
pub(super) fn bytes(script: &str) -> Result<Vec<u8>, ScriptError> {
    if script.len() > LONGEST {
        let what = format!("the module has more than {LONGEST} bytes");
        return Err(ScriptError::new("script_syntax", what)
            .hint("leave out what it does not use: `wasm-opt -Oz`, `strip = true`"));
    }
    // The text format begins with a parenthesis or a comment; neither is in base64.
    if script.trim_start().starts_with(['(', ';']) {
        return text(script);
    }
    let packed: Vec<u8> = script.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|error| {
        ScriptError::new("script_syntax", format!("the script is neither WAT nor base64: {error}"))
            .hint("give the text of a module, `(module …)`, or what `base64 module.wasm` prints")
    })?;
    if !bytes.starts_with(MAGIC) {
        let what = "the script is no WebAssembly: it does not begin with `\\0asm`";
        return Err(ScriptError::new("script_syntax", what)
            .hint("give the `.wasm` file itself as base64, not compressed and not precompiled"));
    }
    Ok(bytes)
}

/// Whether the bytes are a component, and no core module.
pub(super) fn is_component(bytes: &[u8]) -> bool {
    // After the magic: a version, and which layer the file is of.
    bytes.get(6..8) == Some(&[1, 0])
}

fn text(script: &str) -> Result<Vec<u8>, ScriptError> {
    wat::Parser::new()
        .generate_dwarf(wat::GenerateDwarf::Lines)
        .parse_str(Some(Path::new("script")), script)
        .map_err(|error| wrong_text(&error.to_string()))
}

/// From `what\n  --> script:1:2\n  |\n1 | …` to an error with a place.
fn wrong_text(told: &str) -> ScriptError {
    let message = told.lines().next().unwrap_or_default();
    let place = told.lines().find_map(|line| line.trim().strip_prefix("--> script:"));
    let mut numbers = place.unwrap_or_default().splitn(2, ':').map(|text| text.parse().ok());
    ScriptError {
        line: numbers.next().flatten(),
        column: numbers.next().flatten(),
        ..ScriptError::new("script_syntax", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_base64_come_to_the_same() {
        let module = bytes("(module)").unwrap();
        let broken = STANDARD.encode(&module).replace('b', "b\n ");
        assert_eq!(bytes(&broken).unwrap(), module);
        assert!(!is_component(&module));
        assert!(is_component(&bytes(";; a comment\n(component)").unwrap()));
    }

    #[test]
    fn mistakes_in_the_text_have_a_place() {
        let error = bytes("(module\n  (func (call $x)))").unwrap_err();
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(2)));
        assert!(error.column.is_some());
        assert!(error.message.contains("$x"), "{}", error.message);
        assert!(bytes("(module").unwrap_err().line.is_some());
    }

    #[test]
    fn what_is_no_module_is_told_so() {
        for (script, told) in [
            ("return 1", "neither WAT nor base64"),
            ("", "no WebAssembly"),
            ("f0VMRgIBAQAAAAAAAAAAAA==", "no WebAssembly"),
        ] {
            let error = bytes(script).unwrap_err();
            assert!(error.message.contains(told), "{script}: {}", error.message);
        }
    }
}
