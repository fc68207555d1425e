//! What the tests of transcripts share: a folder of them, and servers that say what a test wants.

use std::fs;
use std::io::{BufRead, BufReader, Write, copy, sink};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Connect, Finished, custom_server, eventually};

/// A folder with transcripts.
pub(crate) struct Chats(TempDir);

impl Chats {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with one file, `t.chat`.
    pub(crate) fn with(text: impl AsRef<[u8]>) -> Self {
        let chats = Self::new();
        chats.write("t.chat", text);
        chats
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The files and folders in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A client that is started in the folder.
    pub(crate) fn client(&self, address: &str) -> Connect {
        Connect::to(address).current_dir(self.0.path())
    }

    /// Runs a client in the folder.
    #[track_caller]
    pub(crate) fn run(&self, address: &str, args: &[&str]) -> Finished {
        self.client(address).args(args).run()
    }

    /// Checks `t.chat`.
    #[track_caller]
    pub(crate) fn check(&self, address: &str) -> Finished {
        self.run(address, &["--check", "t.chat"])
    }

    /// Checks `t.chat`, which the server follows.
    #[track_caller]
    pub(crate) fn passes(&self, address: &str) {
        self.check(address).succeeds_with("PASS t.chat\n1 passed, 0 failed\n");
    }
}

impl Finished {
    /// What was written to standard output.
    pub(crate) fn report(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    /// It ended with this status, and its report has each of `texts`.
    #[track_caller]
    pub(crate) fn reports(&self, status: i32, texts: &[&str]) {
        let (report, errors) = (self.report(), self.errors());
        assert_eq!(self.0.status.code(), Some(status), "{report}{errors}");
        for text in texts {
            assert!(report.contains(text), "no {text:?} in:\n{report}{errors}");
        }
    }
}

/// So many lines, each made of its number.
pub(crate) fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..count {
        text += &line(number);
        text.push('\n');
    }
    text
}

/// What a server does about a line.
pub(crate) enum Reply {
    Say(String),
    Close,
    Reset,
}

/// Says a line.
pub(crate) fn say(text: &str) -> Reply {
    Reply::Say(format!("{text}\n"))
}

/// A server that says `greeting`, and then what `reply` makes of each line.
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

/// Ends a connection in order.
pub(crate) fn close(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = copy(&mut stream, &mut sink());
}

/// Ends a connection with a reset: `SO_LINGER` with no time (socket(7)). Before it, the client's kernel takes all
/// that was sent, since a reset overtakes the rest.
pub(crate) fn reset(stream: TcpStream) {
    let port = |address: std::io::Result<SocketAddr>| format!("0100007F:{:04X}", address.unwrap().port());
    let connection = format!(" {} {} ", port(stream.local_addr()), port(stream.peer_addr()));
    // The connection's state, and its send queue; see proc(5).
    eventually("the acknowledgment", || {
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let (_, rest) = table.split_once(&connection)?;
        rest[3..].starts_with("00000000:").then_some(())
    });
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// An address at which nobody listens, as long as this is not dropped.
pub(crate) struct Nobody(socket2::Socket);

impl Nobody {
    pub(crate) fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().as_socket().unwrap().to_string()
    }
}

/// A listener that finds out whether anybody has come.
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
        let error = self.0.accept().expect_err("somebody has come");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// Numbers that look random, and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `limit` (a linear congruential generator, with the constants of Knuth's MMIX).
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
