//! The proxy, spoken to as a script does: over TCP.

use super::Egress;
use crate::access::Access;
use crate::context::Cx;
use crate::options::Policy;
use crate::testing::{Reply, Stub, World};
use jalm_isolates::Egress as _;
use jalm_kernel::ids::{ExecutionId, Place};
use jalm_kernel::intent::{Grants, ScriptGrants};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A proxy with these grants; it ends with its task.
async fn proxy(world: &World, http: &[&str]) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let grants = Grants {
        http: http.iter().map(|pattern| (*pattern).to_owned()).collect(),
        script: ScriptGrants { languages: None, network: true },
        ..Grants::default()
    };
    let cx = Cx {
        shared: world.layers.shared(),
        execution: ExecutionId(uuid::Uuid::nil()),
        intent: "test".into(),
        place: Place { step: "step".into(), items: Vec::new() },
        attempt: 1,
        key: "key".into(),
        timeout: Duration::from_secs(30),
        grants: Some(Arc::new(grants)),
        pins: jalm_kernel::ports::Pins::default(),
    };
    let access: Access = cx.access().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(Egress::new(&cx, access).serve(listener)))
}

/// Sends this, and reads until the proxy closes.
async fn say(proxy: SocketAddr, words: &str) -> String {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(proxy: SocketAddr, url: &str) -> String {
    say(proxy, &format!("GET {url} HTTP/1.1\r\nHost: ignored\r\nConnection: close\r\n\r\n")).await
}

async fn connect(proxy: SocketAddr, target: &str) -> String {
    let words = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    let request = "GET /x HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n";
    say(proxy, &format!("{words}{request}")).await
}

#[tokio::test]
async fn granted_addresses_are_passed_on_and_others_are_refused_by_name() {
    let (world, stub, other) = (World::new(), Stub::start().await, Stub::start().await);
    stub.on("/x", Reply::status(201).header("x-seen", "yes").body("there".as_bytes()));
    let (proxy, _task) = proxy(&world, &[&stub.url("/x")]).await;
    let answer = get(proxy, &stub.url("/x?y=1")).await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.contains("x-seen: yes") && answer.ends_with("there"), "{answer}");
    let seen = &stub.seen()[0];
    assert_eq!(seen.target, "/x?y=1");
    assert_eq!(seen.headers["host"], stub.address.to_string());

    for (url, named) in [
        (other.url("/x"), format!("add `http: [\"{}\"]` under `grants`", other.url("/*"))),
        (stub.url("/y"), format!("add `http: [\"{}\"]` under `grants`", stub.url("/*"))),
        (stub.url("/x/../y"), "no grant".to_owned()),
        (stub.url("/%78"), "no grant".to_owned()),
        ("http://user:secret@example.test/".to_owned(), "does not allow".to_owned()),
    ] {
        let answer = get(proxy, &url).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden: th"), "{answer}");
        assert!(answer.split("\r\n\r\n").nth(1).unwrap().contains(&named), "{url}: {answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }
    assert_eq!((stub.seen().len(), other.seen().len()), (1, 0));
}

#[tokio::test]
async fn bodies_go_both_ways_and_headers_of_one_hop_stay_there() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/in", Reply::status(200).body(vec![b'y'; 300_000]));
    let (proxy, _task) = proxy(&world, &[&stub.url("")]).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic x\r\nX-Private: 1\r\nX-Kept: 2\r\nConnection: close, x-private\r\nTransfer-Encoding: chunked\r\n\r\n",
        stub.url("/in")
    );
    let chunk = "x".repeat(70_000);
    let answer = say(proxy, &format!("{head}{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len())).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.len() > 300_000, "{}", answer.len());
    let seen = &stub.seen()[0];
    assert_eq!((seen.method.as_str(), seen.body.len()), ("POST", 70_000));
    assert!(!seen.headers.contains_key("proxy-authorization"));
    assert!(!seen.headers.contains_key("x-private") && seen.headers.contains_key("x-kept"));
}

#[tokio::test]
async fn a_redirect_is_another_request_that_is_judged_as_well() {
    let (world, stub, other) = (World::new(), Stub::start().await, Stub::start().await);
    stub.on("/a", Reply::status(302).header("location", other.url("/b")));
    let (proxy, _task) = proxy(&world, &[&stub.url("")]).await;
    let answer = get(proxy, &stub.url("/a")).await;
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    assert!(answer.contains(&other.url("/b")), "{answer}");
    assert!(get(proxy, &other.url("/b")).await.starts_with("HTTP/1.1 403"));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_tunnel_needs_the_whole_origin() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/x", Reply::status(200).body("inside".as_bytes()));
    let target = stub.address.to_string();
    for pattern in [stub.url(""), stub.url("/*"), format!("https://{target}"), "*".to_owned()] {
        let (proxy, _task) = proxy(&world, &[&pattern]).await;
        let answer = connect(proxy, &target).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{pattern}: {answer}");
        assert!(answer.ends_with("inside"), "{pattern}: {answer}");
    }
    let (partly, _task) = proxy(&world, &[&stub.url("/x")]).await;
    let answer = connect(partly, &target).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("a pattern with a path opens no tunnel"), "{answer}");
    for wrong in ["example.test", "user@example.test:443", "/x"] {
        let answer = connect(partly, wrong).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{wrong}: {answer}");
    }
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn addresses_that_no_step_reaches_no_script_reaches_either() {
    let stub = Stub::start().await;
    let port = stub.address.port();
    let all = ["*"];
    let closed = World::with_policy(Policy::default());
    let (proxy_closed, _task) = proxy(&closed, &all).await;
    for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "[::ffff:127.0.0.1]", "10.0.0.1"]
    {
        for answer in [
            get(proxy_closed, &format!("http://{host}:{port}/")).await,
            connect(proxy_closed, &format!("{host}:{port}")).await,
        ] {
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
            assert!(answer.contains("private or loopback"), "{host}: {answer}");
        }
    }
    let open = World::new();
    open.layers.set_own_addresses(vec![stub.address]);
    let (proxy_open, _task) = proxy(&open, &all).await;
    for (host, why) in [
        ("169.254.169.254", "link-local"),
        ("100.100.100.200", "metadata"),
        ("[fd00:ec2::254]", "metadata"),
        ("0.0.0.0", "unspecified"),
        ("127.0.0.1", "this runner's own"),
        ("localhost", "this runner's own"),
    ] {
        for answer in [
            get(proxy_open, &format!("http://{host}:{port}/")).await,
            connect(proxy_open, &format!("{host}:{port}")).await,
        ] {
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
            assert!(answer.contains(why), "{host}: {answer}");
        }
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn what_is_no_request_for_a_proxy_is_told_so() {
    let world = World::new();
    let (proxy, _task) = proxy(&world, &["*"]).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
        ("GET https://example.test/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
        ("GET http://nowhere.invalid/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "502"),
        ("CONNECT nowhere.invalid:443 HTTP/1.1\r\nHost: a\r\n\r\n", "502"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = say(proxy, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
}

#[tokio::test]
async fn the_end_of_a_call_closes_what_is_open() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/slow", Reply { hangs: true, ..Reply::status(200) });
    let (proxy, task) = proxy(&world, &[&stub.url("")]).await;
    let mut tunnel = TcpStream::connect(proxy).await.unwrap();
    let target = stub.address;
    tunnel
        .write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 15];
    tunnel.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let slow = tokio::spawn(async move { get(proxy, &format!("http://{target}/slow")).await });
    stub.arrival().await;
    task.abort();
    assert_eq!(slow.await.unwrap(), "");
    stub.departure().await;
    let mut rest = Vec::new();
    let _ = tunnel.read_to_end(&mut rest).await;
    assert!(TcpStream::connect(proxy).await.is_err());
}
