//! Exit statuses, and the failures that choose one.

use std::fmt;

/// How the program ends (see EXIT STATUS in the man pages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Success.
    Success = 0,
    /// Could not connect or listen, a connection that was reset, or an I/O error.
    Failure = 1,
    /// A usage error, or an invalid transcript.
    Usage = 2,
    /// Missing replies, input that could not be sent, or a transcript mismatch.
    Mismatch = 3,
    /// A time limit ran out.
    TimedOut = 124,
    /// SIGHUP: 128 and the signal's number, as a shell reports it.
    HungUp = 129,
    /// SIGINT.
    Interrupted = 130,
    /// SIGQUIT.
    Quit = 131,
    /// SIGTERM.
    Terminated = 143,
}

impl Status {
    /// Every status, in the order of the numbers.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::Failure,
        Self::Usage,
        Self::Mismatch,
        Self::TimedOut,
        Self::HungUp,
        Self::Interrupted,
        Self::Quit,
        Self::Terminated,
    ];
}

/// A failure whose status is not [`Status::Failure`].
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    message: String,
}

impl Failure {
    /// A failure with its one-line message.
    pub(crate) fn new(status: Status, message: impl fmt::Display) -> Self {
        Self { status, message: message.to_string() }
    }

    /// A [`Status::Usage`] failure.
    pub(crate) fn usage(message: impl fmt::Display) -> anyhow::Error {
        Self::new(Status::Usage, message).into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The exit status for an error.
pub(crate) fn status_of(error: &anyhow::Error) -> Status {
    error.downcast_ref::<Failure>().map_or(Status::Failure, |failure| failure.status)
}
