//! Connecting to a server, and waiting for one that is not there yet.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};

use super::address::resolve;
use super::{Address, Family, Stream};

/// The pause between two attempts grows from the first of these to the second.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// How often a connection to itself is tried again before it counts as refused.
const SELF_CONNECTION_ATTEMPTS: usize = 5;

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// Where it is.
    pub address: Address,
    /// Which of a host's addresses are tried.
    pub family: Family,
    /// How long one attempt may take, the host's look-up included.
    pub timeout: Duration,
    /// How long attempts go on.
    pub retry: Duration,
}

/// Why no connection came about.
#[derive(Debug)]
pub struct DialError {
    address: Address,
    cause: String,
    tried_for: Duration,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not connect to {}: {}", self.address, self.cause)?;
        if !self.tried_for.is_zero() {
            write!(f, " (tried for {:?})", self.tried_for)?;
        }
        Ok(())
    }
}

impl std::error::Error for DialError {}

impl Dialer {
    /// Connects; `on_failure` is told of each failed attempt that another one will follow.
    ///
    /// # Errors
    /// Where the last attempt failed.
    pub async fn dial(&self, mut on_failure: impl FnMut(&DialError)) -> Result<Stream, DialError> {
        let deadline = Instant::now() + self.retry;
        let mut pause = RETRY_PAUSE.0;
        loop {
            let attempt = timeout(self.timeout, self.attempt()).await;
            let cause = match attempt {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(cause)) => cause,
                Err(_) => format!("no answer within {:?}", self.timeout),
            };
            let mut error = DialError { address: self.address.clone(), cause, tried_for: Duration::ZERO };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                error.tried_for = self.retry;
                return Err(error);
            }
            on_failure(&error);
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }

    async fn attempt(&self) -> Result<Stream, String> {
        match &self.address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                stream.map(Stream::from).map_err(|error| error.to_string())
            }
            Address::Tcp { host, port } => {
                let addresses = resolve(host, *port, self.family).await.map_err(|error| error.to_string())?;
                connect_to_any(&addresses, self.timeout).await.map(Stream::from)
            }
        }
    }
}

/// Tries each address, and gives each an equal share of the time that is left.
async fn connect_to_any(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, String> {
    let deadline = Instant::now() + limit;
    let mut failures = Vec::new();
    for (index, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        let failure = match timeout(share, connect_to_another(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        failures.push(if addresses.len() == 1 { failure } else { format!("{address}: {failure}") });
    }
    Err(failures.join("; "))
}

/// Connects, and not to itself: without a server, a port that the system also hands out to clients can be
/// given to this very connection, and TCP's simultaneous open (RFC 9293, section 3.5) lets it succeed.
async fn connect_to_another(address: SocketAddr) -> io::Result<TcpStream> {
    for _ in 0..SELF_CONNECTION_ATTEMPTS {
        let stream = TcpStream::connect(address).await?;
        if !is_connected_to_itself(&stream) {
            // A line is sent when it is there, not when the last one was acknowledged. Where this fails,
            // the connection is slower and no worse.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused (the port connected to itself)"))
}

fn is_connected_to_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpSocket;

    #[tokio::test]
    async fn recognises_a_connection_to_itself() {
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
