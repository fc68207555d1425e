//! Exit statuses, and the failures that have one of their own.

use std::fmt;

/// How the program ends (see EXIT STATUS in the man pages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// All went well.
    Success = 0,
    /// No connection, a connection that broke, or an I/O error.
    Failure = 1,
    /// A command line that makes no sense.
    Usage = 2,
    /// Replies are missing or are not the expected ones.
    Mismatch = 3,
    /// A time limit ran out.
    TimedOut = 124,
    /// The user interrupted the program.
    Interrupted = 130,
    /// The system asked the program to end: 128 and the number of SIGTERM, as a shell shows it.
    Terminated = 143,
}

/// A failure whose status is not [`Status::Failure`].
#[derive(Debug)]
pub struct Failure {
    status: Status,
    message: String,
}

impl Failure {
    /// A failure with the line that says what went wrong.
    pub fn new(status: Status, message: impl fmt::Display) -> Self {
        Self { status, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The status that an error ends the program with.
#[must_use]
pub fn status_of(error: &anyhow::Error) -> Status {
    error.downcast_ref::<Failure>().map_or(Status::Failure, |failure| failure.status)
}
