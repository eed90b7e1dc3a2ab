//! HTTP as steps see it, against a real server on loopback.

use crate::Policy;
use crate::testing::{Reply, Stub, World};
use base64::Engine;
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::Millis;
use jalm_kernel::intent::Grants;
use jalm_kernel::ports::{Call, Runner};
use serde_json::{Value, json};

async fn get(world: &World, url: impl Into<String>) -> Result<Value, Failure> {
    world.run("exec_http", json!({ "url": url.into() })).await
}

#[tokio::test]
async fn a_request_carries_what_the_step_says() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/x", Reply::status(200));
    let input = json!({
        "method": "patch",
        "url": stub.url("/x?a=1"),
        "query": { "b": [2, true], "c": null, "d e": "ü" },
        "headers": { "X-One": "1", "Accept": ["a", "b"] },
        "json": { "k": [1] },
        "auth": { "basic": { "username": "ann", "password": "pw" } },
        "traceparent": true,
    });
    world.run("exec_http", input).await.unwrap();
    let seen = &stub.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("PATCH", "/x?a=1&b=2&b=true&d+e=%C3%BC")
    );
    let header = |name: &str| seen.headers[name].to_str().unwrap();
    assert_eq!(header("x-one"), "1");
    assert_eq!(seen.headers.get_all("accept").iter().count(), 2);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("authorization"), "Basic YW5uOnB3");
    assert_eq!(header("idempotency-key"), "jalm-test-0");
    assert!(header("traceparent").starts_with("00-00000000000000000000000000000000-"));
    assert_eq!(seen.body, r#"{"k":[1]}"#);
}

#[tokio::test]
async fn a_write_has_its_key_on_every_attempt_and_a_read_has_none() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/x", Reply::status(200));
    let call =
        world.call("exec_http", json!({ "url": stub.url("/x"), "method": "POST", "json": null }));
    world.perform(Call { attempt: 1, ..call.clone() }).await.unwrap();
    world.perform(Call { attempt: 2, ..call }).await.unwrap();
    get(&world, stub.url("/x")).await.unwrap();
    let own = json!({ "url": stub.url("/x"), "method": "DELETE", "headers": { "Idempotency-Key": "mine" } });
    world.run("exec_http", own).await.unwrap();
    let keys: Vec<Option<String>> = stub
        .seen()
        .iter()
        .map(|seen| seen.headers.get("idempotency-key").map(|key| key.to_str().unwrap().into()))
        .collect();
    let key = Some("jalm-test-0".to_owned());
    assert_eq!(keys, [key.clone(), key, None, Some("mine".into())]);
    assert_eq!(stub.seen()[0].body, "null");
}

#[tokio::test]
async fn an_unexpected_status_is_a_failure_that_says_whether_to_try_again() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/busy", Reply::status(503).header("retry-after", "3").body("later".as_bytes()));
    stub.on("/gone", Reply::status(410).body(vec![b'x'; 10_000]));
    let busy = get(&world, stub.url("/busy?key=secret")).await.unwrap_err();
    assert_eq!(
        (busy.code.as_ref(), busy.retryable, busy.retry_after),
        ("http_status", true, Some(3000))
    );
    assert_eq!(busy.detail.as_ref().unwrap()["body"], "later");
    assert!(!format!("{busy:?}").contains("secret"), "{busy:?}");
    let gone = get(&world, stub.url("/gone")).await.unwrap_err();
    assert!(!gone.retryable);
    assert_eq!(gone.detail.unwrap()["body"].as_str().unwrap().len(), 4096);
    let fine = json!({ "url": stub.url("/gone"), "expect_status": [200, 410] });
    let output = world.run("exec_http", fine).await.unwrap();
    assert_eq!((&output["status"], &output["ok"]), (&json!(410), &json!(false)));
}

