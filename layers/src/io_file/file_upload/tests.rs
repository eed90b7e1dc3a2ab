use super::*;
use crate::testing::{Reply, Stub, World};

#[tokio::test]
async fn bad_input_is_refused() {
    let (world, stub) = (World::new(), Stub::start().await);
    std::fs::write(world.file("f"), "hello\n").unwrap();
    let url = stub.url("/f");
    world
        .refuses(
            "file_upload",
            &[
                (json!({ "to": url }), "`from`", "add `from`"),
                (json!({ "from": "f" }), "`to`", "add `to`"),
                (json!({ "from": "none", "to": url }), "no such file", "check the path"),
                (json!({ "from": "../f", "to": url }), "goes up", "`from`: "),
                (
                    json!({ "from": "f", "to": "s3://bucket/key" }),
                    "`s3://` is not supported",
                    "https://",
                ),
                (json!({ "from": "f", "to": "/etc/x" }), "`to`", "file root"),
                (json!({ "from": "f", "to": url, "method": "DELETE" }), "`DELETE`", "write one of"),
                (
                    json!({ "from": "f", "to": url, "content_type": "a\nb" }),
                    "`content_type`",
                    "one line",
                ),
                (
                    json!({ "from": "f", "to": url, "headers": { "content-length": "1" } }),
                    "`headers.content-length`",
                    "leave it out",
                ),
                (
                    json!({ "from": "f", "to": url, "max_bytes": 5 }),
                    "larger than 5 bytes",
                    "`max_bytes`",
                ),
                (json!({ "from": "f", "to": "g", "field": "x" }), "`to`", "leave them out"),
                (
                    json!({ "from": "f", "to": url, "auth": { "bearer": "a\nb" } }),
                    "`auth.bearer`",
                    "line break",
                ),
                (json!({ "from": "f", "to": url }), "404", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_file_is_sent_as_it_is() {
    let (world, stub) = (World::new(), Stub::start().await);
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(world.file("big.pdf"), &content).unwrap();
    stub.on(
        "/up",
        Reply::status(201).header("location", "/files/7").header("etag", "\"e\"").body("stored"),
    );
    let input = json!({ "from": "big.pdf", "to": stub.url("/up"), "auth": { "basic": { "username": "u", "password": "p" } } });
    let output = world.run("file_upload", input).await.unwrap();
    assert_eq!(output["location"], stub.url("/files/7"));
    assert_eq!(
        (output["bytes"].clone(), output["etag"].clone(), output["answer"].clone()),
        (json!(1_000_000), json!("\"e\""), json!("stored"))
    );
    let seen = stub.seen().pop().unwrap();
    assert_eq!(seen.method, "PUT");
    assert_eq!(seen.body, content);
    assert_eq!(
        (&seen.headers["content-length"], &seen.headers["content-type"]),
        (&"1000000".parse().unwrap(), &"application/pdf".parse().unwrap())
    );
    assert!(seen.headers["idempotency-key"].to_str().unwrap().starts_with("jalm-test-"));
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&content);
    assert_eq!(output["sha256"], crate::files::hex(&digest));
}

#[tokio::test]
async fn a_form_holds_the_file_with_its_name() {
    let (world, stub) = (World::new(), Stub::start().await);
    std::fs::create_dir(world.file("d")).unwrap();
    std::fs::write(world.file("d/a\"b.txt"), "hello").unwrap();
    stub.on("/up", Reply::status(200).body(r#"{"ok":true}"#));
    let output = world
        .run("file_upload", json!({ "from": "d/a\"b.txt", "to": stub.url("/up"), "field": "doc" }))
        .await
        .unwrap();
    assert_eq!(output["answer"], json!({ "ok": true }));
    let seen = stub.seen().pop().unwrap();
    assert_eq!(seen.method, "POST");
    let kind = seen.headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a%22b.txt\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n--{boundary}--\r\n"
    );
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn failures_of_the_service_say_whether_to_try_again() {
    let (world, stub) = (World::new(), Stub::start().await);
    std::fs::write(world.file("f"), "hello").unwrap();
    for (status, again) in [(403, false), (503, true), (302, false)] {
        stub.on("/up", Reply::status(status).header("location", "http://127.0.0.1:1/"));
        let failure = world
            .run("file_upload", json!({ "from": "f", "to": stub.url("/up") }))
            .await
            .unwrap_err();
        assert_eq!(
            (failure.code.as_ref(), failure.retryable),
            ("http_status", again),
            "{failure:?}"
        );
    }
    let failure = world
        .run("file_upload", json!({ "from": "f", "to": "http://127.0.0.1:1/" }))
        .await
        .unwrap_err();
    assert!(failure.code == "http_connect" && failure.retryable, "{failure:?}");
    stub.on("/slow", Reply { hangs: true, ..Reply::status(200) });
    let failure = world
        .run("file_upload", json!({ "from": "f", "to": stub.url("/slow"), "timeout": "50ms" }))
        .await
        .unwrap_err();
    assert!(failure.code == "http_timeout" && failure.retryable, "{failure:?}");
}

#[tokio::test]
async fn an_empty_file_and_a_copy_work_too() {
    let (world, stub) = (World::new(), Stub::start().await);
    std::fs::write(world.file("empty"), "").unwrap();
    stub.on("/up", Reply::status(204));
    let output = world
        .run("file_upload", json!({ "from": "empty", "to": stub.url("/up"), "method": "POST" }))
        .await
        .unwrap();
    assert_eq!((output["bytes"].clone(), stub.seen().len()), (json!(0), 1));
    let output =
        world.run("file_upload", json!({ "from": "empty", "to": "copies/empty" })).await.unwrap();
    assert_eq!(output["location"], "copies/empty");
    assert!(world.file("copies/empty").exists());
}
