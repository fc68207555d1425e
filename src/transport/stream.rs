//! One type for every kind of connection, and for TLS on it, which may begin at any time.

use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

use super::queue::unacknowledged;
use super::reset_watch::ResetWatch;
use super::socket::Socket;
use super::tls::{Session, Tls, TlsError};

/// How often the kernel is asked whether everything sent has been acknowledged.
const ACKNOWLEDGED_PAUSE: Duration = Duration::from_millis(5);

/// How long a server waits for the handshake of a client.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A connection.
#[derive(Debug)]
pub(crate) struct Stream {
    layer: Layer,
    /// Whether a write failed with a reset. The kernel reports a reset only once: the next read would return
    /// end of stream.
    is_reset: bool,
    // A thin pointer: every idle client pays for its size.
    observer: Option<Box<Box<dyn Observer>>>,
}

/// What bytes are read from and written to.
///
/// ```text
/// Clear --start_tls()--> Handshake --> Tls
///   ^                        |
///   +--------failed----------+
/// ```
#[derive(Debug)]
enum Layer {
    Clear(Socket),
    /// The handshake has the socket, and closes it if it is canceled.
    Handshake,
    // Boxed: every client without TLS has space for it.
    Tls(Box<Session>),
}

/// Sees what happens on a connection, in the order in which this side sees it.
pub(crate) trait Observer: fmt::Debug + Send + Sync {
    /// These bytes were read.
    fn received(&mut self, bytes: &[u8]);
    /// These bytes were handed to the socket.
    fn sent(&mut self, bytes: &[u8]);
    /// The peer closed its sending side, and everything before that was read.
    fn peer_ended(&mut self);
    /// The same, but under TLS and without a `close_notify`: something may be missing.
    fn peer_cut(&mut self);
    /// This side closed its sending side.
    fn ended(&mut self);
    /// The peer reset the connection.
    fn peer_reset(&mut self);
    /// This side reset the connection.
    fn reset(&mut self);
}

/// Several observers, or none.
impl Observer for Vec<Box<dyn Observer>> {
    fn received(&mut self, bytes: &[u8]) {
        for observer in self {
            observer.received(bytes);
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        for observer in self {
            observer.sent(bytes);
        }
    }

    fn peer_ended(&mut self) {
        for observer in self {
            observer.peer_ended();
        }
    }

    fn peer_cut(&mut self) {
        for observer in self {
            observer.peer_cut();
        }
    }

    fn ended(&mut self) {
        for observer in self {
            observer.ended();
        }
    }

    fn peer_reset(&mut self) {
        for observer in self {
            observer.peer_reset();
        }
    }

    fn reset(&mut self) {
        for observer in self {
            observer.reset();
        }
    }
}

/// The other side of a connection, as people read it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
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
        Self::new(Socket::Tcp(stream))
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::new(Socket::Unix(stream))
    }
}

impl Stream {
    fn new(socket: Socket) -> Self {
        Self { layer: Layer::Clear(socket), is_reset: false, observer: None }
    }

    /// Starts TLS, unless it has started. What was read before is clear text, and stays that: nothing is read ahead.
    ///
    /// Returns an error if the handshake fails. The stream is then as it was, but for the bytes that were read and
    /// written. Canceled, the connection is closed.
    pub(crate) async fn start_tls(&mut self, tls: &Tls) -> Result<(), TlsError> {
        match mem::replace(&mut self.layer, Layer::Handshake) {
            Layer::Clear(socket) => match tls.handshake(socket).await {
                Ok(session) => {
                    self.layer = Layer::Tls(session);
                    Ok(())
                }
                Err((error, socket)) => {
                    self.layer = Layer::Clear(socket);
                    Err(error)
                }
            },
            layer => {
                self.layer = layer;
                Ok(())
            }
        }
    }

    /// Whether the end of one direction is that of the other too, as in TLS 1.2.
    pub(crate) fn ends_both_ways(&self) -> bool {
        matches!(&self.layer, Layer::Tls(session) if session.ends_both_ways())
    }

    fn socket(&self) -> Option<&Socket> {
        match &self.layer {
            Layer::Clear(socket) => Some(socket),
            Layer::Handshake => None,
            Layer::Tls(session) => Some(session.socket()),
        }
    }

    /// Reports to `observer`, and to no other one, what happens from now on.
    pub(crate) fn observe(&mut self, observer: impl Observer + 'static) {
        self.observer = Some(Box::new(Box::new(observer)));
    }

    /// Resets the connection, once the peer has acknowledged everything sent, or after `limit`. A Unix socket,
    /// which has no reset, is closed.
    pub(crate) async fn reset(mut self, limit: Duration) {
        // A reset overtakes what the peer's kernel has not received yet.
        let _ = self.delivered(limit).await;
        self.abort();
    }

