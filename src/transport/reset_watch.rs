//! Notices a reset that reads do not report, because the peer had closed its sending side before: they go on to
//! return end of stream.

use std::future::pending;
use std::io;
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A watch on a connection, which stays open until this is dropped too. It has a descriptor of its own, so that the
/// stream can be used meanwhile.
#[derive(Debug)]
pub(crate) enum ResetWatch {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl ResetWatch {
    pub(super) fn on_tcp(stream: &TcpStream) -> io::Result<Self> {
        Ok(Self::Tcp(TcpStream::from_std(stream.as_fd().try_clone_to_owned()?.into())?))
    }

    pub(super) fn on_unix(stream: &UnixStream) -> io::Result<Self> {
        Ok(Self::Unix(UnixStream::from_std(stream.as_fd().try_clone_to_owned()?.into())?))
    }

    /// Waits for a reset. Cancel-safe.
    pub(crate) async fn reset(&self) {
        let error = match self {
            Self::Tcp(stream) => stream.ready(Interest::ERROR).await,
            Self::Unix(stream) => stream.ready(Interest::ERROR).await,
        };
        // It fails only if the runtime shuts down.
        if error.is_err() {
            pending::<()>().await;
        }
    }
}
