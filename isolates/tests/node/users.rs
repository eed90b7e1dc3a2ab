//! Node, Deno and Bun as others would run it: as an ordinary user, without any capability, and where
//! namespaces are refused. What an ordinary user does not find is passed over, as ever.

use crate::shared::{contained, ordinary, powerless, run, suite};
use crate::world::{World, patient, there_is};
use jalm_isolates::{Job, Runtime, Strength};
use serde_json::Value;
use std::process::Command;

/// Without those that count or end the processes of the whole suite, which must run alone.
const STRENGTH_A: &[&str] = &["::node_a", "::deno_a", "::bun_a", "--skip", "lives::"];
const STRENGTH_B: &[&str] = &["::node_b", "::deno_b", "::bun_b", "--skip", "lives::"];

/// What is said where as much as can be had is asked for.
#[tokio::test]
async fn the_strongest_sandbox_is_said() {
    if !there_is(Runtime::Node) {
        return;
    }
    let world = World::new(Runtime::Node, Strength::A);
    let verdict = world
        .isolates
        .run(Job { program: world.js("return 1", Value::Null), limits: patient() })
        .await
        .unwrap();
    println!("\nisolation: {}", verdict.isolation);
}

fn strongest(wrap: fn(Command) -> Command) -> String {
    let said = run(wrap, &["the_strongest_sandbox_is_said"]);
    let line = said.lines().find_map(|line| line.split_once("isolation: "));
    line.map(|(_, isolation)| isolation.to_owned()).unwrap_or_default()
}

#[test]
fn an_ordinary_user_has_the_strongest_sandbox_too() {
    let mine = strongest(|command| command);
    assert_eq!(strongest(ordinary), mine);
}

#[test]
fn everything_holds_for_an_ordinary_user_in_the_strongest_sandbox() {
    suite(ordinary, STRENGTH_A);
}

#[test]
fn where_namespaces_are_refused_the_sandbox_is_the_containers_and_holds() {
    let contained = |command| contained(ordinary(command));
    let said = strongest(contained);
    assert!(said.is_empty() || said.starts_with("process/B: landlock, seccomp, limits"), "{said}");
    suite(contained, STRENGTH_B);
}

#[test]
fn root_without_capabilities_is_no_better_off_and_no_worse() {
    let said = strongest(powerless);
    assert!(said.is_empty() || said.starts_with("process/B: landlock, seccomp, limits"), "{said}");
    suite(powerless, STRENGTH_B);
}
