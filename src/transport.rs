//! How capchat reaches the other side: addresses, listening, dialing, one stream type for TCP and Unix sockets,
//! and a link that drives both directions of a stream.

mod address;
mod dial;
mod link;
mod listen;
mod queue;
mod services;
mod stream;
mod vanished;

pub(crate) use address::{Address, Family};
pub(crate) use dial::Dialer;
pub(crate) use link::{Event, Link, linger};
pub(crate) use listen::{Listener, is_the_clients};
pub(crate) use stream::{Observer, Peer, Stream};
