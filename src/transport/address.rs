//! Addresses as they are written on the command line, and what they resolve to.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use super::services;
use crate::blocking;
use crate::messages::reason;

const DEFAULT_PORT: u16 = 5605;

/// Which addresses of a host are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Family {
    #[default]
    Any,
    V4,
    V6,
}

/// Where a server listens or is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp {
        /// A name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// Port 0 lets the system choose one.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Why words are not an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressError {
    Empty,
    TooManyWords(String),
    /// Something else with slashes, such as a URL.
    NotHostAndPort(String),
    /// A host with colons or brackets that is not an IPv6 address.
    NotIpv6(String),
    /// A relative path, which would be taken for a host.
    NotPath(String),
    NoPort(String),
    BadPort(String),
    /// A word that has a port already, and another port.
    SecondPort(String, String),
    NoPath,
    /// A Unix socket, and a port.
    PortOfPath(String, String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the address is empty"),
            Self::TooManyWords(text) => write!(f, "invalid address '{text}': expected HOST PORT"),
            Self::NotHostAndPort(word) => {
                write!(f, "invalid address '{word}': expected HOST:PORT or tcp://HOST:PORT")
            }
            Self::NotIpv6(word) => write!(f, "invalid address '{word}' (IPv6 with a port: [::1]:5605)"),
            Self::NotPath(word) => write!(f, "invalid address '{word}' (for a Unix socket, use ./{word})"),
            Self::NoPort(word) => write!(f, "missing port after ':' in '{word}'"),
            Self::BadPort(word) => {
                write!(f, "invalid port '{word}' (expected a service name or 0-65535)")
            }
            Self::SecondPort(word, port) => write!(f, "unexpected port '{port}': '{word}' already has one"),
            Self::NoPath => f.write_str("missing path after 'unix:'"),
            Self::PortOfPath(word, port) => write!(f, "unexpected port '{port}': '{word}' is a Unix socket"),
        }
    }
}

impl std::error::Error for AddressError {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// The default address, if nothing else is configured: the loopback interface, port 5605.
    #[must_use]
    pub(crate) fn built_in(family: Family) -> Self {
        let host = if family == Family::V6 { "::1" } else { "127.0.0.1" };
        Self::Tcp { host: host.to_owned(), port: DEFAULT_PORT }
    }

    /// Whether this is the built-in address of a family.
    pub(super) fn is_built_in(&self) -> bool {
        [Family::V4, Family::V6].map(Self::built_in).contains(self)
    }

    /// Parses an address as one text: one word, or a host, spaces and a port. Everything in the path of a Unix
    /// socket belongs to it, spaces included.
    pub(crate) fn from_text(text: &str, default: &Self, family: Family) -> Result<Self, AddressError> {
        if is_unix(text) {
            return Self::from_word(text, default, family);
        }
        let mut words = text.split_whitespace();
        let (host, port) = (words.next(), words.next());
        if words.next().is_some() {
            return Err(AddressError::TooManyWords(text.to_owned()));
        }
        host.map_or(Err(AddressError::Empty), |host| Self::from_words(Some(host), port, default, family))
    }

    /// Parses an address of one word or two. Missing parts are those of `default`, or of the
    /// [built-in](Self::built_in) address if that is a Unix socket.
    pub(crate) fn from_words(
        host: Option<&str>,
        port: Option<&str>,
        default: &Self,
        family: Family,
    ) -> Result<Self, AddressError> {
        let Some(word) = host else {
            return Ok(default.clone());
        };
        match port {
            Some(port) => Self::from_host_and_port(word, port),
            None => Self::from_word(word, default, family),
        }
    }

    fn from_host_and_port(word: &str, port: &str) -> Result<Self, AddressError> {
        if is_unix(word) {
            return Err(AddressError::PortOfPath(word.to_owned(), port.to_owned()));
        }
        let host = without_scheme(word)?;
        match split_port(host) {
            Some((_, "")) => Err(AddressError::NoPort(word.to_owned())),
            Some(_) => Err(AddressError::SecondPort(word.to_owned(), port.to_owned())),
            None => Ok(Self::Tcp { host: parse_host(host)?, port: parse_port(port)? }),
        }
    }

