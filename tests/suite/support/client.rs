//! A client that is not capchat: a plain TCP connection to a server under test.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockRef, Socket, Type};

use super::wait::DEADLINE;

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// A client whose kernel takes as little as possible for it: what the kernel takes, the server takes for read.
    pub(crate) fn connect_with_small_buffer(address: &str) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let address: SocketAddr = address.parse().unwrap();
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { stream }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Receives exactly these bytes.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let mut received = vec![0; expected.len()];
        if let Err(error) = self.stream.read_exact(&mut received) {
            panic!("expected {:?}: {error}", expected.escape_ascii().to_string());
        }
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    /// Receives these bytes, and then EOF.
    #[track_caller]
    pub(crate) fn expect_end(&mut self, bytes: impl AsRef<[u8]>) {
        let mut received = Vec::new();
        self.stream.read_to_end(&mut received).expect("EOF");
        assert_eq!(received.escape_ascii().to_string(), bytes.as_ref().escape_ascii().to_string());
    }

    /// Sends a line and receives its reply.
    #[track_caller]
    pub(crate) fn expect_answer(&mut self) {
        self.send("are you there?\n");
        self.expect("ARE YOU THERE?\n");
    }

    /// Closes the sending side.
    pub(crate) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Closes with a reset: `SO_LINGER` with a time of zero, socket(7).
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }
}

/// Raises the limit on this process's descriptors as far as allowed, for thousands of clients. Returns the limit.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}
