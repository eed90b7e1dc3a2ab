//! Compiled languages as others would run it: as an ordinary user, without any capability, and where
//! namespaces are refused. What an ordinary user does not find is passed over, as ever.

use crate::shared::{contained, ordinary, powerless, run};
use crate::world::{World, patient, script, there_is};
use jalm_isolates::{Job, Language};
use serde_json::Value;
use std::process::Command;

/// What is said where as much as can be had is asked for.
#[tokio::test]
async fn the_strongest_sandbox_is_said() {
    if !there_is(Language::Go) {
        return;
    }
    let world = World::new(jalm_isolates::Strength::A);
    let verdict = world
        .isolates
        .run(Job { program: script(Language::Go, "return 1", Value::Null), limits: patient() })
        .await
        .unwrap();
    println!("\nisolation: {}", verdict.isolation);
}

fn passes(wrap: fn(Command) -> Command, names: &[&str]) {
    let said = run(wrap, names);
    assert!(said.contains("test result: ok. ") && !said.contains("ok. 0 passed"), "{said}");
}

fn strongest(wrap: fn(Command) -> Command) -> String {
    let said = run(wrap, &["the_strongest_sandbox_is_said"]);
    let line = said.lines().find_map(|line| line.split_once("isolation: "));
    line.map(|(_, isolation)| isolation.to_owned()).unwrap_or_default()
}

/// Go's library is compiled anew for who has no folder for such things, so that is done once here.
const SOME: &[&str] = &["go_is_held_to_the_same", "contract::a_body_in_go"];

#[test]
fn an_ordinary_user_has_the_strongest_sandbox_too() {
    let mine = strongest(|command| command);
    assert_eq!(strongest(ordinary), mine);
}

#[test]
fn everything_holds_for_an_ordinary_user() {
    passes(ordinary, SOME);
}

#[test]
fn where_namespaces_are_refused_the_sandbox_is_the_containers_and_holds() {
    let contained = |command| contained(ordinary(command));
    let said = strongest(contained);
    assert!(said.is_empty() || said.starts_with("process/B: landlock, seccomp, limits"), "{said}");
    passes(
        contained,
        &["go_is_held_to_the_same::strength_b", "a_body_in_go_returns_its_result::strength_b"],
    );
}

#[test]
fn root_without_capabilities_is_no_better_off_and_no_worse() {
    passes(
        powerless,
        &["go_is_held_to_the_same::strength_b", "rust_body_returns_its_result::strength_b"],
    );
}
