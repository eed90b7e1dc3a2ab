//! `cargo xtask demo`: runs `examples/six-layers.yaml` to its end and shows what came of it.
//!
//! The intent fetches orders over HTTP; they come from a server that lives in this process, on
//! loopback. Everything that is kept goes to `target/demo`, made anew each time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const INTENT: &str = "examples/six-layers.yaml";

const ORDERS: &str = r#"{"orders": [
  {"id": 1, "item": "apples", "quantity": 3, "price": 0.4},
  {"id": 2, "item": "bread", "quantity": 1, "price": 3.2},
  {"id": 3, "item": "apples", "quantity": 5, "price": 0.4},
  {"id": 4, "item": "coffee", "quantity": 2, "price": 7.9}
]}"#;

/// Runs the demo; the binary must have been built.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let jalm = root.join("target/debug/jalm");
    if !jalm.exists() {
        return Err(format!("{} is not there; run `make demo`, which builds it", jalm.display()));
    }
    let data = root.join("target/demo");
    if data.exists() {
        std::fs::remove_dir_all(&data)
            .map_err(|error| format!("cannot empty {}: {error}", data.display()))?;
    }
    let shop = serve_orders().map_err(|error| format!("cannot listen on loopback: {error}"))?;
    let source = format!("http://{shop}/orders.json");

    title(&format!("jalm run {INTENT} --param source={source}"));
    let status = Command::new(&jalm)
        .args(["run", INTENT, "--param", &format!("source={source}"), "--data"])
        .arg(&data)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot start {}: {error}", jalm.display()))?;
    if !status.success() {
        return Err(format!("the intent did not complete: {status}"));
    }

    let report = data.join("files/reports/orders.html");
    title(&format!("the report it wrote: {}", report.display()));
    let text = std::fs::read_to_string(&report)
        .map_err(|error| format!("cannot read {}: {error}", report.display()))?;
    println!("{text}");

    title("what a server on the same data folder shows: GET /exec and GET /queues/orders");
    let server = Server::start(&jalm, &data)?;
    for path in ["/exec?limit=1", "/queues/orders"] {
        println!("{}", get(server.address, path).map_err(|error| format!("{path}: {error}"))?);
    }
    Ok(())
}

fn title(text: &str) {
    println!("\n== {text}");
}

/// Serves [`ORDERS`] at every path, as long as this process lives.
fn serve_orders() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up early harms nobody.
            let _ = answer(stream);
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{ORDERS}",
        ORDERS.len()
    )
}

/// A `jalm serve` that ends with this value.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(jalm: &PathBuf, data: &Path) -> Result<Self, String> {
        let mut process = Command::new(jalm)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", jalm.display()))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok());
        match address {
            Some(address) => Ok(Self { process, address }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                Err(format!("the server said {line:?} instead of where it listens"))
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The body of a GET.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}
