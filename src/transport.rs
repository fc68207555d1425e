//! How capchat reaches the other side: addresses, listening, dialing, one stream type for TCP and Unix sockets,
//! and a link that drives both directions of a stream.

mod address;
mod dial;
mod link;
mod listen;
mod queue;
mod reset_watch;
mod services;
mod socket;
mod stream;
#[cfg(not(feature = "tls"))]
#[path = "transport/no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;
mod vanished;

pub(crate) use address::{Address, Family};
pub(crate) use dial::Dialer;
pub(crate) use link::{Event, Link, PeerEnd, linger};
pub(crate) use listen::{Listener, is_the_clients};
pub(crate) use reset_watch::ResetWatch;
pub(crate) use stream::{HANDSHAKE_LIMIT, Observer, Peer, Stream};
#[cfg(feature = "tls")]
pub(crate) use tls::{ClientTls, Identity, ServerTls, TrustIn};
pub(crate) use tls::{Tls, TlsError};
