//! One type for every kind of connection.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

use super::queue::unacknowledged;

/// How often the kernel is asked whether all that was sent is acknowledged.
const ACKNOWLEDGED_PAUSE: Duration = Duration::from_millis(5);

/// A connection.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    observed: Option<Box<Observed>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Someone who is told what happens on a connection, in the order in which this side sees it.
pub trait Observer: fmt::Debug + Send {
    /// These bytes were read.
    fn received(&mut self, bytes: &[u8]);
    /// These bytes were handed to the socket.
    fn sent(&mut self, bytes: &[u8]);
    /// All that the peer says has been read.
    fn peer_ended(&mut self);
    /// This side has ended.
    fn ended(&mut self);
    /// The peer has reset the connection.
    fn reset(&mut self);
    /// This side resets the connection.
    fn resets(&mut self);
}

#[derive(Debug)]
struct Observed {
    observer: Box<dyn Observer>,
    /// Whether a write was told of a reset. The kernel tells it once, and to a read an end of stream then.
    is_reset: bool,
}

/// The other side of a connection, for people to read.
#[derive(Clone, Copy, Debug)]
pub enum Peer {
    /// Its TCP address.
    Tcp(SocketAddr),
    /// Clients of a Unix socket have no names; they are numbered.
    Unix(u64),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(number) => write!(f, "unix#{number}"),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { socket: Socket::Tcp(stream), observed: None }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self { socket: Socket::Unix(stream), observed: None }
    }
}

impl Stream {
    /// Tells `observer` what happens from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observed = Some(Box::new(Observed { observer, is_reset: false }));
    }

    /// Resets the connection, once the peer has acknowledged all that was sent, or after `limit`. A Unix
    /// socket, which knows no reset, is closed.
    pub async fn reset(mut self, limit: Duration) {
        if let Some(observed) = &mut self.observed {
            observed.observer.resets();
        }
        let Socket::Tcp(stream) = self.socket else { return };
        let deadline = Instant::now() + limit;
        // A reset overtakes what the peer's kernel has not taken yet.
        while unacknowledged(&stream).is_ok_and(|bytes| bytes > 0) && Instant::now() < deadline {
            sleep(ACKNOWLEDGED_PAUSE).await;
        }
        // Where this fails, the connection is closed in order, which the peer can tell.
        let _ = stream.set_zero_linger();
    }

    fn on_error(&mut self, error: &io::Error, is_told_to_reader: bool) {
        if let Some(observed) = &mut self.observed
            && error.kind() == ErrorKind::ConnectionReset
        {
            observed.is_reset = true;
            if is_told_to_reader {
                observed.observer.reset();
            }
        }
    }

    fn on_sent(&mut self, slices: &[IoSlice<'_>], sent: &io::Result<usize>) {
        match (sent, &mut self.observed) {
            (Err(error), _) => self.on_error(error, false),
            (Ok(sent), Some(observed)) => {
                let mut left = *sent;
                for slice in slices {
                    let length = left.min(slice.len());
                    observed.observer.sent(&slice[..length]);
                    left -= length;
                }
            }
            _ => {}
        }
    }
}

impl Observed {
    fn on_received(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.observer.received(bytes);
        } else if self.is_reset {
            self.observer.reset();
        } else {
            self.observer.peer_ended();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        });
        match (&read, &mut self.observed) {
            (Err(error), _) => self.on_error(error, true),
            (Ok(()), Some(observed)) => observed.on_received(&buffer.filled()[before..]),
            (Ok(()), None) => {}
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        });
        self.on_sent(&[IoSlice::new(bytes)], &sent);
        Poll::Ready(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        });
        self.on_sent(slices, &sent);
        Poll::Ready(sent)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Sockets have no buffer on this side of the kernel.
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        });
        if let (Ok(()), Some(observed)) = (&ended, &mut self.observed) {
            observed.observer.ended();
        }
        Poll::Ready(ended)
    }
}
