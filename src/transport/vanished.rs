//! How a peer is found that vanished without a word, because its machine or the network failed.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// A silent connection is probed after this much silence, this many times, this far apart.
const SILENCE: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// How long a peer may acknowledge nothing while bytes for it are on their way. Silence is not probed then, and
/// retransmissions go on for a quarter of an hour (Linux tcp(7), `tcp_retries2`). It is as long as the probes take,
/// which it would otherwise cut short.
const UNACKNOWLEDGED: Duration = Duration::from_mins(2);

/// Probes a TCP connection that is silent, or those that a listener accepts.
pub(super) fn probe_silence<'s>(socket: impl Into<SockRef<'s>>) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(SILENCE).with_interval(INTERVAL).with_retries(PROBES);
    socket.into().set_tcp_keepalive(&probes)
}

/// Gives up the connections that a listener accepts if a peer takes nothing of what is sent for two minutes, or for
/// `patience` if that is longer: one that has vanished, but also one that is there and does not read.
pub(super) fn limit_unacknowledged<'s>(
    listener: impl Into<SockRef<'s>>,
    patience: Option<Duration>,
) -> io::Result<()> {
    // The kernel takes a number of milliseconds that fits in 31 bits.
    let limit = patience.unwrap_or_default().clamp(UNACKNOWLEDGED, Duration::from_hours(24 * 24));
    listener.into().set_tcp_user_timeout(Some(limit))
}
