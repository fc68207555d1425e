//! Addresses as they are written on the command line, and what they resolve to.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// The port where none is named.
const DEFAULT_PORT: u16 = 5605;

/// Which addresses of a host are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4 and IPv6.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// Where a server listens or is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host, by name or number, and a TCP port.
    Tcp {
        /// A name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// The port; 0 lets the system choose one.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// Why words are no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// A word without any characters.
    Empty,
    /// Something before a colon, and nothing after it.
    NoPort(String),
    /// A port that is not a number from 0 to 65535.
    BadPort(String),
    /// A host with colons that is no IPv6 address.
    BadHost(String),
    /// `unix:` with nothing behind it.
    NoPath,
    /// A second word behind one that names a port or a path already.
    TwoPorts(String, String),
    /// More than two words.
    TooManyWords(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the address is empty"),
            Self::NoPort(word) => write!(f, "no port behind the colon in '{word}'"),
            Self::BadPort(word) => write!(f, "'{word}' is not a port (0 to 65535)"),
            Self::BadHost(word) => {
                write!(f, "'{word}' is neither a host nor an IPv6 address (with a port: [::1]:5605)")
            }
            Self::NoPath => f.write_str("no path behind 'unix:'"),
            Self::TwoPorts(word, port) => write!(f, "'{word}' is a whole address, yet '{port}' follows it"),
            Self::TooManyWords(text) => write!(f, "'{text}' has more words than HOST PORT"),
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
    /// The address that is used where none is named: the loopback interface, port 5605.
    #[must_use]
    pub(crate) fn built_in(family: Family) -> Self {
        let host = if family == Family::V6 { "::1" } else { "127.0.0.1" };
        Self::Tcp { host: host.to_owned(), port: DEFAULT_PORT }
    }

    /// Reads an address as one text: one word, or a host, blanks and a port. All that stands behind `unix:`
    /// is the path, blanks included.
    ///
    /// # Errors
    /// Where the text is no address.
    pub(crate) fn from_text(text: &str, default: &Self, family: Family) -> Result<Self, AddressError> {
        if text.starts_with("unix:") {
            return Self::from_word(text, default, family);
        }
        let mut words = text.split_whitespace();
        let (host, port) = (words.next(), words.next());
        if words.next().is_some() {
            return Err(AddressError::TooManyWords(text.to_owned()));
        }
        host.map_or(Err(AddressError::Empty), |host| Self::from_words(Some(host), port, default, family))
    }

    /// Reads an address from one word or two; what they leave open is taken from `default`, and where that is
    /// a Unix socket from the [built-in](Self::built_in) address.
    ///
    /// # Errors
    /// Where the words are no address.
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
        let is_whole = word.starts_with("unix:")
            || matches!(word.rsplit_once(':'), Some((head, _)) if !head.contains(':') || head.ends_with(']'));
        if is_whole {
            return Err(AddressError::TwoPorts(word.to_owned(), port.to_owned()));
        }
        let host = if word.contains(':') { ipv6(word)? } else { name(word)? };
        Ok(Self::Tcp { host, port: parse_port(port)? })
    }

    fn from_word(word: &str, default: &Self, family: Family) -> Result<Self, AddressError> {
        let (default_host, default_port) = default.host_and_port(family);
        if let Some(path) = word.strip_prefix("unix:") {
            return match path {
                "" => Err(AddressError::NoPath),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (host, port) = if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            (default_host, parse_port(word)?)
        } else {
            match word.rsplit_once(':') {
                // Several colons and no bracket before the last: all of it is an IPv6 address.
                Some((head, _)) if head.contains(':') && !head.ends_with(']') => (ipv6(word)?, default_port),
                Some((_, "")) => return Err(AddressError::NoPort(word.to_owned())),
                Some(("", port)) => (default_host, parse_port(port)?),
                Some((head, port)) if head.starts_with('[') => (ipv6(head)?, parse_port(port)?),
                Some((head, port)) => (name(head)?, parse_port(port)?),
                None => (name(word)?, default_port),
            }
        };
        Ok(Self::Tcp { host, port })
    }

    /// The host and the port that a word takes over where it names only one of them.
    fn host_and_port(&self, family: Family) -> (String, u16) {
        match self {
            Self::Tcp { host, port } => (host.clone(), *port),
            Self::Unix(_) => Self::built_in(family).host_and_port(family),
        }
    }
}

/// All addresses of a host that are of the family, each once, in the resolver's order.
///
/// # Errors
/// Where the host is unknown or has no address of the family.
pub(super) async fn resolve(host: &str, port: u16, family: Family) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in tokio::net::lookup_host((host, port)).await? {
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

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let digits_alone = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits_alone).ok_or_else(|| AddressError::BadPort(text.to_owned()))
}

fn name(word: &str) -> Result<String, AddressError> {
    match word {
        "" => Err(AddressError::Empty),
        word if word.contains(['[', ']']) => Err(AddressError::BadHost(word.to_owned())),
        word => Ok(word.to_owned()),
    }
}

/// An IPv6 address with or without brackets and a zone (`fe80::1%eth0`, RFC 4007).
fn ipv6(word: &str) -> Result<String, AddressError> {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let (number, _zone) = bare.split_once('%').unwrap_or((bare, ""));
    match number.parse::<Ipv6Addr>() {
        Ok(_) => Ok(bare.to_owned()),
        Err(_) => Err(AddressError::BadHost(word.to_owned())),
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
        ] {
            assert_eq!(address(words).as_deref(), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        let bad_port = |port: &str| AddressError::BadPort(port.into());
        let bad_host = |host: &str| AddressError::BadHost(host.into());
        for (words, expected) in [
            (&[""][..], AddressError::Empty),
            (&["", "25"], AddressError::Empty),
            (&["host:"], AddressError::NoPort("host:".into())),
            (&[":"], AddressError::NoPort(":".into())),
            (&["65536"], bad_port("65536")),
            (&["host:+1"], bad_port("+1")),
            (&["host", "smtp"], bad_port("smtp")),
            (&["host", ""], bad_port("")),
            (&["1:2:3"], bad_host("1:2:3")),
            (&["[host]:1"], bad_host("[host]")),
            (&["[::1"], bad_host("[::1")),
            (&["unix:"], AddressError::NoPath),
            (&["host:1", "2"], AddressError::TwoPorts("host:1".into(), "2".into())),
            (&["[::1]:1", "2"], AddressError::TwoPorts("[::1]:1".into(), "2".into())),
            (&["unix:/a", "2"], AddressError::TwoPorts("unix:/a".into(), "2".into())),
        ] {
            assert_eq!(address(words), Err(expected), "{words:?}");
        }
    }

    #[test]
    fn a_default_gives_what_the_words_leave_open() {
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
    }
}
