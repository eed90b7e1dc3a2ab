use super::*;
use crate::testing::{Reply, Stub, World};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn read(world: &World, path: &str) -> Option<String> {
    std::fs::read_to_string(world.file(path)).ok()
}

#[tokio::test]
async fn bad_input_is_refused() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/f", Reply::status(200).body("hello\n"));
    std::fs::write(world.file("there"), "other").unwrap();
    std::fs::write(world.file("source"), "hello\n").unwrap();
    let url = stub.url("/f");
    world
        .refuses(
            "file_download",
            &[
                (json!({ "to": "a" }), "`from`", "add `from`"),
                (json!({ "from": url }), "`to`", "add `to`"),
                (
                    json!({ "from": "s3://bucket/key", "to": "a" }),
                    "`s3://` is not supported",
                    "https://",
                ),
                (
                    json!({ "from": "file:///etc/passwd", "to": "a" }),
                    "`file://` is not supported",
                    "file root",
                ),
                (json!({ "from": "/etc/passwd", "to": "a" }), "`from`", "file root"),
                (json!({ "from": "../x", "to": "a" }), "`from`", "file root"),
                (json!({ "from": "http://u:p@x/", "to": "a" }), "user name", "auth"),
                (json!({ "from": url, "to": "/a" }), "`to`", "`to`: "),
                (json!({ "from": url, "to": "a", "sha256": "abc" }), "`sha256`", "sha256sum"),
                (
                    json!({ "from": url, "to": "a", "sha256": "0".repeat(64) }),
                    "not the expected one",
                    "damaged",
                ),
                (
                    json!({ "from": "source", "to": "a", "sha256": "0".repeat(64) }),
                    "not the expected one",
                    "damaged",
                ),
                (
                    json!({ "from": url, "to": "a", "max_bytes": 5 }),
                    "more than 5 bytes",
                    "`max_bytes`",
                ),
                (
                    json!({ "from": "source", "to": "a", "max_bytes": 5 }),
                    "larger than 5 bytes",
                    "`max_bytes`",
                ),
                (
                    json!({ "from": url, "to": "a", "range": { "first": 5, "last": 1 } }),
                    "`range.last`",
                    "count from 0",
                ),
                (
                    json!({ "from": url, "to": "a", "range": { "first": 1 } }),
                    "does not give a part",
                    "`range`",
                ),
                (
                    json!({ "from": "source", "to": "a", "range": { "first": 1 } }),
                    "`from`",
                    "leave them out",
                ),
                (json!({ "from": "none", "to": "a" }), "no such file", "check the path"),
                (json!({ "from": stub.url("/none"), "to": "a" }), "404", ""),
                (
                    json!({ "from": url, "to": "there", "mode": "create" }),
                    "exists already",
                    "`mode: overwrite`",
                ),
                (json!({ "from": url, "to": "a", "resume": -1 }), "`resume`", "`resume`: "),
            ],
        )
        .await;
    // Nothing is left of what failed.
    let names: Vec<_> = std::fs::read_dir(world.file(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(read(&world, "there").unwrap(), "other");
}

#[tokio::test]
async fn what_the_service_says_of_the_file_is_told() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on(
        "/f",
        Reply::status(200)
            .header("content-type", "text/x")
            .header("etag", "\"v1\"")
            .body("hello\n"),
    );
    let input = json!({ "from": stub.url("/f?token=1"), "to": "d/f.bin", "auth": { "bearer": "tok" }, "headers": { "x-a": "b" } });
    let output = world.run("file_download", input).await.unwrap();
    assert_eq!(
        (output["content_type"].clone(), output["etag"].clone(), output["bytes"].clone()),
        (json!("text/x"), json!("\"v1\""), json!(6))
    );
    assert_eq!(read(&world, "d/f.bin").unwrap(), "hello\n");
    let seen = stub.seen().pop().unwrap();
    assert_eq!(
        (&seen.headers["authorization"], &seen.headers["x-a"], &seen.headers["accept-encoding"]),
        (&"Bearer tok".parse().unwrap(), &"b".parse().unwrap(), &"identity".parse().unwrap())
    );
}

