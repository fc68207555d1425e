//! How long a client may make no progress, and how long it may stay.

use std::time::Duration;

use tokio::time::Instant;

use crate::transport::HANDSHAKE_LIMIT;

/// Time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long a client may neither send nor take anything; `None` means no limit.
    pub(super) idle: Option<Duration>,
    /// How long a client may stay connected; `None` means no limit.
    pub(super) connection: Option<Duration>,
}

/// How long the last replies may take, once the time of a connection is up, and then the client's own end.
pub(super) const LAST_REPLIES: Duration = Duration::from_secs(10);

/// How long a client may take nothing of the last replies if it has no limit of its own. The kernel gives up a TCP
/// connection after the same time.
pub(super) const LONGEST_STALL: Duration = Duration::from_mins(2);

impl Limits {
    /// How long the handshake of TLS may take, as a part of the connection's time.
    pub(super) fn handshake(&self) -> Duration {
        self.connection.map_or(HANDSHAKE_LIMIT, |limit| limit.min(HANDSHAKE_LIMIT))
    }

    /// When a connection that started then is at its limit.
    pub(super) fn connection_end(&self, started: Instant) -> Option<Instant> {
        self.connection.map(|limit| started + limit)
    }

    /// How long a client may take nothing while the connection is closed.
    pub(super) fn stall(&self) -> Duration {
        self.idle.unwrap_or(LONGEST_STALL)
    }
}
