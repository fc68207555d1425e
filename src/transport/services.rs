//! Names of ports, as services(5) has them.

use std::fs;

const FILE: &str = "/etc/services";

/// The TCP port of a service, if the system knows the name.
pub(super) fn port(name: &str) -> Option<u16> {
    find(name, &String::from_utf8_lossy(&fs::read(FILE).ok()?))
}

/// A line is a name, a port with its protocol, and aliases; `#` starts a comment.
fn find(name: &str, table: &str) -> Option<u16> {
    table.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let official = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?;
        let is_named = official == name || words.any(|alias| alias == name);
        if is_named { port.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_and_aliases_of_tcp_ports() {
        let table = "# name port/protocol aliases\n\
                     discard\t9/udp sink\n\
                     discard\t9/tcp\tsink null\n\
                     smtp 25/tcp mail # not 465/tcp ssmtp\n\
                     syslog 514/udp\n\
                     broken\n\
                     huge 65536/tcp\n";
        for (name, port) in [
            ("discard", Some(9)),
            ("null", Some(9)),
            ("smtp", Some(25)),
            ("mail", Some(25)),
            ("SMTP", None),
            ("ssmtp", None),
            ("syslog", None),
            ("broken", None),
            ("huge", None),
            ("25/tcp", None),
            ("", None),
            ("#", None),
        ] {
            assert_eq!(find(name, table), port, "{name}");
        }
    }
}