#[tokio::test]
async fn both_ends_need_a_grant() {
    let world = World::new();
    std::fs::write(world.file("secret"), "x").unwrap();
    let grants = |read: &[&str], write: &[&str]| jalm_kernel::intent::Grants {
        file: jalm_kernel::intent::FileGrants {
            read: read.iter().map(|it| (*it).to_owned()).collect(),
            write: write.iter().map(|it| (*it).to_owned()).collect(),
        },
        ..Default::default()
    };
    for (input, grants) in [
        (json!({ "from": "secret", "to": "a" }), grants(&[], &["**"])),
        (json!({ "from": "secret", "to": "a" }), grants(&["**"], &[])),
        (json!({ "from": "http://127.0.0.1:1/", "to": "a" }), grants(&["**"], &["**"])),
    ] {
        let failure = world.run_granted("file_download", input.clone(), grants).await.unwrap_err();
        assert_eq!(failure.code, "not_granted", "{input}");
    }
}

/// Answers each connection with the next of `answers` and notes the requests.
async fn server(answers: Vec<String>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(socket.read_u8().await.unwrap());
            }
            seen.push(String::from_utf8(request).unwrap().to_ascii_lowercase());
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        seen
    });
    (address, task)
}

#[tokio::test]
async fn a_broken_connection_is_taken_up_where_it_stopped() {
    let world = World::new();
    let (address, seen) = server(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nAccept-Ranges: bytes\r\nETag: \"v1\"\r\n\r\n0123".to_owned(),
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\nContent-Range: bytes 4-9/10\r\nETag: \"v1\"\r\n\r\n45".to_owned(),
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nContent-Range: bytes 6-9/10\r\nETag: \"v1\"\r\n\r\n6789".to_owned(),
    ])
    .await;
    let output = world
        .run("file_download", json!({ "from": format!("http://{address}/f"), "to": "f" }))
        .await
        .unwrap();
    assert_eq!((output["resumed"].clone(), output["bytes"].clone()), (json!(2), json!(10)));
    assert_eq!(read(&world, "f").unwrap(), "0123456789");
    let seen = seen.await.unwrap();
    assert!(!seen[0].contains("range:"));
    assert!(
        seen[1].contains("range: bytes=4-\r\n") && seen[1].contains("if-range: \"v1\""),
        "{}",
        seen[1]
    );
    assert!(seen[2].contains("range: bytes=6-\r\n"), "{}", seen[2]);
}

#[tokio::test]
async fn a_file_that_changed_in_between_is_fetched_anew() {
    let world = World::new();
    let (address, _) = server(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nAccept-Ranges: bytes\r\nETag: \"v1\"\r\n\r\n0123"
            .to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"v2\"\r\n\r\nnew".to_owned(),
    ])
    .await;
    world
        .run("file_download", json!({ "from": format!("http://{address}/f"), "to": "f" }))
        .await
        .unwrap();
    assert_eq!(read(&world, "f").unwrap(), "new");
}

#[tokio::test]
async fn without_a_mark_of_the_version_or_without_leave_nothing_is_taken_up() {
    let world = World::new();
    let cut = |headers: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{headers}\r\n0123");
    for (headers, resume) in [
        ("", 3),
        ("Accept-Ranges: bytes\r\n", 3),
        ("Accept-Ranges: bytes\r\nETag: W/\"v\"\r\n", 3),
        ("Accept-Ranges: bytes\r\nETag: \"v\"\r\n", 0),
    ] {
        let (address, _) = server(vec![cut(headers)]).await;
        let failure = world
            .run(
                "file_download",
                json!({ "from": format!("http://{address}/f"), "to": "f", "resume": resume }),
            )
            .await
            .unwrap_err();
        assert!(failure.code == "http_broken" && failure.retryable, "{failure:?}");
        assert_eq!(read(&world, "f"), None);
    }
}

#[tokio::test]
async fn a_part_is_fetched_when_only_a_part_is_wanted() {
    let world = World::new();
    let (address, seen) = server(vec!["HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nContent-Range: bytes 2-4/10\r\n\r\n234".to_owned()]).await;
    let input = json!({ "from": format!("http://{address}/f"), "to": "f", "range": { "first": 2, "last": 4 } });
    world.run("file_download", input).await.unwrap();
    assert_eq!(read(&world, "f").unwrap(), "234");
    assert!(seen.await.unwrap()[0].contains("range: bytes=2-4"));
}
