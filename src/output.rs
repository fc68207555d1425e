//! The lines that capchat itself writes: to standard output and standard error, whole and at once.
//!
//! A standard stream that is closed or full never hurts the program: these lines have no reader left who
//! could be told.

use std::fmt::Display;
use std::io::Write;

use crate::printable::printable;

/// Writes a line that scripts read to standard output.
pub fn announce(line: impl Display) {
    write_line(std::io::stdout(), &format!("{line}\n"));
}

/// Writes a line that begins with the program's name to standard error. Control characters, which an address
/// may have brought, are escaped, so that it is one line and drives no terminal.
pub fn tell(line: impl Display) {
    write_line(std::io::stderr(), &format!("capchat: {}\n", printable(&line.to_string())));
}

fn write_line(mut stream: impl Write, line: &str) {
    let _ = stream.write_all(line.as_bytes()).and_then(|()| stream.flush());
}

/// Shows on standard error, a terminal, how far something has come, in place of what was shown before.
pub fn show_progress(text: impl Display) {
    write_line(std::io::stderr(), &format!("\r{text}\x1b[K"));
}

/// Takes away what [`show_progress`] has shown.
pub fn clear_progress() {
    write_line(std::io::stderr(), "\r\x1b[K");
}