    fn from_word(word: &str, default: &Self, family: Family) -> Result<Self, AddressError> {
        if is_unix(word) {
            return match word.strip_prefix("unix:") {
                Some("") => Err(AddressError::NoPath),
                path => Ok(Self::Unix(path.unwrap_or(word).into())),
            };
        }
        let rest = without_scheme(word)?;
        let (default_host, default_port) = default.host_and_port(family);
        let (host, port) = if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
            (default_host, parse_port(rest)?)
        } else {
            match split_port(rest) {
                Some((_, "")) => return Err(AddressError::NoPort(word.to_owned())),
                Some(("", port)) => (default_host, parse_port(port)?),
                Some((host, port)) => (parse_host(host)?, parse_port(port)?),
                None => (parse_host(rest)?, default_port),
            }
        };
        Ok(Self::Tcp { host, port })
    }

    /// The host and the port that replace missing ones.
    fn host_and_port(&self, family: Family) -> (String, u16) {
        match self {
            Self::Tcp { host, port } => (host.clone(), *port),
            Self::Unix(_) => Self::built_in(family).host_and_port(family),
        }
    }

    /// What was likely meant, if this address cannot be reached: `::1:25` is an IPv6 address of its own.
    pub(super) fn hint(&self) -> Option<String> {
        let Self::Tcp { host, port: DEFAULT_PORT } = self else {
            return None;
        };
        let (head, port) = host.rsplit_once(':')?;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        (is_port && head.parse::<Ipv6Addr>().is_ok())
            .then(|| format!("for port {port} on {head}, use [{head}]:{port}"))
    }
}

/// An error of connecting or binding as the middle of a sentence. The standard library describes a path that does
/// not fit into a socket's address in terms of C.
pub(super) fn socket_reason(error: &io::Error) -> String {
    match error.to_string() {
        text if text.contains("SUN_LEN") => "socket path too long".to_owned(),
        _ => reason(error),
    }
}

/// All addresses of a host that are of the family, each once, in the resolver's order.
pub(super) async fn resolve(host: &str, port: u16, family: Family) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in lookup(host, port).await? {
        let fits = match family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        if fits && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let family = match family {
            Family::Any => "",
            Family::V4 => "IPv4 ",
            Family::V6 => "IPv6 ",
        };
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no {family}address")));
    }
    Ok(addresses)
}

/// Asks the system's resolver, in a thread: it may take long. A number needs neither.
async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let host = host.to_owned();
    blocking::run(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await?
}

/// Whether a word is the path of a Unix socket. A host never starts like a path.
fn is_unix(word: &str) -> bool {
    ["unix:", "/", "./", "../"].iter().any(|start| word.starts_with(start))
}

fn without_scheme(word: &str) -> Result<&str, AddressError> {
    let rest = word.strip_prefix("tcp://");
    if rest == Some("") || rest.unwrap_or(word).contains('/') {
        let is_path = rest.is_none() && !word.contains(':');
        let error = if is_path { AddressError::NotPath } else { AddressError::NotHostAndPort };
        return Err(error(word.to_owned()));
    }
    Ok(rest.unwrap_or(word))
}

/// Splits a port from its host, if there is one. Several colons and no bracket before the last: all of it is an
/// IPv6 address.
fn split_port(word: &str) -> Option<(&str, &str)> {
    word.rsplit_once(':').filter(|(head, _)| !head.contains(':') || head.ends_with(']'))
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if is_number { text.parse().ok() } else { services::port(text) };
    port.ok_or_else(|| AddressError::BadPort(text.to_owned()))
}

