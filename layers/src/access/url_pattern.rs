//! Patterns of web addresses in `grants.http` and in the operator's policy.
//!
//! `*` alone allows every http and https address. Otherwise a pattern is
//! `scheme://host[:port][/path]`:
//!
//! | part | means |
//! |---|---|
//! | scheme | `http`, `https`, or `*` for both |
//! | host | a name or an address as it stands; `*` is any host; a leading `*.` is one or more labels, so `*.example.com` allows `a.example.com` and `a.b.example.com` but not `example.com`; elsewhere `*` is any run of characters without a dot |
//! | port | left out: the scheme's own (80 or 443); `*` is any port; otherwise exactly this one |
//! | path | left out, the whole origin; otherwise it must match to its end, and `*` is any run of characters, `/` included |
//!
//! Only the path is matched, never the query or the fragment: a pattern with `?` or `#` is
//! refused. What is matched is the parsed address: lower-case host in its ASCII form, `.` and
//! `..` resolved, so no spelling of an address escapes a pattern. Addresses with a user or a
//! password in them never match.

use super::wildcard;
use reqwest::Url;
use std::fmt;
use std::str::FromStr;

/// One pattern; see the module's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Parts { scheme: Scheme, host: Host, port: Port, path: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Both,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// `*.` and then these labels.
    Below(String),
    /// Label by label, each with its stars.
    Labels(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    OfScheme,
    Any,
    This(u16),
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a URL pattern: {reason}")]
pub struct PatternError {
    /// As written.
    pub pattern: String,
    /// What is wrong with it, and what to write instead.
    pub reason: String,
}

impl FromStr for UrlPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let kind = parse(text.trim())
            .map_err(|reason| PatternError { pattern: text.to_owned(), reason })?;
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl UrlPattern {
    /// Whether the pattern allows this address.
    pub fn matches(&self, url: &Url) -> bool {
        if !matches!(url.scheme(), "http" | "https")
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return false;
        }
        match &self.kind {
            Kind::Any => true,
            Kind::Parts { scheme, host, port, path } => {
                scheme.matches(url.scheme())
                    && port.matches(url)
                    && url.host_str().is_some_and(|name| host.matches(name))
                    && path.as_ref().is_none_or(|path| wildcard::matches(path, url.path()))
            }
        }
    }
}

impl UrlPattern {
    /// Whether the pattern allows everything at the host and port of this address, so that no
    /// path has to be looked at.
    pub(crate) fn opens(&self, url: &Url) -> bool {
        let whole = match &self.kind {
            Kind::Any => true,
            Kind::Parts { path, .. } => path.as_ref().is_none_or(|path| {
                path.strip_prefix('/')
                    .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|one| one == '*'))
            }),
        };
        whole && self.matches(url)
    }

    /// Whether the pattern allows something at the host and port of this address.
    pub(crate) fn concerns(&self, url: &Url) -> bool {
        match &self.kind {
            Kind::Any => true,
            Kind::Parts { scheme, host, port, .. } => {
                scheme.matches(url.scheme())
                    && port.matches(url)
                    && url.host_str().is_some_and(|name| host.matches(name))
            }
        }
    }
}

impl Scheme {
    fn matches(self, scheme: &str) -> bool {
        match self {
            Self::Http => scheme == "http",
            Self::Https => scheme == "https",
            Self::Both => true,
        }
    }
}

impl Port {
    fn matches(self, url: &Url) -> bool {
        match self {
            // The parser drops a port that is the scheme's own.
            Self::OfScheme => url.port().is_none(),
            Self::Any => true,
            Self::This(port) => url.port_or_known_default() == Some(port),
        }
    }
}

impl Host {
    fn matches(&self, name: &str) -> bool {
        // `example.com.` is the same host, and resolves to the same place.
        let name = name.strip_suffix('.').unwrap_or(name);
        match self {
            Self::Any => true,
            Self::Below(parent) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            Self::Labels(pattern) => {
                let (mut wanted, mut found) = (pattern.split('.'), name.split('.'));
                loop {
                    match (wanted.next(), found.next()) {
                        (None, None) => return true,
                        (Some(want), Some(label)) if wildcard::matches(want, label) => {}
                        (Some(_) | None, Some(_) | None) => return false,
                    }
                }
            }
        }
    }
}

fn parse(text: &str) -> Result<Kind, String> {
    if text == "*" {
        return Ok(Kind::Any);
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("it has no scheme; write `https://host/*`, or `*` for every address")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "*" => Scheme::Both,
        _ => return Err("the scheme must be `http`, `https` or `*`".to_owned()),
    };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => (&rest[..at], Some(&rest[at..])),
        None => (rest, None),
    };
    if path.is_some_and(|path| path.contains(['?', '#'])) {
        return Err("only the path is matched; leave `?` and `#` out".to_owned());
    }
    if authority.contains('@') {
        return Err("a user name has no place in it; put it in the step's `auth`".to_owned());
    }
    let (host, port) = split_port(authority)?;
    Ok(Kind::Parts { scheme, host: parse_host(host)?, port, path: path.map(normal_path) })
}

