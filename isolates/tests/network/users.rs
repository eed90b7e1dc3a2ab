//! The network as others have it: an ordinary user, and one without namespaces.

use crate::shared::{contained, ordinary, powerless, suite};

#[test]
fn an_ordinary_user_gets_out_and_nowhere_else() {
    suite(ordinary, &["abuse::", "contract::"]);
}

/// What needs no network runs; what does is refused with the reason.
#[test]
fn where_namespaces_are_refused_there_is_no_network() {
    for wrap in [|command| contained(ordinary(command)), powerless as fn(_) -> _] {
        let said = crate::shared::run(wrap, &["the_network_is_refused_with_the_way_out"]);
        assert!(said.contains("1 passed"), "{said}");
    }
}
