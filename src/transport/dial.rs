//! Connecting to a server, and waiting for one that is not up yet.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};

use super::address::resolve;
use super::{Address, Family, Stream};
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
    /// Limits each attempt, name resolution included.
    pub(crate) timeout: Duration,
    /// How long to keep trying.
    pub(crate) retry: Duration,
    /// Whether each attempt that failed, and will be repeated, is reported on standard error.
    pub(crate) verbose: bool,
}

/// Why no connection was made.
#[derive(Debug)]
pub(crate) struct DialError {
    address: Address,
    cause: String,
    /// How long attempts were repeated.
    gave_up_after: Option<Duration>,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not connect to {}: {}", self.address, self.cause)?;
        match self.gave_up_after {
            Some(time) => write!(f, " (gave up after {time:?})"),
            None => Ok(()),
        }
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
            let error = DialError { address: self.address.clone(), cause, gave_up_after: None };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let gave_up_after = Some(self.retry).filter(|retry| !retry.is_zero());
                return Err(DialError { gave_up_after, ..error });
            }
            if self.verbose {
                messages::report(format_args!("{error}; trying again"));
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

    async fn attempt(&self, limit: Duration) -> Result<Stream, String> {
        let attempt = async {
            match &self.address {
                Address::Unix(path) => {
                    UnixStream::connect(path).await.map(Stream::from).map_err(|error| reason(&error))
                }
                Address::Tcp { host, port } => {
                    let addresses =
                        resolve(host, *port, self.family).await.map_err(|error| reason(&error))?;
                    connect_to_any(&addresses, limit).await.map(Stream::from)
                }
            }
        };
        timeout(limit, attempt).await.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
    }
}

/// Tries each address, with an equal share of the time that is left.
async fn connect_to_any(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, String> {
    let deadline = Instant::now() + limit;
    let mut failures = Vec::new();
    for (index, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        let failure = match timeout(share, connect_to_another(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => reason(&error),
            Err(_) => "no answer".to_owned(),
        };
        failures.push(if addresses.len() == 1 { failure } else { format!("{address}: {failure}") });
    }
    Err(failures.join("; "))
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
