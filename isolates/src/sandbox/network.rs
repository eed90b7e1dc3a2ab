//! The one way out of a network namespace: a port that only the server answers.
//!
//! A process that may use the network is alone in a network namespace of its own. Nothing is there
//! but the loopback device, and on it one listening socket, which the server gets and closes when
//! the run ends. What connects to it speaks to the server's proxy, and to nobody else; no rule about
//! addresses has to hold for that. Landlock besides lets it connect to that port only, and seccomp
//! make TCP sockets only.

use super::Missing;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::{
    AddressFamily, Ipv4Addr, SocketAddrV4, SocketFlags, SocketType, bind, getsockname, listen,
    socket_with,
};
use std::path::{Path, PathBuf};

const LAYER: &str = "namespaces";

/// Connections that wait to be taken.
const BACKLOG: i32 = 64;

/// Where the host's certificates are inside.
pub(crate) const CERTIFICATES: &str = "/certificates.pem";

/// Where systems keep the certificates that they trust, all in one file.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A listening socket, and its port.
pub(crate) struct Gate {
    pub(crate) listener: OwnedFd,
    pub(crate) port: u16,
}

/// The file of the certificates that this host trusts, if it has one.
pub(super) fn certificates() -> Option<PathBuf> {
    BUNDLES.into_iter().map(Path::new).find(|path| path.is_file())?.canonicalize().ok()
}

/// Opens the way out. The caller has shown that the namespace is its own.
pub(super) fn open() -> Result<Gate, Missing> {
    let failed = |what: &'static str| {
        move |error: rustix::io::Errno| Missing::new(LAYER, format_args!("{what}: {error}"))
    };
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(failed("making a socket"))?;
    loopback_up(&listener)?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).map_err(failed("taking a port"))?;
    listen(&listener, BACKLOG).map_err(failed("listening"))?;
    let address = getsockname(&listener).map_err(failed("asking for the port"))?;
    let address = SocketAddrV4::try_from(address).map_err(failed("asking for the port"))?;
    Ok(Gate { listener, port: address.port() })
}

/// Brings up the loopback device, which then has its address.
fn loopback_up(socket: &OwnedFd) -> Result<(), Missing> {
    #[repr(C)]
    struct Request {
        name: [u8; libc::IFNAMSIZ],
        flags: libc::c_short,
        rest: [u8; 22],
    }
    let mut name = [0; libc::IFNAMSIZ];
    name[..2].copy_from_slice(b"lo");
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    let request = Request { name, flags: up.try_into().unwrap_or(0), rest: [0; 22] };
    #[expect(unsafe_code, reason = "changing a device has no safe wrapper")]
    // SAFETY: the request has the layout and at least the size of the kernel's `ifreq`, and lives
    // until the call returns.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Missing::new(LAYER, format_args!("bringing up the loopback device: {error}")))
}

/// The environment of a program that may use the network.
pub(crate) fn variables(port: u16) -> Vec<String> {
    let proxy = format!("http://127.0.0.1:{port}");
    let names = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
    let mut variables: Vec<String> = names.iter().map(|name| format!("{name}={proxy}")).collect();
    variables.push(format!("SSL_CERT_FILE={CERTIFICATES}"));
    variables
}
