//! How the connection is made: by dialing a server, or by waiting for a client.

use anyhow::{Context, Result, anyhow};
use tokio::time::timeout;

use crate::messages;
use crate::transcript::Side;
use crate::transport::{Address, Dialer, Family, HANDSHAKE_LIMIT, Listener, Peer, Stream, Tls};

/// How the connection is made.
#[derive(Debug)]
pub(crate) enum Opening {
    Dial(Dialer),
    /// Takes the first client, and no more.
    Listen {
        address: Address,
        family: Family,
        /// TLS with the client, if any.
        tls: Option<Tls>,
    },
}

impl Opening {
    /// The side of the conversation that this program is then on.
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Dial(_) => Side::Client,
            Self::Listen { .. } => Side::Server,
        }
    }

    /// Whether the end of the program should not surprise the other side: TLS has a word for it.
    pub(super) fn has_tls(&self) -> bool {
        match self {
            Self::Dial(dialer) => dialer.tls.is_some(),
            Self::Listen { tls, .. } => tls.is_some(),
        }
    }

    /// Whether a signal that ended the program would leave a file behind.
    pub(super) fn has_file(&self) -> bool {
        matches!(self, Self::Listen { address: Address::Unix(_), .. })
    }

    /// What happens when the connection is made, for a message that ends with the other side's address.
    pub(super) fn event(&self) -> &'static str {
        match self {
            Self::Dial(_) => "connected to",
            Self::Listen { .. } => "connection from",
        }
    }

    /// Makes the connection. Returns it with the other side's address, for messages. Cancel-safe.
    pub(super) async fn open(&self) -> Result<(Stream, String)> {
        match self {
            Self::Dial(dialer) => Ok((dialer.dial().await?, dialer.address.to_string())),
            Self::Listen { address, family, tls } => {
                let listeners = Listener::bind(address, *family).await?;
                for listener in &listeners {
                    messages::notice(format_args!("listening on {}", listener.address()));
                }
                if let Some(fingerprint) = tls.as_ref().and_then(Tls::fingerprint) {
                    messages::notice(format_args!("certificate SHA-256 fingerprint {fingerprint}"));
                }
                let (mut stream, peer) = Listener::accept_one(listeners)
                    .await
                    .with_context(|| format!("could not accept a connection on {address}"))?;
                let address = match peer {
                    Peer::Tcp(peer) => peer.to_string(),
                    // Clients of a Unix socket have no names.
                    Peer::Unix(_) => address.to_string(),
                };
                if let Some(tls) = tls {
                    let handshake = timeout(HANDSHAKE_LIMIT, stream.start_tls(tls)).await;
                    let handshake = handshake.map_err(|_| {
                        anyhow!("{address}: TLS handshake not finished within {HANDSHAKE_LIMIT:?}")
                    })?;
                    handshake.with_context(|| address.clone())?;
                }
                Ok((stream, address))
            }
        }
    }
}
