//! Where and how the other side departed from a transcript.

use std::time::Duration;

use super::format::Connection;
use super::skipped::Skipped;
use super::variables::Variables;

/// The first item that did not match, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// The item, by its index; the number of items for the end of the transcript.
    pub(crate) index: usize,
    /// Where it did not match.
    pub(crate) connection: Connection,
    /// What is wrong.
    pub(crate) fault: Fault,
    /// What the skip before it has taken, if there is one.
    pub(crate) skipped: Option<Box<Skipped>>,
    /// The variables at that time. Boxed: an error is small.
    pub(crate) variables: Box<Variables>,
}

/// What is wrong. Received bytes are the first line of what the item did not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The line is not the expected one.
    Differs {
        /// The line, as far as it arrived.
        received: Vec<u8>,
    },
    /// The stream ended with EOF; a reset was expected.
    EofForReset,
    /// The line or the reset did not arrive in time.
    Missing {
        /// The part that did arrive.
        received: Vec<u8>,
        /// The time limit.
        limit: Duration,
    },
    /// EOF did not arrive in time.
    NoEof {
        /// The time limit.
        limit: Duration,
    },
    /// Bytes kept arriving where the server was to be silent.
    NotSilent {
        /// The time limit.
        limit: Duration,
    },
    /// The connection could not be opened.
    NotConnected {
        /// What was attempted, and what went wrong.
        error: String,
    },
    /// More bytes arrived than an update keeps.
    TooLong,
    /// Bytes arrived although nothing was expected.
    Unexpected {
        /// The line, as far as it arrived.
        received: Vec<u8>,
    },
    /// The stream ended before the item.
    ClosedEarly {
        /// The part of a line before that.
        received: Vec<u8>,
    },
    /// The connection was reset before the item.
    Reset {
        /// The part of a line before that.
        received: Vec<u8>,
    },
}

impl Divergence {
    /// Whether the connection could not be opened.
    #[must_use]
    pub(crate) fn is_not_connected(&self) -> bool {
        matches!(self.fault, Fault::NotConnected { .. })
    }

    /// The time limit that ran out, if that is what is wrong.
    #[must_use]
    pub(crate) fn limit(&self) -> Option<Duration> {
        match self.fault {
            Fault::Missing { limit, .. } | Fault::NoEof { limit } | Fault::NotSilent { limit } => Some(limit),
            Fault::Differs { .. }
            | Fault::EofForReset
            | Fault::NotConnected { .. }
            | Fault::TooLong
            | Fault::Unexpected { .. }
            | Fault::ClosedEarly { .. }
            | Fault::Reset { .. } => None,
        }
    }
}

impl Fault {
    /// The bytes that arrived in place of what was expected.
    #[must_use]
    pub(crate) fn received(&self) -> &[u8] {
        match self {
            Self::Differs { received }
            | Self::Missing { received, .. }
            | Self::Unexpected { received }
            | Self::ClosedEarly { received }
            | Self::Reset { received } => received,
            Self::EofForReset
            | Self::NoEof { .. }
            | Self::NotSilent { .. }
            | Self::NotConnected { .. }
            | Self::TooLong => &[],
        }
    }
}
