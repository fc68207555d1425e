//! What the tests share. [`Run`](run::Run) runs a client, [`TestServer`](server::TestServer) a server; every wait has a
//! deadline, and none is for a fixed time.

/// A directory of transcripts, and clients that run in it.
pub(crate) mod chats;
/// A client that is not capchat: a plain TCP connection to a server under test.
pub(crate) mod client;
/// Servers that are not capchat, each written for one test, and addresses without a server.
pub(crate) mod custom_server;
/// Lines and bytes to send.
pub(crate) mod data;
/// The programs that tests start: capchat, its checks, and those that may not be installed.
pub(crate) mod programs;
/// One run of a client, and what to expect of it.
pub(crate) mod run;
/// A capchat server on a free port.
pub(crate) mod server;
/// capchat on a pseudo-terminal: its screen, and the keys that a test presses.
pub(crate) mod terminal;
/// Certificates, made by openssl, and peers that speak TLS and are not capchat.
#[cfg(feature = "tls")]
pub(crate) mod tls;
/// Deadlines, and waiting for a condition or a process.
pub(crate) mod wait;
