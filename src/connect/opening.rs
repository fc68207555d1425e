//! How the connection is made: by dialing a server, or by waiting for a client.

use anyhow::{Context, Result};

use crate::messages;
use crate::transcript::Side;
use crate::transport::{Address, Dialer, Family, Listener, Peer, Stream};

/// How the connection is made.
#[derive(Debug)]
pub(crate) enum Opening {
    Dial(Dialer),
    /// Takes the first client, and no more.
    Listen {
        address: Address,
        family: Family,
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
            Self::Listen { address, family } => {
                let listeners = Listener::bind(address, *family).await?;
                for listener in &listeners {
                    messages::notice(format_args!("listening on {}", listener.address()));
                }
                let (stream, peer) = Listener::accept_one(listeners)
                    .await
                    .with_context(|| format!("could not accept a connection on {address}"))?;
                let address = match peer {
                    Peer::Tcp(peer) => peer.to_string(),
                    // Clients of a Unix socket have no names.
                    Peer::Unix(_) => address.to_string(),
                };
                Ok((stream, address))
            }
        }
    }
}
