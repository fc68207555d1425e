//! The lines that capchat itself writes to standard output and standard error, each in one write.
//!
//! A standard error that is closed or full is not an error: no reader is left to report it to.

use std::fmt::Display;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdout};

use crate::text::printable;

/// How long a message may wait for a standard error that nobody reads, once the time for everything is up.
const LAST_MESSAGE: Duration = Duration::from_millis(500);

/// Writes a line for scripts to standard output.
///
/// Returns an error if it could not be written; that nobody reads it is not one.
pub(crate) fn announce(line: impl Display) -> io::Result<()> {
    match print(&format!("{}\n", printable(&line.to_string()))) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to standard error that is not a message of the program itself.
pub(crate) fn notice(line: impl Display) {
    let _ = write_all(stderr(), format!("{}\n", printable(&line.to_string())).as_bytes());
}

/// Writes text to standard error. It waits for a reader, if there is one.
pub(crate) fn write_to_stderr(text: &str) -> io::Result<()> {
    write_all(stderr(), text.as_bytes())
}

/// Writes `capchat: ` and a message to standard error. What is not plain in it, such as control characters in
/// an address, is escaped, so that it stays one line.
pub(crate) fn report(message: impl Display) {
    let _ = write_all(stderr(), line_of(message).as_bytes());
}

/// The same for the message that a time limit ran out: it must not wait for a reader itself.
pub(crate) fn report_timeout(message: impl Display) {
    if is_writable(stderr(), Some(LAST_MESSAGE)) {
        report(message);
    }
}

fn line_of(message: impl Display) -> String {
    format!("capchat: {}\n", printable(&message.to_string()))
}

/// Writes text to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    write_all(stdout(), text.as_bytes())
}

/// An error with its causes, in one line.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let causes = error.chain().map(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        // The text of another error may contain that of an I/O error.
        io.map_or_else(|| without_number(&cause.to_string()).to_owned(), reason)
    });
    causes.collect::<Vec<_>>().join(": ")
}

/// An I/O error as the middle of a sentence, without the number that the standard library appends.
pub(crate) fn reason(error: &io::Error) -> String {
    if error.get_ref().is_some_and(|inner| inner.to_string().starts_with(RESOLVER)) {
        return "unknown host".to_owned();
    }
    let text = error.to_string();
    let text = without_number(&text);
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_lowercase);
    // A word in capitals is a name.
    match characters.as_str().chars().next() {
        Some(second) if second.is_uppercase() => text.to_owned(),
        _ => first.chain(characters).collect(),
    }
}

fn without_number(text: &str) -> &str {
    text.split(" (os error ").next().unwrap_or_default()
}

/// How the standard library begins what getaddrinfo(3) reports.
const RESOLVER: &str = "failed to lookup address information";

/// Writes everything, even if whoever shares the descriptor has made it non-blocking.
fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Ready or interrupted, the next write tells.
            Err(Errno::AGAIN) => drop(is_writable(output, None)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits until a write would not block, or fails.
fn is_writable(output: BorrowedFd<'_>, limit: Option<Duration>) -> bool {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    poll(&mut [PollFd::new(&output, PollFlags::OUT)], limit.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Shows progress on standard error, a terminal, in place of the progress shown before.
pub(crate) fn show_progress(text: impl Display) {
    let _ = write_all(stderr(), format!("\r{text}\x1b[K").as_bytes());
}

/// Erases what [`show_progress`] has shown.
pub(crate) fn clear_progress() {
    let _ = write_all(stderr(), b"\r\x1b[K");
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
        let wrapped = anyhow::anyhow!("terminal: {}", io::Error::from_raw_os_error(5));
        assert_eq!(with_causes(&wrapped), "terminal: Input/output error");
    }
}
