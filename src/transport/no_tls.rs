//! What `tls.rs` has, in a program that is built without TLS: types that have no values.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::Socket;

/// How one side takes part in handshakes.
#[derive(Clone, Debug)]
pub(crate) enum Tls {}

/// Why a handshake failed.
#[derive(Debug)]
pub(crate) enum TlsError {}

/// A session.
#[derive(Debug)]
pub(super) enum Session {}

impl Tls {
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "the other one waits")]
    pub(super) async fn handshake(&self, _socket: Socket) -> Result<Box<Session>, (TlsError, Socket)> {
        match *self {}
    }
}

impl TlsError {
    pub(crate) fn is_transient(&self) -> bool {
        match *self {}
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Error for TlsError {}

impl Session {
    pub(super) fn socket(&self) -> &Socket {
        match *self {}
    }

    pub(super) fn ends_both_ways(&self) -> bool {
        match *self {}
    }

    pub(super) fn abort(&mut self) {
        match *self {}
    }

    pub(super) fn send_unasked(&mut self, _bytes: &[u8]) -> Option<usize> {
        match *self {}
    }
}

impl AsyncRead for Session {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for Session {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, _bytes: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
