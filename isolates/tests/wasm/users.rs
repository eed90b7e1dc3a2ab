//! WebAssembly as others would run it: as an ordinary user, without any capability, and where
//! namespaces are refused.

use crate::shared::{contained, ordinary, powerless, suite};

#[test]
fn everything_holds_for_an_ordinary_user_in_the_strongest_sandbox() {
    suite(ordinary, &["::a::"]);
}

#[test]
fn everything_holds_where_namespaces_are_refused() {
    suite(|command| contained(ordinary(command)), &["::b::", "::c::"]);
}

#[test]
fn root_without_capabilities_is_no_better_off_and_no_worse() {
    suite(powerless, &["::b::"]);
}
