//! A layer that is switched off lets something through: so each of them does something.

use crate::world::World;
use jalm_isolates::Strength;
use serde_json::{Value, json};

async fn given(strength: Strength, without: &[&str], source: &str) -> Result<Value, String> {
    let world = World::without(strength, without);
    world.run(source, Value::Null).await.map_err(|error| error.message)
}

#[tokio::test]
async fn without_seccomp_a_script_makes_sockets() {
    let source = "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nreturn 'made'";
    assert!(given(Strength::B, &[], source).await.is_err());
    assert_eq!(given(Strength::B, &["seccomp"], source).await, Ok(json!("made")));
}

#[tokio::test]
async fn without_landlock_a_script_reads_the_hosts_files() {
    let source = "return len(open('/etc/passwd').read()) > 0";
    assert!(given(Strength::B, &[], source).await.is_err());
    assert_eq!(given(Strength::B, &["landlock"], source).await, Ok(json!(true)));
    // With namespaces there is nothing to read even then.
    let error = given(Strength::A, &["landlock"], source).await.unwrap_err();
    assert!(error.starts_with("FileNotFoundError"), "{error}");
}

#[tokio::test]
async fn without_limits_a_script_takes_what_it_wants() {
    let source = "return len(bytearray(400 << 20)) >> 20";
    assert!(given(Strength::B, &[], source).await.is_err());
    assert_eq!(given(Strength::B, &["limits"], source).await, Ok(json!(400)));
}

#[tokio::test]
async fn without_namespaces_a_script_sees_the_hosts_processes() {
    // The first process of its own namespace has number 1.
    let source = "import os\nreturn os.getppid()";
    assert_eq!(given(Strength::A, &[], source).await, Ok(json!(1)));
    let parent = given(Strength::B, &[], source).await.unwrap();
    assert_ne!(parent, json!(1));
}

#[tokio::test]
async fn not_being_dumpable_hides_memory_from_equals() {
    // Neither Landlock nor seccomp: only this lock is left.
    let source = "
import os
try:
    fd = os.open(f'/proc/{os.getppid()}/mem', os.O_RDONLY)
    return 'opened'
except OSError as error:
    return error.strerror";
    let others = ["seccomp", "landlock", "capabilities"];
    let closed = given(Strength::B, &["seccomp", "landlock"], source).await;
    assert_eq!(closed, Ok(json!("Permission denied")));
    let open = given(Strength::B, &[&others[..], &["dumpable"]].concat(), source).await;
    assert_eq!(open, Ok(json!("opened")));
}
