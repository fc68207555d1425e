//! TLS: the settings of each side, the handshake, and the session on a socket after it.
//!
//! The rest of the program knows the surface of this module alone, and `no_tls.rs` has the same.

mod client;
mod error;
mod files;
mod server;
mod session;
mod verifier;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::socket::Socket;
pub(crate) use client::{ClientTls, TrustIn};
pub(crate) use error::TlsError;
pub(crate) use files::Identity;
pub(crate) use server::ServerTls;
pub(super) use session::Session;

/// How one side takes part in handshakes. Clones share their settings.
#[derive(Clone, Debug)]
pub(crate) enum Tls {
    Client(ClientTls),
    Server(ServerTls),
}

impl Tls {
    /// The SHA-256 fingerprint of the certificate, if it was made for this run.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Client(_) => None,
            Self::Server(ServerTls { fingerprint, .. }) => fingerprint.as_deref(),
        }
    }

    /// Makes a handshake. Returns the socket if that fails. Canceled, the socket is closed.
    pub(super) async fn handshake(&self, socket: Socket) -> Result<Box<Session>, (TlsError, Socket)> {
        let stream = match self {
            Self::Client(ClientTls { config, name }) => {
                let connector = TlsConnector::from(Arc::clone(config));
                connector.connect(name.clone(), socket).into_fallible().await.map(TlsStream::Client)
            }
            Self::Server(ServerTls { config, .. }) => {
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                acceptor.accept(socket).into_fallible().await.map(TlsStream::Server)
            }
        };
        match stream {
            Ok(stream) => Ok(Box::new(Session::new(stream))),
            Err((error, socket)) => Err((TlsError::of_handshake(&error), socket)),
        }
    }
}

/// The cryptography. Nothing else names it.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
