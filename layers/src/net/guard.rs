//! Which network addresses a step may never reach, whatever its grants say.
//!
//! Always refused: unspecified, link-local and cloud metadata, multicast and broadcast, reserved,
//! and the runner's own addresses. Loopback and private ranges follow the policy. An IPv4 address
//! inside an IPv6 one (mapped, compatible, NAT64, 6to4) is judged as the IPv4 address it leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

/// Judges addresses; asked after each name resolution and for each literal address.
#[derive(Debug)]
pub(crate) struct Guard {
    private_networks: bool,
    own: RwLock<Vec<SocketAddr>>,
}

/// An address that may not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {address} is {}", why.about())]
pub(crate) struct Refused {
    /// As resolved.
    pub(crate) address: IpAddr,
    /// The rule that refuses it.
    pub(crate) why: Why,
}

/// Rules of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Unspecified,
    LinkLocal,
    Metadata,
    Multicast,
    Reserved,
    Private,
    Own,
}

impl Why {
    fn about(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified, it names no host",
            Self::LinkLocal => "link-local",
            Self::Metadata => "a cloud's metadata service",
            Self::Multicast => "multicast or broadcast",
            Self::Reserved => "in a reserved range",
            Self::Private => "in a private or loopback range",
            Self::Own => "this runner's own",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Private => {
                "the operator can allow private ranges with `private_networks: true` under `policy`"
            }
            Self::Own => "use the intent's own steps instead of calling the runner from a step",
            Self::Unspecified
            | Self::LinkLocal
            | Self::Metadata
            | Self::Multicast
            | Self::Reserved => "such addresses are always refused; name the host that is meant",
        }
    }
}

impl Guard {
    /// A guard that knows the runner's own addresses so far.
    pub(crate) fn new(private_networks: bool, own: Vec<SocketAddr>) -> Self {
        Self { private_networks, own: RwLock::new(own) }
    }

    /// Replaces the runner's own addresses.
    pub(crate) fn set_own(&self, own: Vec<SocketAddr>) {
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = own;
    }

    /// Whether the runner itself listens on this port, on whichever address.
    pub(crate) fn is_own_port(&self, port: u16) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.iter().any(|address| address.port() == port)
    }

    /// Judges an address. `own_port` says that the request goes to a port of the runner.
    pub(crate) fn check(&self, address: IpAddr, own_port: bool) -> Result<(), Refused> {
        let refused = |why| Err(Refused { address, why });
        let ip = unwrapped(address);
        if let Some(why) = always(ip) {
            return refused(why);
        }
        if own_port && self.is_own_host(ip) {
            return refused(Why::Own);
        }
        if !self.private_networks && is_private(ip) {
            return refused(Why::Private);
        }
        Ok(())
    }

    fn is_own_host(&self, ip: IpAddr) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.iter().any(|address| {
            let listens = unwrapped(address.ip());
            // A wildcard listens on each of the host's addresses, and only those can be bound.
            listens == ip
                || (listens.is_unspecified() && UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok())
                // All of 127.0.0.0/8 leads to this host.
                || (listens.is_loopback() && ip.is_loopback())
        })
    }
}

/// The IPv4 address that an IPv6 address leads to, if it does.
fn unwrapped(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if v6.is_loopback() || v6.is_unspecified() {
        return ip;
    }
    let segments = v6.segments();
    let v4 = |high: u16, low: u16| {
        IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
    };
    match segments {
        // Mapped, compatible, and translated; NAT64's well-known and local prefixes.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, .., high, low]
        // 6to4.
        | [0x2002, high, low, ..] => v4(high, low),
        _ => ip,
    }
}

