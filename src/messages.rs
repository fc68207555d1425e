//! The lines that capchat itself writes to standard output and standard error, each in one write.
//!
//! A standard error that is closed or full is not an error: no reader is left to report it to.

use std::fmt::Display;
use std::io::{self, Write};

use crate::text::printable;

/// Writes a line for scripts to standard output.
///
/// Returns an error if it could not be written; that nobody reads it is not one.
pub(crate) fn announce(line: impl Display) -> io::Result<()> {
    match write_line(io::stdout(), &format!("{}\n", printable(&line.to_string()))) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line for scripts to standard error.
pub(crate) fn notice(line: impl Display) {
    let _ = write_line(io::stderr(), &format!("{}\n", printable(&line.to_string())));
}

/// Writes `capchat: ` and a message to standard error. What is not plain in it, such as control characters in
/// an address, is escaped, so that it stays one line.
pub(crate) fn report(message: impl Display) {
    let _ = write_line(io::stderr(), &format!("capchat: {}\n", printable(&message.to_string())));
}

/// An error with its causes, in one line.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let causes = error.chain().map(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.map_or_else(|| cause.to_string(), reason)
    });
    causes.collect::<Vec<_>>().join(": ")
}

/// An I/O error as the middle of a sentence, without the number that the standard library appends.
pub(crate) fn reason(error: &io::Error) -> String {
    if error.get_ref().is_some_and(|inner| inner.to_string().starts_with(RESOLVER)) {
        return "unknown host".to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_lowercase);
    // A word in capitals is a name.
    match characters.as_str().chars().next() {
        Some(second) if second.is_uppercase() => text.to_owned(),
        _ => first.chain(characters).collect(),
    }
}

/// How the standard library begins what getaddrinfo(3) reports.
const RESOLVER: &str = "failed to lookup address information";

fn write_line(mut stream: impl Write, line: &str) -> io::Result<()> {
    stream.write_all(line.as_bytes())?;
    stream.flush()
}

/// Shows progress on standard error, a terminal, in place of the progress shown before.
pub(crate) fn show_progress(text: impl Display) {
    let _ = write_line(io::stderr(), &format!("\r{text}\x1b[K"));
}

/// Erases what [`show_progress`] has shown.
pub(crate) fn clear_progress() {
    let _ = write_line(io::stderr(), "\r\x1b[K");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_middle_of_a_sentence() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(reason(&refused), "connection refused");
        let not_found = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(reason(&not_found), "entity not found");
        assert_eq!(reason(&io::Error::other("IPv6 is off")), "IPv6 is off");
        let error = anyhow::Error::from(refused).context("could not connect to X");
        assert_eq!(with_causes(&error), "could not connect to X: connection refused");
    }
}
