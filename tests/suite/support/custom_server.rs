//! Servers that are not capchat, each written for one test, and addresses without a server.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::wait::{DEADLINE, eventually};

/// A server that runs `serve` on each connection, in a thread of its own. Returns its address.
pub(crate) fn custom_server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A server that echoes every byte, and closes after the client does.
pub(crate) fn echo_server() -> String {
    custom_server(|stream| {
        let _ = io::copy(&mut &stream, &mut &stream);
    })
}

/// What a [`line_server`] does about a line.
pub(crate) enum Reply {
    Say(String),
    Close,
    Reset,
}

/// Replies with this line.
pub(crate) fn say(text: &str) -> Reply {
    Reply::Say(format!("{text}\n"))
}

/// A server that sends `greeting`, and then what `reply` makes of each line.
pub(crate) fn line_server(
    greeting: &'static str,
    reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> String {
    custom_server(move |stream| {
        stream.set_nodelay(true).unwrap();
        let _ = (&stream).write_all(greeting.as_bytes());
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            match reply(&line) {
                Reply::Say(text) => drop((&stream).write_all(text.as_bytes())),
                Reply::Close => return close(&stream),
                Reply::Reset => return reset(stream),
            }
        }
    })
}

/// Reads until EOF.
pub(crate) fn read_all(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Closes a connection cleanly.
pub(crate) fn close(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = io::copy(&mut stream, &mut io::sink());
}

/// Closes a connection with a reset: `SO_LINGER` with a time of zero, socket(7). Waits until the client's kernel has
/// everything that was sent: a reset would overtake the rest.
pub(crate) fn reset(stream: TcpStream) {
    let port = |address: io::Result<SocketAddr>| format!("0100007F:{:04X}", address.unwrap().port());
    let connection = format!(" {} {} ", port(stream.local_addr()), port(stream.peer_addr()));
    // The columns of proc(5) are the connection's state, and its send queue.
    eventually("the acknowledgment", || {
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let (_, rest) = table.split_once(&connection)?;
        rest[3..].starts_with("00000000:").then_some(())
    });
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// An address that refuses connections until this is dropped.
pub(crate) struct Nobody(Socket);

impl Nobody {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().as_socket().unwrap().to_string()
    }
}

/// A listener that must see no connection.
pub(crate) struct Lonely(TcpListener);

impl Lonely {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    #[track_caller]
    pub(crate) fn has_seen_nobody(&self) {
        let error = self.0.accept().expect_err("a client connected");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
