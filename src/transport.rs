//! How capchat reaches the other side: addresses, listening, dialling, and one stream type for TCP and Unix
//! sockets.

mod address;
mod dial;
mod listen;
mod queue;
mod stream;

pub use address::{Address, AddressError, Family};
pub use dial::{DialError, Dialer};
pub use listen::Listener;
pub use stream::{Observer, Peer, Stream};
