//! The usual clients of each language find the way out by themselves.

use crate::world::{GO, NODE, PYTHON, RUST, World, job, there_is};
use jalm_isolates::{Language, Strength};
use serde_json::json;

#[tokio::test]
async fn python_gets_out_through_its_proxy() {
    let world = World::new(Strength::A);
    let source = "
import urllib.request
with urllib.request.urlopen('http://example.test/x?y=1') as answer:
    return answer.read().decode()";
    assert_eq!(world.good(PYTHON, source).await, json!("GET http://example.test/x?y=1 HTTP/1.1"));
    let tunnel = "
import http.client, os, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['HTTPS_PROXY'])
client = http.client.HTTPConnection(proxy.hostname, proxy.port)
client.set_tunnel('example.test', 443)
client.request('GET', '/x')
return client.getresponse().read().decode()";
    let said = world.good(PYTHON, tunnel).await;
    let said = said.as_str().unwrap();
    assert!(said.starts_with("CONNECT example.test:443 HTTP/1."), "{said}");
    assert!(said.ends_with(" > GET /x HTTP/1.1"), "{said}");
    assert_eq!(world.door.open(), 0);
}

#[tokio::test]
async fn python_finds_the_certificates_of_the_host() {
    let world = World::new(Strength::A);
    let source = "
import os, ssl
path = os.environ['SSL_CERT_FILE']
if not os.path.exists(path):
    return 'this host has none'
return len(ssl.create_default_context().get_ca_certs()) > 0";
    let found = world.good(PYTHON, source).await;
    assert!(found == json!(true) || found == json!("this host has none"), "{found}");
}

#[tokio::test]
async fn what_waits_for_the_network_may_do_so_without_blocking() {
    let world = World::new(Strength::A);
    let source = "
import asyncio, os, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['http_proxy'])
async def get(path):
    reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port)
    writer.write(f'GET http://example.test{path} HTTP/1.1\\r\\nHost: example.test\\r\\n\\r\\n'.encode())
    await writer.drain()
    await reader.readuntil(b'\\r\\n\\r\\n')
    writer.close()
    return path
return await asyncio.gather(get('/a'), get('/b'))";
    assert_eq!(world.good(PYTHON, source).await, json!(["/a", "/b"]));
    assert_eq!(world.door.asked().len(), 2);
}

#[tokio::test]
async fn node_gets_out_through_its_proxy() {
    if !there_is("node", "--version") {
        return;
    }
    let world = World::new(Strength::A);
    let tunnelled = "CONNECT example.test:80 HTTP/1.1 > GET /x HTTP/1.1";
    let source = "return await (await fetch('http://example.test/x')).text()";
    assert_eq!(world.good(NODE, source).await, json!(tunnelled));
    let source = "
const { text } = require('node:stream/consumers');
const get = (url) => new Promise((done, fail) => require('node:http').get(url, done).on('error', fail));
return await text(await get('http://example.test/x'))";
    assert_eq!(world.good(NODE, source).await, json!(tunnelled));
    let source = "return Object.keys(process.env).filter((name) => /proxy/i.test(name)).length";
    assert_eq!(world.good(NODE, source).await, json!(4));
}

#[tokio::test]
async fn go_gets_out_through_its_proxy() {
    if !there_is("go", "version") {
        return;
    }
    let world = World::new(Strength::A);
    let source = "
import (\"io\"; \"net/http\")
func run(vars map[string]any) (any, error) {
	answer, err := http.Get(\"http://example.test/x\")
	if err != nil { return nil, err }
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}";
    assert_eq!(world.good(GO, source).await, json!("GET http://example.test/x HTTP/1.1"));
}

#[tokio::test]
async fn rust_gets_out_through_its_proxy() {
    if !there_is("rustc", "--version") {
        return;
    }
    let world = World::new(Strength::A);
    let source = r#"
use std::io::{Read, Write};
fn run() -> Result<String, Box<dyn std::error::Error>> {
    let proxy = std::env::var("http_proxy")?;
    let mut stream = std::net::TcpStream::connect(proxy.trim_start_matches("http://"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30)))?;
    stream.write_all(b"GET http://example.test/x HTTP/1.1\r\nHost: example.test\r\n\r\n")?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}"#;
    let said = world.good(RUST, source).await;
    assert!(said.as_str().unwrap().ends_with("GET http://example.test/x HTTP/1.1"), "{said}");
}

#[tokio::test]
async fn what_has_no_sockets_runs_as_ever() {
    let world = World::new(Strength::A);
    let verdict = world.try_run(job((Language::JavaScript, None), "return typeof fetch")).await;
    let verdict = verdict.unwrap();
    assert_eq!(verdict.result, Ok(json!("undefined")));
    assert!(verdict.isolation.starts_with("isolate/A"), "{}", verdict.isolation);
}

#[tokio::test]
async fn the_next_script_has_no_network_again() {
    let world = World::new(Strength::A);
    world.good(PYTHON, "return 1").await;
    let source = "
import os, socket
assert not [name for name in os.environ if 'proxy' in name.lower()]
try: socket.socket()
except PermissionError: return 'refused'";
    let verdict = world.isolates.run(job(PYTHON, source)).await.unwrap();
    assert_eq!(verdict.result, Ok(json!("refused")));
    assert!(!verdict.isolation.contains("egress"), "{}", verdict.isolation);
}
