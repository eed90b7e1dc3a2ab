//! The whole suite again, as others would run it: as an ordinary user, and in a container that
//! refuses user namespaces.

use crate::common::worker_exe;
use crate::shared::{contained, ordinary, suite};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What the worker says to a server that asks for as much as can be had.
fn strongest(wrap: fn(Command) -> Command) -> String {
    let mut command = Command::new(worker_exe());
    command.args(["serve", "A"]).stdout(Stdio::piped());
    let mut server = wrap(command).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    line
}

#[test]
fn an_ordinary_user_has_the_strongest_sandbox_too() {
    let mine = strongest(|command| command);
    assert_eq!(strongest(ordinary), mine);
}

#[test]
fn everything_holds_for_an_ordinary_user_in_the_strongest_sandbox() {
    suite(ordinary, &["::a::"]);
}

#[test]
fn everything_holds_for_an_ordinary_user_in_weaker_sandboxes() {
    suite(ordinary, &["::b::", "::c::"]);
}

#[test]
fn each_layer_counts_for_an_ordinary_user_as_well() {
    suite(ordinary, &["layers::", "::c::results"]);
}

#[test]
fn where_namespaces_are_refused_the_sandbox_is_the_containers() {
    assert_eq!(
        strongest(|command| contained(ordinary(command))),
        "strength B: landlock, seccomp, limits\n"
    );
    suite(|command| contained(ordinary(command)), &["::b::", "::c::"]);
}
