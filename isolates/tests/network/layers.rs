//! A layer that is switched off lets something through: so each of them does something.

use crate::world::{NODE, PYTHON, World, job, there_is};
use jalm_isolates::Strength;
use serde_json::json;

const UDP: &str = "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nreturn 'made'";

#[tokio::test]
async fn without_seccomp_a_script_makes_other_sockets_and_still_gets_nowhere() {
    assert!(World::new(Strength::A).run(PYTHON, UDP).await.is_err());
    let world = World::without(Strength::A, &["seccomp"]);
    assert_eq!(world.good(PYTHON, UDP).await, json!("made"));
    // Landlock says nothing of UDP; the namespace has no way there.
    let source = "
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(b'x', ('192.0.2.1', 53))";
    let error = world.wrong(PYTHON, source).await;
    assert!(error.message.contains("Network is unreachable"), "{error:?}");
}

#[tokio::test]
async fn without_landlock_a_script_may_try_other_ports_and_nobody_is_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = format!("import socket\nsocket.create_connection(('127.0.0.1', {port}), 20)");
    let error = World::new(Strength::A).wrong(PYTHON, &source).await;
    assert!(error.message.starts_with("PermissionError"), "{error:?}");
    let error = World::without(Strength::A, &["landlock"]).wrong(PYTHON, &source).await;
    assert!(error.message.starts_with("ConnectionRefusedError"), "{error:?}");
}

#[tokio::test]
async fn without_namespaces_a_program_does_not_get_the_network() {
    if !there_is("node", "--version") {
        return;
    }
    let world = World::without(Strength::A, &["namespaces"]);
    let refused = world.try_run(job(NODE, "return 1")).await.unwrap_err();
    assert!(refused.to_string().contains("namespace of its own"), "{refused}");
}