fn split_port(authority: &str) -> Result<(&str, Port), String> {
    // The colons of a bracketed IPv6 address are not the port's.
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = authority[after_brackets..].rfind(':') else {
        return Ok((authority, Port::OfScheme));
    };
    let (host, port) = authority.split_at(after_brackets + colon);
    match &port[1..] {
        "*" => Ok((host, Port::Any)),
        digits => digits
            .parse()
            .map(|port| (host, Port::This(port)))
            .map_err(|_| format!("`{digits}` is not a port; write 1 to 65535, or `*`")),
    }
}

fn parse_host(host: &str) -> Result<Host, String> {
    if host.is_empty() {
        return Err("it has no host; write `*` for any".to_owned());
    }
    if host == "*" {
        return Ok(Host::Any);
    }
    if let Some(parent) = host.strip_prefix("*.")
        && !parent.contains('*')
    {
        return Ok(Host::Below(ascii_host(parent)?));
    }
    if host.contains('*') {
        let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*'));
        if host.contains(bad) || host.split('.').any(str::is_empty) {
            return Err(format!("`{host}` is not a host name"));
        }
        return Ok(Host::Labels(host.to_ascii_lowercase()));
    }
    Ok(Host::Labels(ascii_host(host)?))
}

/// The host as the address parser would write it.
fn ascii_host(host: &str) -> Result<String, String> {
    let url = Url::parse(&format!("http://{host}/"))
        .map_err(|error| format!("`{host}` is not a host name ({error})"))?;
    match url.host_str() {
        Some(name) if url.path() == "/" => Ok(name.trim_end_matches('.').to_owned()),
        Some(_) | None => Err(format!("`{host}` is not a host name")),
    }
}

/// Escapes the characters that the parser escapes in an address's path, so that both look alike.
fn normal_path(path: &str) -> String {
    use std::fmt::Write;
    let mut normal = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '`' | '{' | '}' | '^') {
            normal.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(normal, "%{byte:02X}").expect("a String takes all text");
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, url: &str, expected: bool) {
        let parsed: UrlPattern = pattern.parse().unwrap();
        let url = Url::parse(url).unwrap();
        assert_eq!(parsed.matches(&url), expected, "`{pattern}` on `{url}`");
    }

    #[test]
    fn each_part_is_matched_by_its_own_rule() {
        check("*", "http://10.0.0.1:8080/x?y", true);
        check("*", "ftp://example.com/", false);
        check("https://api.example.com/*", "https://api.example.com/v1/x?q=1", true);
        check("https://api.example.com/*", "http://api.example.com/v1", false);
        check("https://api.example.com/*", "https://api.example.com:8443/v1", false);
        check("https://api.example.com", "https://api.example.com/v1/x", true);
        check("https://api.example.com/", "https://api.example.com/v1", false);
        check("https://api.example.com/v1/*", "https://api.example.com/v2/x", false);
        check("https://api.example.com:*/*", "https://api.example.com:8443/v1", true);
        check("http://localhost:8080/*", "http://localhost:8080/", true);
        check("https://x.org:443/*", "https://x.org/", true);
        check("*://x.org/*", "http://x.org/", true);
        check("*://x.org/*", "http://x.org:443/", false);
        check("https://*/*", "https://any.example/", true);
    }

    #[test]
    fn a_leading_star_is_any_sub_domain_but_not_the_domain_itself() {
        check("https://*.example.com/*", "https://a.example.com/", true);
        check("https://*.example.com/*", "https://a.b.example.com/", true);
        check("https://*.example.com/*", "https://example.com/", false);
        check("https://*.example.com/*", "https://evilexample.com/", false);
        check("https://*.example.com/*", "https://.example.com/", false);
        check("https://api-*.example.com/*", "https://api-eu.example.com/", true);
        check("https://api-*.example.com/*", "https://api-eu.evil.example.com/", false);
    }

    #[test]
    fn no_spelling_of_an_address_escapes() {
        let pattern = "https://api.example.com/public/*";
        check(pattern, "https://api.example.com@evil.com/public/x", false);
        check(pattern, "https://api.example.com:pw@api.example.com/public/x", false);
        check(pattern, "https://evil.com/https://api.example.com/public/x", false);
        check(pattern, "https://api.example.com/public/../private", false);
        check(pattern, "https://api.example.com/public/%2e%2e/private", false);
        check(pattern, "https://api.example.com\\.evil.com/public/", false);
        check(pattern, "https://API.EXAMPLE.COM/public/x", true);
        check(pattern, "https://api.example.com./public/x", true);
        check("http://127.0.0.1/*", "http://2130706433/", true);
        check("http://127.0.0.1/*", "http://0x7f.1/", true);
        check("http://[::1]:80/*", "http://[0:0:0:0:0:0:0:1]/", true);
        check("https://bücher.example/*", "https://xn--bcher-kva.example/x", true);
    }

    #[test]
    fn what_is_not_a_pattern_is_refused_with_a_reason() {
        for (pattern, part) in [
            ("api.example.com/*", "no scheme"),
            ("ftp://x/*", "scheme must be"),
            ("https:///x", "no host"),
            ("https://x:99999/", "not a port"),
            ("https://u:p@x/", "user name"),
            ("https://x/a?b=*", "only the path"),
            ("https://a b/*", "not a host"),
            ("https://a*..b/*", "not a host"),
            ("", "no scheme"),
        ] {
            let error = pattern.parse::<UrlPattern>().unwrap_err();
            assert!(error.reason.contains(part), "`{pattern}`: {error}");
        }
    }
}