/// A name, an IPv4 address, or an IPv6 address with or without brackets and a zone (`fe80::1%eth0`, RFC 4007).
fn parse_host(word: &str) -> Result<String, AddressError> {
    if !word.contains([':', '[', ']']) {
        return if word.is_empty() { Err(AddressError::Empty) } else { Ok(word.to_owned()) };
    }
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let (number, _zone) = bare.split_once('%').unwrap_or((bare, ""));
    match number.parse::<Ipv6Addr>() {
        Ok(_) => Ok(bare.to_owned()),
        Err(_) => Err(AddressError::NotIpv6(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(words: &[&str]) -> Result<String, AddressError> {
        let default = Address::built_in(Family::Any);
        let words = Address::from_words(words.first().copied(), words.get(1).copied(), &default, Family::Any);
        words.map(|address| address.to_string())
    }

    #[test]
    fn reads_every_form() {
        for (words, expected) in [
            (&[][..], "127.0.0.1:5605"),
            (&["localhost"], "localhost:5605"),
            (&["7000"], "127.0.0.1:7000"),
            (&["0"], "127.0.0.1:0"),
            (&["example.org", "25"], "example.org:25"),
            (&["example.org:25"], "example.org:25"),
            (&[":25"], "127.0.0.1:25"),
            (&["::1"], "[::1]:5605"),
            (&["::"], "[::]:5605"),
            (&["::1", "25"], "[::1]:25"),
            (&["[::1]"], "[::1]:5605"),
            (&["[::1]", "25"], "[::1]:25"),
            (&["[::1]:25"], "[::1]:25"),
            (&["fe80::1%eth0"], "[fe80::1%eth0]:5605"),
            (&["unix:/tmp/a b:1"], "unix:/tmp/a b:1"),
            (&["/tmp/a b:1"], "unix:/tmp/a b:1"),
            (&["./a"], "unix:./a"),
            (&["../a"], "unix:../a"),
            (&["tcp://example.org:25"], "example.org:25"),
            (&["tcp://[::1]:25"], "[::1]:25"),
            (&["tcp://::1"], "[::1]:5605"),
            (&["tcp://example.org", "25"], "example.org:25"),
            (&["example.org", "smtp"], "example.org:25"),
            (&["example.org:smtp"], "example.org:25"),
            (&["tcp://example.org:smtp"], "example.org:25"),
            (&["[::1]:smtp"], "[::1]:25"),
            (&[":smtp"], "127.0.0.1:25"),
            (&["smtp"], "smtp:5605"),
            (&["::1:25"], "[::1:25]:5605"),
        ] {
            assert_eq!(address(words).as_deref(), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (words, expected) in [
            (&[""][..], "the address is empty"),
            (&["", "25"], "the address is empty"),
            (&["host:"], "missing port after ':' in 'host:'"),
            (&["host:", "25"], "missing port after ':' in 'host:'"),
            (&[":"], "missing port after ':' in ':'"),
            (&["65536"], "invalid port '65536' (expected a service name or 0-65535)"),
            (&["host:+1"], "invalid port '+1' (expected a service name or 0-65535)"),
            (
                &["host", "no-such-service"],
                "invalid port 'no-such-service' (expected a service name or 0-65535)",
            ),
            (&["host", ""], "invalid port '' (expected a service name or 0-65535)"),
            (&["foo:bar:baz"], "invalid address 'foo:bar:baz' (IPv6 with a port: [::1]:5605)"),
            (&["[host]:1"], "invalid address '[host]' (IPv6 with a port: [::1]:5605)"),
            (&["[::1"], "invalid address '[::1' (IPv6 with a port: [::1]:5605)"),
            (&["[::1]25"], "invalid address '[::1]25' (IPv6 with a port: [::1]:5605)"),
            (&["unix:"], "missing path after 'unix:'"),
            (&["host:1", "2"], "unexpected port '2': 'host:1' already has one"),
            (&["[::1]:1", "2"], "unexpected port '2': '[::1]:1' already has one"),
            (&["tcp://host:1", "2"], "unexpected port '2': 'tcp://host:1' already has one"),
            (&["unix:/a", "2"], "unexpected port '2': 'unix:/a' is a Unix socket"),
            (&["./a", "2"], "unexpected port '2': './a' is a Unix socket"),
            (&["run/socket"], "invalid address 'run/socket' (for a Unix socket, use ./run/socket)"),
            (&["http://h/"], "invalid address 'http://h/': expected HOST:PORT or tcp://HOST:PORT"),
            (&["http://h", "80"], "invalid address 'http://h': expected HOST:PORT or tcp://HOST:PORT"),
            (&["h:80/"], "invalid address 'h:80/': expected HOST:PORT or tcp://HOST:PORT"),
            (&["tcp://"], "invalid address 'tcp://': expected HOST:PORT or tcp://HOST:PORT"),
            (&["tcp://h:1/"], "invalid address 'tcp://h:1/': expected HOST:PORT or tcp://HOST:PORT"),
            (&["tcp://h:"], "missing port after ':' in 'tcp://h:'"),
        ] {
            let error = address(words).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected.to_owned()), "{words:?}");
        }
    }

    #[test]
    fn guesses_what_was_meant() {
        let hint = |words: &[&str]| {
            let default = Address::built_in(Family::Any);
            Address::from_words(words.first().copied(), words.get(1).copied(), &default, Family::Any)
                .unwrap()
                .hint()
        };
        assert_eq!(hint(&["::1:25"]).as_deref(), Some("for port 25 on ::1, use [::1]:25"));
        for words in [&["::1"][..], &["::1:25", "80"], &["[::1:ff]"], &["::ffff:192.0.2.1"], &["localhost"]] {
            assert_eq!(hint(words), None, "{words:?}");
        }
    }

    #[test]
    fn missing_parts_are_those_of_the_default() {
        let default = Address::built_in(Family::Any);
        let default = Address::from_text("example.org 99", &default, Family::Any).unwrap();
        let with = |word| Address::from_words(Some(word), None, &default, Family::Any).unwrap().to_string();
        assert_eq!(with("7000"), "example.org:7000");
        assert_eq!(with("localhost"), "localhost:99");
        let unix = Address::Unix("/run/x".into());
        assert_eq!(Address::from_words(None, None, &unix, Family::Any).unwrap(), unix);
        assert_eq!(Address::from_words(Some("7"), None, &unix, Family::V6).unwrap().to_string(), "[::1]:7");
        assert_eq!(
            Address::from_words(Some("7"), None, &unix, Family::Any).unwrap().to_string(),
            "127.0.0.1:7"
        );
        assert_eq!(
            Address::from_text("a b c", &default, Family::Any),
            Err(AddressError::TooManyWords("a b c".into()))
        );
        assert_eq!(Address::from_text(" ", &default, Family::Any), Err(AddressError::Empty));
        assert_eq!(
            Address::from_text("unix:/run/a b c", &default, Family::Any),
            Ok(Address::Unix("/run/a b c".into()))
        );
        assert_eq!(
            Address::from_text("/run/a b c", &default, Family::Any),
            Ok(Address::Unix("/run/a b c".into()))
        );
    }
}