#[tokio::test]
async fn bodies_are_bounded_after_decompression() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/big", Reply::status(200).body(vec![b'x'; 5000]));
    let failure = world
        .run("exec_http", json!({ "url": stub.url("/big"), "max_bytes": 4999 }))
        .await
        .unwrap_err();
    assert_eq!(failure.code, "body_too_large");
    let output =
        world.run("exec_http", json!({ "url": stub.url("/big"), "max_bytes": 5000 })).await;
    assert_eq!(output.unwrap()["text"].as_str().unwrap().len(), 5000);
    // A hundred bytes of gzip that are a hundred thousand zeros.
    let zeros = "H4sIAAAAAAACA+3BMQEAAADCoPVPbQ0PoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIBXA32VEdSghgEA";
    let zeros = base64::engine::general_purpose::STANDARD.decode(zeros).unwrap();
    stub.on("/zip", Reply::status(200).header("content-encoding", "gzip").body(zeros));
    let failure = world
        .run("exec_http", json!({ "url": stub.url("/zip"), "max_bytes": 99_999 }))
        .await
        .unwrap_err();
    assert_eq!(failure.code, "body_too_large");
}

#[tokio::test]
async fn redirects_are_followed_within_the_grants_only() {
    let (world, stub, other) = (World::new(), Stub::start().await, Stub::start().await);
    stub.on("/a", Reply::status(302).header("location", "/b"));
    stub.on("/b", Reply::status(307).header("location", other.url("/c")));
    stub.on("/loop", Reply::status(302).header("location", "/loop"));
    other.on("/c", Reply::status(200).body("arrived".as_bytes()));
    let input = json!({
        "url": stub.url("/a"), "method": "POST", "body": "x",
        "auth": { "bearer": "t" }, "headers": { "cookie": "c=1" },
    });
    let output = world.run("exec_http", input.clone()).await.unwrap();
    assert_eq!((&output["text"], &output["url"]), (&json!("arrived"), &json!(other.url("/c"))));
    let (first, last) = (&stub.seen()[0], &other.seen()[0]);
    assert_eq!((first.method.as_str(), last.method.as_str()), ("POST", "GET"));
    assert!(first.headers.contains_key("authorization"));
    assert!(!last.headers.contains_key("authorization") && !last.headers.contains_key("cookie"));
    assert!(last.body.is_empty());

    let grants = Grants { http: vec![stub.url("/*")], ..Grants::default() };
    let failure = world.run_granted("exec_http", input, grants).await.unwrap_err();
    assert_eq!(failure.code, "not_granted");
    assert_eq!(other.seen().len(), 1);

    let failure = get(&world, stub.url("/loop")).await.unwrap_err();
    assert_eq!(failure.code, "too_many_redirects");
    let stay = json!({ "url": stub.url("/loop"), "follow_redirects": false });
    assert_eq!(world.run("exec_http", stay).await.unwrap()["status"], 302);
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_reached() {
    let world = World::with_policy(Policy::default());
    let stub = Stub::start().await;
    stub.on("/", Reply::status(200));
    let port = stub.address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "224.0.0.1",
    ] {
        let failure = get(&world, format!("http://{host}:{port}/")).await.unwrap_err();
        assert_eq!(failure.code, "address_refused", "{host}: {failure:?}");
        assert!(!failure.retryable, "{host}");
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_cannot_reach_a_forbidden_address() {
    let (world, stub) = (World::new(), Stub::start().await);
    for (path, target) in [("/a", "http://169.254.169.254/latest/"), ("/b", "http://[fe80::1]/")] {
        stub.on(path, Reply::status(302).header("location", target));
        let failure = get(&world, stub.url(path)).await.unwrap_err();
        assert_eq!(failure.code, "address_refused", "{failure:?}");
    }
}

#[tokio::test]
async fn the_runner_cannot_be_reached_from_its_own_steps() {
    let (world, own, other) = (World::new(), Stub::start().await, Stub::start().await);
    for stub in [&own, &other] {
        stub.on("/", Reply::status(200));
    }
    get(&world, own.url("/")).await.unwrap();
    world.layers.set_own_addresses(vec![own.address]);
    other.on("/hop", Reply::status(302).header("location", own.url("/")));
    let port = own.address.port();
    for url in [
        own.url("/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        other.url("/hop"),
    ] {
        let failure = get(&world, url.clone()).await.unwrap_err();
        assert_eq!(failure.code, "address_refused", "{url}: {failure:?}");
        assert!(failure.message.contains("this runner's own"), "{failure:?}");
    }
    get(&world, other.url("/")).await.unwrap();
    assert_eq!(own.seen().len(), 1);
}

#[tokio::test]
async fn a_proxy_needs_a_grant_and_hides_no_forbidden_address() {
    let (world, proxy) = (World::new(), Stub::start().await);
    proxy.on("/x", Reply::status(200).body("by proxy".as_bytes()));
    let input = |url: &str| json!({ "url": url, "proxy": proxy.url("/") });
    let output =
        world.run("exec_http", input("http://only-the-proxy-knows.invalid/x")).await.unwrap();
    assert_eq!(output["text"], "by proxy");
    assert_eq!(proxy.seen()[0].target, "http://only-the-proxy-knows.invalid/x");
    let failure = world.run("exec_http", input("http://169.254.169.254/x")).await.unwrap_err();
    assert_eq!(failure.code, "address_refused");
    let grants = Grants { http: vec!["http://*.invalid/*".into()], ..Grants::default() };
    let call = input("http://only-the-proxy-knows.invalid/x");
    let failure = world.run_granted("exec_http", call.clone(), grants).await.unwrap_err();
    assert_eq!(failure.code, "not_granted");
    world.layers.set_own_addresses(vec![proxy.address]);
    assert_eq!(world.run("exec_http", call).await.unwrap_err().code, "address_refused");
    assert_eq!(proxy.seen().len(), 1);
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/hang", Reply { hangs: true, ..Reply::status(200) });
    let call = world.call("exec_http", json!({ "url": stub.url("/hang") }));
    let running = tokio::spawn(world.layers.run(call));
    stub.arrival().await;
    running.abort();
    stub.departure().await;
    assert!(running.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_given_up() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/hang", Reply { hangs: true, ..Reply::status(200) });
    let input = json!({ "url": stub.url("/hang?k=secret"), "timeout": "50ms" });
    let failure = world.run("exec_http", input).await.unwrap_err();
    assert_eq!((failure.code.as_ref(), failure.retryable), ("http_timeout", true));
    assert!(!failure.message.contains("secret"));
    let call = world.call("exec_http", json!({ "url": stub.url("/hang") }));
    let failure = world.perform(Call { timeout: Millis(50), ..call }).await.unwrap_err();
    assert_eq!(failure.code, "http_timeout");
}

#[tokio::test]
async fn a_service_that_is_not_there_says_so() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = get(&world, format!("http://{address}/")).await.unwrap_err();
    assert_eq!((failure.code.as_ref(), failure.retryable), ("http_connect", true));
    assert!(failure.hint.unwrap().contains("is the service running"));
    let failure = get(&world, "http://no-such-host.invalid/").await.unwrap_err();
    assert_eq!((failure.code.as_ref(), failure.retryable), ("http_connect", true));
}

#[tokio::test]
async fn a_body_can_go_into_a_file() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/f", Reply::status(200).body(vec![7_u8; 3_000_000]));
    let input = json!({ "url": stub.url("/f"), "save_to": "in/f.bin" });
    let output = world.run("exec_http", input).await.unwrap();
    assert_eq!((&output["bytes"], &output["saved_to"]), (&json!(3_000_000), &json!("in/f.bin")));
    assert_eq!(std::fs::read(world.file("in/f.bin")).unwrap(), vec![7; 3_000_000]);
    let input = json!({ "url": stub.url("/f"), "save_to": "in/g.bin", "max_bytes": "1MiB" });
    assert_eq!(world.run("exec_http", input).await.unwrap_err().code, "body_too_large");
    let left: Vec<_> = std::fs::read_dir(world.file("in")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_webhook_is_signed_and_keeps_its_id() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/hook", Reply::status(202));
    let input = json!({
        "url": stub.url("/hook"), "event": "paid", "payload": { "id": 1 }, "secret": "whsec_c2VjcmV0",
    });
    let output = world.run("notify_webhook", input).await.unwrap();
    assert_eq!(output, json!({ "status": 202, "message_id": "jalm-test-0" }));
    let seen = &stub.seen()[0];
    assert_eq!(seen.body, r#"{"event":"paid","payload":{"id":1}}"#);
    assert_eq!(seen.headers["webhook-id"], "jalm-test-0");
    assert_eq!(seen.headers["idempotency-key"], "jalm-test-0");
    assert!(seen.headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    stub.on("/hook", Reply::status(500));
    let plain = json!({ "url": stub.url("/hook"), "payload": "x" });
    let failure = world.run("notify_webhook", plain).await.unwrap_err();
    assert_eq!((failure.code.as_ref(), failure.retryable), ("http_status", true));
    assert!(!stub.seen()[1].headers.contains_key("webhook-signature"));
}

/// A TLS server whose certificate nobody has issued; it says "hello" to each client.
async fn untrusted_server() -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate leaves here.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_must_be_valid_unless_the_step_says_otherwise() {
    let (world, server) = (World::new(), untrusted_server().await);
    let url = format!("https://localhost:{}/", server.port());
    let failure = get(&world, url.clone()).await.unwrap_err();
    assert_eq!((failure.code.as_ref(), failure.retryable), ("http_tls", false), "{failure:?}");
    assert!(failure.hint.unwrap().contains("tls_verify: false"));
    let trusting = json!({ "url": url, "tls_verify": false });
    assert_eq!(world.run("exec_http", trusting).await.unwrap()["text"], "hello");
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told_apart() {
    let (world, stub) = (World::new(), Stub::start().await);
    let failure = get(&world, format!("https://{}/", stub.address)).await.unwrap_err();
    assert_eq!(failure.code, "http_tls", "{failure:?}");
    assert!(failure.hint.unwrap().contains("`http://`"));
}

#[tokio::test]
async fn bad_input_is_refused() {
    let world = World::new();
    let url = "http://127.0.0.1:1/";
    world
        .refuses(
            "exec_http",
            &[
                (json!({ "url": "not an address" }), "`url`", "https://"),
                (json!({ "url": "ftp://x/" }), "`url`", "http://"),
                (json!({ "url": "http://u:p@x/" }), "`url`", "`auth"),
                (json!({ "url": url, "method": "A B" }), "`method`", "GET"),
                (json!({ "url": url, "method": "CONNECT" }), "`method`", "GET"),
                (json!({ "url": url, "body": "x" }), "`method`", "method: POST"),
                (
                    json!({ "url": url, "method": "POST", "body": "x", "json": 1 }),
                    "`body`",
                    "leave one",
                ),
                (
                    json!({ "url": url, "method": "POST", "body_base64": "?" }),
                    "`body_base64`",
                    "`body`",
                ),
                (json!({ "url": url, "headers": { "a b": "1" } }), "`headers.a b`", "letters"),
                (json!({ "url": url, "headers": { "a": "1\r\nb: 2" } }), "`headers.a`", "one line"),
                (
                    json!({ "url": url, "headers": { "Host": "evil" } }),
                    "`headers.Host`",
                    "leave it out",
                ),
                (json!({ "url": url, "headers": { "a": {} } }), "`headers`", "`headers`: "),
                (
                    json!({ "url": url, "auth": { "bearer": "a\nb" } }),
                    "`auth.bearer`",
                    "line break",
                ),
                (json!({ "url": url, "auth": { "digest": "a" } }), "`digest`", "bearer"),
                (
                    json!({ "url": url, "expect_status": "fine" }),
                    "`expect_status`",
                    "`expect_status`: ",
                ),
                (json!({ "url": url, "timeout": "soon" }), "`timeout`", "`timeout`: "),
                (json!({ "url": url, "max_bytes": "lots" }), "`max_bytes`", "`max_bytes`: "),
                (json!({ "url": url, "proxy": "::" }), "`proxy`", "http://proxy"),
                (json!({ "url": url, "proxy": "ftp://x" }), "`ftp`", "socks5"),
                (json!({ "url": url, "save_to": "/etc/x" }), "`save_to`", "`save_to`: "),
                (json!({ "url": url, "methood": "GET" }), "`methood`", "did you mean `method`?"),
            ],
        )
        .await;
    world
        .refuses(
            "notify_webhook",
            &[
                (json!({ "url": url }), "`payload`", "add `payload`"),
                (json!({ "url": "x", "payload": 1 }), "`url` of `notify_webhook`", "https://"),
                (
                    json!({ "url": url, "payload": 1, "secret": "whsec_?" }),
                    "`secret`",
                    "copy the secret",
                ),
                (
                    json!({ "url": url, "payload": 1, "sceret": "x" }),
                    "`sceret`",
                    "did you mean `secret`?",
                ),
            ],
        )
        .await;
}
