//! A session: TLS on a socket, after the handshake.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;
use tokio_rustls::rustls::{ConnectionCommon, ProtocolVersion};

use super::error::explained;
use crate::transport::socket::Socket;

/// A session. Dropped, it says `close_notify` if it has not yet, and if the kernel takes it now.
#[derive(Debug)]
pub(in crate::transport) struct Session {
    stream: TlsStream<Socket>,
    /// Whether a `close_notify` was sent, or must not be: the peer would take a reset for an orderly end.
    is_closed: bool,
}

impl Session {
    pub(super) fn new(stream: TlsStream<Socket>) -> Self {
        Self { stream, is_closed: false }
    }

    pub(in crate::transport) fn socket(&self) -> &Socket {
        self.stream.get_ref().0
    }

    /// Whether the end of one direction is that of the other too (RFC 5246, section 7.2.1). Since TLS 1.3 it is not
    /// (RFC 8446, section 6.1).
    pub(in crate::transport) fn ends_both_ways(&self) -> bool {
        self.stream.get_ref().1.protocol_version() != Some(ProtocolVersion::TLSv1_3)
    }

    /// Makes a reset of the close that is to follow.
    pub(in crate::transport) fn abort(&mut self) {
        self.is_closed = true;
        self.socket().abort();
    }

    /// Sends what the kernel takes, although it has not reported any room. `None` if it takes nothing; otherwise it is
    /// how many of `bytes` were taken, which may be none if others were on their way.
    pub(in crate::transport) fn send_unasked(&mut self, bytes: &[u8]) -> Option<usize> {
        match &mut self.stream {
            TlsStream::Client(stream) => {
                let (socket, connection) = stream.get_mut();
                send_unasked(socket, connection, bytes)
            }
            TlsStream::Server(stream) => {
                let (socket, connection) = stream.get_mut();
                send_unasked(socket, connection, bytes)
            }
        }
    }
}

fn send_unasked<D>(socket: &Socket, connection: &mut ConnectionCommon<D>, bytes: &[u8]) -> Option<usize> {
    let had_unsent = connection.wants_write();
    let sent = write_unasked(socket, connection);
    if had_unsent && sent == 0 {
        return None;
    }
    let taken = connection.writer().write(bytes).unwrap_or(0);
    let sent = sent + write_unasked(socket, connection);
    (sent > 0).then_some(taken)
}

/// Writes what is encrypted. Returns how much the kernel took; an error is found by the next write.
fn write_unasked<D>(socket: &Socket, connection: &mut ConnectionCommon<D>) -> usize {
    let mut sent = 0;
    while connection.wants_write() {
        match connection.write_tls(&mut Unasked(socket)) {
            Ok(bytes @ 1..) => sent += bytes,
            Ok(0) | Err(_) => break,
        }
    }
    sent
}

/// A socket that is written to although it may have no room.
struct Unasked<'a>(&'a Socket);

impl Write for Unasked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_unasked(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Session {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer).map_err(explained)
    }
}

impl AsyncWrite for Session {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes).map_err(explained)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(explained)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_closed = true;
        Pin::new(&mut self.stream).poll_shutdown(cx).map_err(explained)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_closed {
            return;
        }
        self.stream.get_mut().1.send_close_notify();
        // Unless it is complete, the peer sees that the end is missing, which is then right.
        self.send_unasked(&[]);
    }
}
