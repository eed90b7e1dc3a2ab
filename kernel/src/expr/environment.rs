//! The one MiniJinja environment of the process: what expressions may call, and how much they may
//! cost.

use minijinja::{Environment, UndefinedBehavior};
use std::sync::OnceLock;

/// Instructions, and bytes made by filters in proportion, of one evaluation. Far above what an
/// honest expression needs; an endless one ends within milliseconds.
const FUEL: u64 = 2_000_000;

/// Nesting of one expression's evaluation.
const RECURSION: usize = 100;

pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        // Prints the whole context, other steps' data included; a debugger's tool, not an author's.
        environment.remove_global("debug");
        environment
    })
}

/// The functions that expressions may call: `range`, `dict`, `namespace`…
pub(super) fn is_function(name: &str) -> bool {
    environment().globals().any(|(global, _)| global == name)
}
