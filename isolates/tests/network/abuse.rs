//! Scripts that look for another way out: there is none.

use crate::world::{GO, NODE, PYTHON, RUST, World, job, there_is};
use jalm_isolates::{Job, Limits, Refused, Strength};
use serde_json::{Value, json};
use std::time::Duration;

/// Tries to connect, and gives the error's name.
const TRY: &str = "
import errno, os, socket, urllib.parse
own = urllib.parse.urlsplit(os.environ['http_proxy']).port
def tried(address, family=socket.AF_INET):
    try:
        with socket.socket(family) as sock:
            sock.settimeout(20)
            sock.connect(address)
        return 'connected'
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
";

#[tokio::test]
async fn nothing_but_the_proxy_can_be_connected_to() {
    let world = World::new(Strength::A);
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = format!(
        "{TRY}
return {{
    'own': tried(('127.0.0.1', own)), 'host': tried(('127.0.0.1', {port})),
    'metadata': tried(('169.254.169.254', 80)), 'outside': tried(('192.0.2.1', 443)),
    'dns': tried(('127.0.0.1', 53)), 'v6': tried(('::1', {port}), socket.AF_INET6),
    'unix': tried('/run/docker.sock', socket.AF_UNIX), 'abstract': tried('\\0x', socket.AF_UNIX),
}}"
    );
    let found = world.good(PYTHON, &source).await;
    for (name, result) in found.as_object().unwrap() {
        let expected = match name.as_str() {
            "own" => "connected",
            "v6" | "unix" | "abstract" => "EPERM",
            _ => "EACCES",
        };
        assert_eq!(result, expected, "{name}");
    }
    assert!(world.door.asked().is_empty());
}

#[tokio::test]
async fn other_kinds_of_sockets_cannot_be_made_and_none_can_listen() {
    let world = World::new(Strength::A);
    for source in [
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_VSOCK)",
        "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
        "socket.socket().bind(('127.0.0.1', 0))",
        "socket.socket().listen()",
        "socket.socket().setsockopt(socket.IPPROTO_TCP, 31, b'tls')",
        "socket.socket().setsockopt(socket.IPPROTO_TCP, 13, b'reno')",
        "socket.socket().setsockopt(socket.IPPROTO_IP, 64, b'x')",
    ] {
        let error = world.wrong(PYTHON, &format!("import socket\n{source}")).await;
        assert!(error.message.starts_with("PermissionError"), "{source}: {error:?}");
    }
    let error = world.wrong(PYTHON, "import socket\nsocket.getaddrinfo('example.test', 80)").await;
    assert!(error.message.starts_with("gaierror"), "{error:?}");
}

#[tokio::test]
async fn another_calls_way_out_is_out_of_reach() {
    let world = World::new(Strength::A);
    let first = world.try_run(job(PYTHON, "import time\ntime.sleep(600)"));
    let second = async {
        // Its port is not known here, but there are only so many of them.
        let source = format!(
            "{TRY}
ports = [port for port in range(32768, 61000) if port != own]
found = {{tried(('127.0.0.1', port)) for port in ports}}
return sorted(found)"
        );
        while world.door.open() == 0 {
            tokio::task::yield_now().await;
        }
        world.good(PYTHON, &source).await
    };
    tokio::select! {
        ended = first => panic!("{ended:?}"),
        second = second => assert_eq!(second, json!(["EACCES"])),
    }
    assert_eq!(world.door.open(), 0);
}

#[tokio::test]
async fn a_script_that_is_ended_or_given_up_leaves_no_door_open() {
    let world = World::new(Strength::A);
    let source = format!(
        "{TRY}
kept = [socket.create_connection(('127.0.0.1', own)) for _ in range(20)]
while True: pass"
    );
    let limits = Limits { wall: Duration::from_millis(1500), ..Limits::default() };
    let verdict = world.try_run(Job { limits, ..job(PYTHON, &source) }).await.unwrap();
    assert_eq!(verdict.result.unwrap_err().code, "script_timeout");
    assert_eq!(world.door.open(), 0);
    let run = world.try_run(job(PYTHON, &source));
    let door = world.door.clone();
    let opened = async move {
        while door.open() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = run => panic!("it ended"),
        () = opened => {}
    }
    assert_eq!(world.door.open(), 0);
    assert_eq!(world.good(PYTHON, "return 'still here'").await, json!("still here"));
}

#[tokio::test]
async fn native_programs_find_no_other_way_either() {
    let world = World::new(Strength::A);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    if there_is("node", "--version") {
        let source = format!(
            "
const net = require('node:net');
const tried = (options) => new Promise((done) => {{
  const socket = net.connect(options, () => done('connected'));
  socket.on('error', (error) => done(error.code));
}});
const udp = () => {{ try {{ require('node:dgram').createSocket('udp4').bind(); }} catch (error) {{ return error.code; }} }};
return [await tried({{ port: {port}, host: '127.0.0.1' }}), await tried({{ path: '/run/x.sock' }}), udp()]"
        );
        let found: Value = world.good(NODE, &source).await;
        let refused = |at: usize| ["EACCES", "EPERM"].contains(&found[at].as_str().unwrap_or(""));
        assert!(refused(0) && refused(1), "{found}");
    }
    if there_is("go", "version") {
        let source = format!(
            "
import \"net\"
func run(vars map[string]any) (any, error) {{
	_, tcp := net.Dial(\"tcp\", \"127.0.0.1:{port}\")
	_, udp := net.Dial(\"udp\", \"127.0.0.1:{port}\")
	_, listen := net.Listen(\"tcp\", \"127.0.0.1:0\")
	return []string{{tcp.Error(), udp.Error(), listen.Error()}}, nil
}}"
        );
        let found = world.good(GO, &source).await;
        for error in found.as_array().unwrap() {
            let error = error.as_str().unwrap();
            let refused =
                error.ends_with("permission denied") || error.ends_with("operation not permitted");
            assert!(refused, "{error}");
        }
    }
    if there_is("rustc", "--version") {
        let source = format!(
            "
fn run() -> Vec<String> {{
    let tcp = std::net::TcpStream::connect((\"127.0.0.1\", {port})).unwrap_err();
    let udp = std::net::UdpSocket::bind(\"127.0.0.1:0\").unwrap_err();
    vec![tcp.kind().to_string(), udp.kind().to_string()]
}}"
        );
        let found = world.good(RUST, &source).await;
        assert_eq!(found, json!(["permission denied", "permission denied"]));
    }
}

#[tokio::test]
async fn without_namespaces_the_network_is_refused_with_the_way_out() {
    let world = World::new(Strength::B);
    for (kind, command) in [(PYTHON, "python3"), (NODE, "node"), (GO, "go"), (RUST, "rustc")] {
        if !there_is(command, if command == "go" { "version" } else { "--version" }) {
            continue;
        }
        let source = if kind == RUST { "fn run() -> i32 { 1 }" } else { "return 1" };
        let refused = world.try_run(job(kind, source)).await.unwrap_err();
        assert!(matches!(refused, Refused::NoNetwork { .. }), "{command}: {refused}");
        assert!(refused.to_string().contains("strength B"), "{refused}");
        assert!(refused.hint().contains("exec_http"));
    }
    assert_eq!(world.door.open(), 0);
}
