//! From a script to the files of a program. In the sandbox where it is compiled.
//!
//! The author's lines keep their numbers: what is added before a line stands on that line, the rest
//! stands below or in files of its own. No text is understood here, only looked through.

mod go;
mod rust;

use crate::languages::Language;

/// Part of a program's key: all that decides on what is added.
pub(crate) const VERSION: &str = concat!(
    include_str!("go.rs"),
    include_str!("rust.rs"),
    include_str!("support.go"),
    include_str!("support.rs"),
);

/// The files of a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) files: Vec<(&'static str, String)>,
    /// In this line, from 1, so many columns stand before the author's.
    pub(crate) shift: (u32, u32),
}

/// The files of the program that a script becomes.
pub(crate) fn wrap(language: Language, source: &str) -> Wrapped {
    match language {
        Language::Go => go::wrap(source),
        Language::Rust
        | Language::JavaScript
        | Language::TypeScript
        | Language::Python
        | Language::Wasm => rust::wrap(source),
    }
}

/// The text after the beginning of a line that is one of these.
fn after<'a>(source: &'a str, beginnings: &[&str]) -> Option<&'a str> {
    let mut rest = source;
    loop {
        let line = rest.trim_start_matches([' ', '\t']);
        if let Some(found) = beginnings.iter().find_map(|beginning| line.strip_prefix(beginning)) {
            return Some(found);
        }
        rest = rest.split_once('\n')?.1;
    }
}

fn columns(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(0)
}