    /// Makes a reset of the end of the connection, when this is dropped: an end that the peer cannot take for EOF. A
    /// Unix socket, which has no reset, is closed.
    pub(crate) fn abort(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer.reset();
        }
        match &mut self.layer {
            Layer::Clear(socket) => socket.abort(),
            Layer::Handshake => {}
            Layer::Tls(session) => session.abort(),
        }
    }

    /// Sends what the kernel takes, although it has not reported any room. It does so only once about a third of its
    /// buffer is free (Linux `sk_stream_is_writeable`), and until then a peer that reads slowly looks like one that
    /// does not read.
    ///
    /// Returns how many of `bytes` were taken, or `None` if the kernel takes nothing. Under TLS it may take bytes that
    /// were written before, and none of these.
    pub(crate) fn send_unasked(&mut self, bytes: &[u8]) -> Option<usize> {
        let sent = match &mut self.layer {
            // An error is found by the next write.
            Layer::Clear(socket) => socket.send_unasked(bytes).ok().filter(|&sent| sent > 0),
            Layer::Handshake => None,
            Layer::Tls(session) => session.send_unasked(bytes),
        };
        if let (Some(sent @ 1..), Some(observer)) = (sent, &mut self.observer) {
            observer.sent(&bytes[..sent]);
        }
        sent
    }

    /// Watches for a reset by a peer that has closed its sending side.
    pub(crate) fn watch_for_reset(&self) -> io::Result<ResetWatch> {
        match self.socket().ok_or(ErrorKind::NotConnected)? {
            Socket::Tcp(stream) => ResetWatch::on_tcp(stream),
            Socket::Unix(stream) => ResetWatch::on_unix(stream),
        }
    }

    /// Whether this connection, which was dialed, leads to the server that accepted `client`, which is this program.
    pub(crate) fn leads_to_server_of(&self, client: &Self) -> bool {
        let (Some(dialed), Some(accepted)) = (self.socket(), client.socket()) else { return false };
        match (dialed, accepted) {
            (Socket::Tcp(dialed), Socket::Tcp(accepted)) => {
                let addresses = dialed.peer_addr().and_then(|dialed| Ok((dialed, accepted.local_addr()?)));
                let is_same = |(dialed, own): (SocketAddr, SocketAddr)| {
                    (dialed.ip().to_canonical(), dialed.port()) == (own.ip().to_canonical(), own.port())
                };
                addresses.is_ok_and(is_same)
            }
            // The kernel knows who listens.
            (Socket::Unix(dialed), Socket::Unix(_)) => {
                let listener = dialed.peer_cred().ok().and_then(|listener| listener.pid());
                listener.is_some_and(|listener| u32::try_from(listener) == Ok(process::id()))
            }
            (Socket::Tcp(_), Socket::Unix(_)) | (Socket::Unix(_), Socket::Tcp(_)) => false,
        }
    }

    /// Waits until the peer's kernel has acknowledged everything sent, or until `limit`.
    ///
    /// Returns an error if the peer reset the connection, also if it had closed its own side before: reads
    /// then still return end of stream. The kernel of a Unix socket takes everything at once.
    pub(crate) async fn delivered(&self, limit: Duration) -> io::Result<()> {
        let Some(Socket::Tcp(stream)) = self.socket() else { return Ok(()) };
        let deadline = Instant::now() + limit;
        loop {
            // Asked before the error: a reset empties the queue.
            let is_pending = unacknowledged(stream).is_ok_and(|bytes| bytes > 0);
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            if !is_pending || Instant::now() >= deadline {
                return Ok(());
            }
            sleep(ACKNOWLEDGED_PAUSE).await;
        }
    }

    /// What an empty read means: the peer's end of stream, or a reset that a write has reported.
    fn on_empty_read(&mut self) -> io::Result<()> {
        if self.is_reset {
            return self.on_reset(Errno::CONNRESET.into());
        }
        if let Some(observer) = &mut self.observer {
            observer.peer_ended();
        }
        Ok(())
    }

    /// The end of the connection under TLS without a `close_notify`.
    fn on_cut(&mut self, error: io::Error) -> io::Result<()> {
        if self.is_reset {
            return self.on_reset(Errno::CONNRESET.into());
        }
        if let Some(observer) = &mut self.observer {
            observer.peer_cut();
        }
        Err(error)
    }

    fn on_reset(&mut self, error: io::Error) -> io::Result<()> {
        if let Some(observer) = &mut self.observer {
            observer.peer_reset();
        }
        Err(error)
    }

    fn note_reset<T>(&mut self, result: &io::Result<T>) {
        self.is_reset |= result.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(match &mut self.layer {
            Layer::Clear(socket) => Pin::new(socket).poll_read(cx, buffer),
            Layer::Handshake => Poll::Ready(Err(ErrorKind::NotConnected.into())),
            Layer::Tls(session) => Pin::new(session).poll_read(cx, buffer),
        });
        Poll::Ready(match read {
            Ok(()) if buffer.filled().len() > before => {
                if let Some(observer) = &mut self.observer {
                    observer.received(&buffer.filled()[before..]);
                }
                Ok(())
            }
            Ok(()) if buffer.remaining() == 0 => Ok(()),
            Ok(()) => self.on_empty_read(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.on_reset(error),
            // Only TLS knows of it.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.on_cut(error),
            Err(error) => Err(error),
        })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(match &mut self.layer {
            Layer::Clear(socket) => Pin::new(socket).poll_write(cx, bytes),
            Layer::Handshake => Poll::Ready(Err(ErrorKind::NotConnected.into())),
            Layer::Tls(session) => Pin::new(session).poll_write(cx, bytes),
        });
        if let (Ok(sent), Some(observer)) = (&sent, &mut self.observer) {
            observer.sent(&bytes[..*sent]);
        }
        self.note_reset(&sent);
        Poll::Ready(sent)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.layer {
            Layer::Clear(socket) => Pin::new(socket).poll_flush(cx),
            Layer::Handshake => Poll::Ready(Err(ErrorKind::NotConnected.into())),
            Layer::Tls(session) => Pin::new(session).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = ready!(match &mut self.layer {
            Layer::Clear(socket) => Pin::new(socket).poll_shutdown(cx),
            Layer::Handshake => Poll::Ready(Err(ErrorKind::NotConnected.into())),
            Layer::Tls(session) => Pin::new(session).poll_shutdown(cx),
        });
        if let (Ok(()), Some(observer)) = (&ended, &mut self.observer) {
            observer.ended();
        }
        self.note_reset(&ended);
        Poll::Ready(ended)
    }
}
