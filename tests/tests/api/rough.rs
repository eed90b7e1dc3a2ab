//! Clients that do not behave.

use crate::pure;
use jalm_tests::{Chance, Runner, World, seed, until};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn connect(runner: &Runner) -> TcpStream {
    TcpStream::connect(runner.address()).await.unwrap()
}

/// What the server still says until it closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well.
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_mins(1), read).await.expect("it closes");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn is_well(runner: &Runner) {
    assert_eq!(runner.get("/health").await.status, 200);
    assert_eq!(runner.run(pure("well")).await["status"], "completed");
}

#[tokio::test]
async fn garbage_on_the_socket_harms_nobody() {
    let mut chance = Chance::new(seed());
    let world = World::new().await;
    let runner = world.start().await;
    for round in 0..200_u64 {
        let mut stream = connect(&runner).await;
        let mut bytes = match round % 4 {
            0 => Vec::new(),
            1 => b"POST /exec HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n".to_vec(),
            2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            _ => b"POST /exec HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec(),
        };
        for _ in 0..chance.below(300) {
            bytes.push(u8::try_from(chance.below(256)).unwrap());
        }
        // The server may have had enough before all is written.
        let _ = stream.write_all(&bytes).await;
    }
    is_well(&runner).await;
    assert!(!runner.log().contains("bug in jalm"), "{}", runner.log());
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_sent_away() {
    let world = World::new().await;
    let runner = world.start().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(&runner).await;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: local").await.unwrap();
        slow.push(stream);
    }
    is_well(&runner).await;
    for stream in slow {
        let said = rest(stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    is_well(&runner).await;
}

#[tokio::test]
async fn bodies_that_break_off_or_lie_about_their_length_start_nothing() {
    let world = World::new().await;
    let runner = world.start().await;
    let config = r#"{"jalm_config":{"intent":"x","steps":[{"id":"a","atom":"generate_uuid"}]}}"#;
    let head = |length: usize| {
        format!(
            "POST /exec HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut short = connect(&runner).await;
    short.write_all(format!("{}{config}", head(config.len() + 5)).as_bytes()).await.unwrap();
    short.shutdown().await.unwrap();
    let said = rest(short).await;
    assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    let mut huge = connect(&runner).await;
    huge.write_all(format!("{}{config}", head(1 << 40)).as_bytes()).await.unwrap();
    huge.shutdown().await.unwrap();
    let said = rest(huge).await;
    assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    let list = runner.get("/exec").await.body;
    assert_eq!(list["executions"], serde_json::json!([]), "{list:#}");
    is_well(&runner).await;
}

#[tokio::test]
async fn long_heads_are_refused() {
    let world = World::new().await;
    let runner = world.start().await;
    for head in [
        format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "z: 1\r\n".repeat(5000)),
    ] {
        let mut stream = connect(&runner).await;
        let _ = stream.write_all(head.as_bytes()).await;
        let said = rest(stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    is_well(&runner).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_waiting_does_not_end_the_execution() {
    let world = World::new().await;
    world.stub().hold("/held");
    let runner = world.start().await;
    let body =
        serde_json::json!({ "jalm_config": crate::get(world.stub().url("/held")) }).to_string();
    let mut stream = connect(&runner).await;
    let head = format!(
        "POST /exec?wait=60s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    world.stub().wait_for_hit("/held").await;
    drop(stream);
    world.stub().release("/held");
    until("the execution's end", async || {
        let list = runner.get("/exec?status=completed").await.body;
        (list["executions"].as_array()?.len() == 1).then_some(())
    })
    .await;
}