fn always(ip: IpAddr) -> Option<Why> {
    const METADATA_V4: [Ipv4Addr; 2] =
        [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    const METADATA_V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    match ip {
        IpAddr::V4(v4) => match v4.octets() {
            _ if METADATA_V4.contains(&v4) => Some(Why::Metadata),
            [0, ..] => Some(Why::Unspecified),
            [169, 254, ..] => Some(Why::LinkLocal),
            [224..=239, ..] | [255, 255, 255, 255] => Some(Why::Multicast),
            [240..=255, ..] => Some(Why::Reserved),
            _ => None,
        },
        IpAddr::V6(v6) => match v6.segments() {
            _ if METADATA_V6.contains(&v6) => Some(Why::Metadata),
            _ if v6.is_unspecified() => Some(Why::Unspecified),
            [0xfe80..=0xfebf, ..] => Some(Why::LinkLocal),
            [0xff00..=0xffff, ..] => Some(Why::Multicast),
            _ => None,
        },
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => match v4.octets() {
            // Carrier-grade NAT, protocol assignments, benchmarking.
            [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] => true,
            _ => v4.is_loopback() || v4.is_private(),
        },
        IpAddr::V6(v6) => {
            // Unique local, and the site-local range that it replaced.
            v6.is_loopback() || matches!(v6.segments(), [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(guard: &Guard, ip: &str) -> Option<Why> {
        guard.check(ip.parse().unwrap(), false).err().map(|refused| refused.why)
    }

    #[test]
    fn link_local_metadata_and_the_like_are_refused_even_when_private_ranges_are_not() {
        let open = Guard::new(true, Vec::new());
        for (ip, expected) in [
            ("169.254.169.254", Some(Why::LinkLocal)),
            ("169.254.0.1", Some(Why::LinkLocal)),
            ("fe80::1", Some(Why::LinkLocal)),
            ("febf::1", Some(Why::LinkLocal)),
            ("fd00:ec2::254", Some(Why::Metadata)),
            ("100.100.100.200", Some(Why::Metadata)),
            ("0.0.0.0", Some(Why::Unspecified)),
            ("0.1.2.3", Some(Why::Unspecified)),
            ("::", Some(Why::Unspecified)),
            ("224.0.0.1", Some(Why::Multicast)),
            ("255.255.255.255", Some(Why::Multicast)),
            ("ff02::1", Some(Why::Multicast)),
            ("250.0.0.1", Some(Why::Reserved)),
            ("::ffff:169.254.169.254", Some(Why::LinkLocal)),
            ("::ffff:0.0.0.0", Some(Why::Unspecified)),
            ("::169.254.169.254", Some(Why::LinkLocal)),
            ("64:ff9b::a9fe:a9fe", Some(Why::LinkLocal)),
            ("2002:a9fe:a9fe::1", Some(Why::LinkLocal)),
            ("127.0.0.1", None),
            ("::1", None),
            ("10.1.2.3", None),
            ("93.184.216.34", None),
            ("2606:2800:220:1::1", None),
        ] {
            assert_eq!(why(&open, ip), expected, "{ip}");
        }
    }

    #[test]
    fn private_ranges_follow_the_policy() {
        let closed = Guard::new(false, Vec::new());
        for ip in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            assert_eq!(why(&closed, ip), Some(Why::Private), "{ip}");
        }
        for ip in ["172.32.0.1", "100.128.0.1", "11.0.0.1", "8.8.8.8", "2001:4860::8888"] {
            assert_eq!(why(&closed, ip), None, "{ip}");
        }
    }

    #[test]
    fn the_runners_own_address_is_refused_on_its_own_port_only() {
        let guard = Guard::new(true, vec!["127.0.0.1:8888".parse().unwrap()]);
        assert!(guard.is_own_port(8888) && !guard.is_own_port(80));
        for ip in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(guard.check(ip, true).unwrap_err().why, Why::Own, "{ip}");
            assert!(guard.check(ip, false).is_ok(), "{ip}");
        }
        guard.set_own(vec!["0.0.0.0:9999".parse().unwrap()]);
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(guard.check(local, true).unwrap_err().why, Why::Own);
        assert!(guard.check("93.184.216.34".parse().unwrap(), true).is_ok());
        assert!(guard.is_own_port(9999) && !guard.is_own_port(8888));
    }
}
