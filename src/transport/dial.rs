//! Connecting to a server, and waiting for one that is not up yet.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::address::{resolve, socket_reason};
use super::vanished::probe_silence;
use super::{Address, Family, Stream, Tls, TlsError};
use crate::messages::{self, reason};

/// The pause between two attempts grows from the first value to the second.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// How many connections to itself are made before the port counts as refused.
const SELF_CONNECTION_ATTEMPTS: usize = 5;

/// Server address and dialing settings.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    pub(crate) address: Address,
    /// Which of a host's addresses are tried.
    pub(crate) family: Family,
    /// Limits each attempt, name resolution and a handshake included.
    pub(crate) timeout: Duration,
    /// How long to keep trying.
    pub(crate) retry: Duration,
    /// TLS from the start, if any.
    pub(crate) tls: Option<Tls>,
    /// Whether each attempt that failed, and will be repeated, is reported on standard error.
    pub(crate) verbose: bool,
}

/// Why no connection was made.
#[derive(Debug)]
pub(crate) struct DialError {
    address: Address,
    cause: Cause,
    /// How long attempts were repeated.
    gave_up_after: Option<Duration>,
}

/// Why an attempt failed.
#[derive(Debug)]
struct Cause {
    text: String,
    /// Whether the only address refused the connection.
    is_refusal: bool,
    /// Whether other attempts would fail too.
    is_final: bool,
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self {
            text: socket_reason(&error),
            is_refusal: error.kind() == io::ErrorKind::ConnectionRefused,
            is_final: false,
        }
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self { text, is_refusal: false, is_final: false }
    }
}

impl From<TlsError> for Cause {
    fn from(error: TlsError) -> Self {
        Self { text: error.to_string(), is_refusal: false, is_final: !error.is_transient() }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not connect to {}: {}", self.address, self.cause.text)?;
        if let Some(time) = self.gave_up_after {
            write!(f, " (gave up after {time:?})")?;
        }
        if self.cause.is_refusal && self.address.is_built_in() {
            f.write_str("; is 'capchat serve' running?")?;
        }
        self.address.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for DialError {}

impl Dialer {
    /// Connects. Returns the error of the last attempt if none succeeds.
    pub(crate) async fn dial(&self) -> Result<Stream, DialError> {
        let deadline = Instant::now() + self.retry;
        let mut pause = RETRY_PAUSE.0;
        loop {
            let cause = match self.attempt(self.limit_until(deadline)).await {
                Ok(stream) => return Ok(stream),
                Err(cause) => cause,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || cause.is_final {
                let gave_up_after = Some(self.retry).filter(|retry| !retry.is_zero() && !cause.is_final);
                return Err(DialError { address: self.address.clone(), cause, gave_up_after });
            }
            if self.verbose {
                let (address, reason) = (&self.address, cause.text);
                messages::report(format_args!("could not connect to {address}: {reason}; trying again"));
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }

    /// How long the next attempt may take: the last one ends when there is no more time to retry.
    fn limit_until(&self, deadline: Instant) -> Duration {
        if self.retry.is_zero() {
            self.timeout
        } else {
            self.timeout.min(deadline.saturating_duration_since(Instant::now()))
        }
    }

    async fn attempt(&self, limit: Duration) -> Result<Stream, Cause> {
        let end = Instant::now() + limit;
        let attempt = async {
            match &self.address {
                Address::Unix(path) => Ok(UnixStream::connect(path).await?.into()),
                Address::Tcp { host, port } => {
                    let addresses = resolve(host, *port, self.family).await?;
                    connect_to_any(&addresses, limit).await.map(Stream::from)
                }
            }
        };
        let connected = timeout_at(end, attempt).await;
        let mut stream: Stream =
            connected.unwrap_or_else(|_| Err(format!("no answer within {limit:?}").into()))?;
        if let Some(tls) = &self.tls {
            let handshake = timeout_at(end, stream.start_tls(tls)).await;
            handshake.map_err(|_| format!("TLS handshake not finished within {limit:?}"))??;
        }
        Ok(stream)
    }
}

/// Tries each address, with an equal share of the time that is left.
async fn connect_to_any(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Cause> {
    let deadline = Instant::now() + limit;
    let mut failures = Vec::new();
    for (index, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        let failure = match timeout(share, connect_to_another(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if addresses.len() == 1 => return Err(error.into()),
            Ok(Err(error)) => reason(&error),
            Err(_) => "no answer".to_owned(),
        };
        failures.push(if addresses.len() == 1 { failure } else { format!("{address}: {failure}") });
    }
    Err(failures.join("; ").into())
}

/// Connects, but not to itself: if there is no server, the kernel may choose the very port that is dialed as
/// the local one, and TCP's simultaneous open (RFC 9293, section 3.5) then succeeds.
async fn connect_to_another(address: SocketAddr) -> io::Result<TcpStream> {
    for _ in 0..SELF_CONNECTION_ATTEMPTS {
        let stream = TcpStream::connect(address).await?;
        if !is_connected_to_itself(&stream) {
            // Send each line without waiting for the acknowledgment of the last one. If this fails, the
            // connection is slower, but works.
            let _ = stream.set_nodelay(true);
            // If this fails, a server that vanishes is not noticed while nothing is sent.
            let _ = probe_silence(&stream);
            return Ok(stream);
        }
    }
    Err(io::ErrorKind::ConnectionRefused.into())
}

fn is_connected_to_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpSocket;

    #[test]
    fn an_error_says_what_may_help() {
        let message = |address, error: io::ErrorKind, gave_up_after| {
            let cause = io::Error::from(error).into();
            DialError { address, cause, gave_up_after }.to_string()
        };
        let (refused, built_in) = (io::ErrorKind::ConnectionRefused, Address::built_in(Family::Any));
        assert_eq!(
            message(built_in.clone(), refused, None),
            "could not connect to 127.0.0.1:5605: connection refused; is 'capchat serve' running?"
        );
        assert_eq!(
            message(Address::built_in(Family::V6), refused, Some(Duration::from_secs(2))),
            "could not connect to [::1]:5605: connection refused (gave up after 2s); is 'capchat serve' running?"
        );
        assert_eq!(
            message(built_in, io::ErrorKind::ConnectionReset, None),
            "could not connect to 127.0.0.1:5605: connection reset"
        );
        let other = Address::Tcp { host: "127.0.0.1".into(), port: 25 };
        assert_eq!(message(other, refused, None), "could not connect to 127.0.0.1:25: connection refused");
        let joined = Address::Tcp { host: "::1:25".into(), port: 5605 };
        assert_eq!(
            message(joined, io::ErrorKind::NetworkUnreachable, None),
            "could not connect to [::1:25]:5605: network unreachable; for port 25 on ::1, use [::1]:25"
        );
    }

    #[tokio::test]
    async fn recognizes_a_connection_to_itself() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let stream = socket.connect(own).await.unwrap();
        assert!(is_connected_to_itself(&stream));
    }

    #[tokio::test]
    async fn a_real_connection_is_not_one_to_itself() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(!is_connected_to_itself(&stream));
    }
}
