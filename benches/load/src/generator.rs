//! The load: one thread with an epoll loop, which verifies every byte that comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll;

use crate::answer::Answer;

/// How much is sent or received at once.
const CHUNK: usize = 256 * 1024;

/// How long a mode may stall before it counts as failed.
const STALL: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
const STALL_DURATION: Duration = Duration::from_secs(2);

/// How long opening all connections may take.
const OPENING: Duration = Duration::from_secs(15);

/// The result of request and reply.
pub(crate) struct Latencies {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Connections watched by one epoll descriptor.
struct Poll {
    epoll: rustix::fd::OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poll {
    fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, events: Vec::with_capacity(1024) })
    }

    fn add(&self, stream: &TcpStream, index: usize, flags: epoll::EventFlags) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        Ok(epoll::add(&self.epoll, stream, epoll::EventData::new_u64(index as u64), flags)?)
    }

    /// Sleeps until something happens. Returns the connections concerned.
    fn wait(&mut self) -> io::Result<Vec<usize>> {
        self.look(&STALL)?;
        self.happened()
    }

    /// The same without sleeping. If the load slept, waking it would cost the server, but only if the load is the faster
    /// of the two.
    fn spin(&mut self) -> io::Result<Vec<usize>> {
        let start = Instant::now();
        while start.elapsed() < STALL_DURATION {
            self.look(&Timespec::default())?;
            if !self.events.is_empty() {
                break;
            }
        }
        self.happened()
    }

    fn look(&mut self, limit: &Timespec) -> io::Result<()> {
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(limit))?;
        Ok(())
    }

    fn happened(&self) -> io::Result<Vec<usize>> {
        if self.events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "no data for 2 s"));
        }
        Ok(self.events.iter().map(|event| usize::try_from(event.data.u64()).unwrap_or(usize::MAX)).collect())
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, STALL_DURATION)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALL_DURATION))?;
    Ok(stream)
}

fn check(reply: &[u8], expected: &[u8]) -> io::Result<()> {
    if reply == expected {
        Ok(())
    } else if reply.is_empty() {
        Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"))
    } else {
        Err(io::Error::new(ErrorKind::InvalidData, "the reply is not what was expected"))
    }
}

fn check_time(start: Instant) -> io::Result<()> {
    if start.elapsed() < OPENING {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::TimedOut, "the connections took too long to open"))
    }
}

/// Each connection sends a line, waits for the reply, and sends the next.
pub(crate) fn request_reply(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    answer: Answer,
) -> io::Result<Latencies> {
    let mut poll = Poll::new()?;
    let mut clients = Vec::new();
    let opening = Instant::now();
    for index in 0..connections {
        check_time(opening)?;
        let stream = connect(address)?;
        poll.add(&stream, index, epoll::EventFlags::IN)?;
        let request = format!("the quick brown fox number {index:06}\n");
        let reply = answer.to(request.as_bytes());
        clients.push((stream, request, reply, Instant::now()));
    }
    let mut latencies = Vec::new();
    let start = Instant::now();
    for (stream, request, _, sent) in &mut clients {
        *sent = Instant::now();
        stream.write_all(request.as_bytes())?;
    }
    let mut buffer = [0; 256];
    while start.elapsed() < time {
        for index in poll.wait()? {
            let (stream, request, reply, sent) = &mut clients[index];
            let length = stream.read(&mut buffer)?;
            check(&buffer[..length], reply)?;
            let now = Instant::now();
            latencies.push(now - *sent);
            *sent = now;
            stream.write_all(request.as_bytes())?;
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |percent: usize| latencies[latencies.len() * percent / 100];
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    Ok(Latencies { per_second: latencies.len() as f64 / elapsed, p50: at(50), p99: at(99) })
}

/// Each connection sends `text` again and again, as fast as the server takes it, until `total` bytes are sent and
/// answered on each, or until `limit` is over. Returns the bytes answered per second, over all connections.
pub(crate) fn stream(
    address: SocketAddr,
    connections: usize,
    text: &[u8],
    answer: Answer,
    total: usize,
    limit: Duration,
) -> io::Result<f64> {
    struct Client {
        stream: TcpStream,
        to_send: usize,
        sent: usize,
        to_receive: usize,
        received: usize,
    }
    let expected = &*answer.to(text);
    let rounds = total.div_ceil(text.len());
    // Long enough to send from, or compare with, at any offset.
    let text_twice = text.repeat(1 + CHUNK.div_ceil(text.len()));
    let expected_twice = expected.repeat(1 + CHUNK.div_ceil(expected.len()));
    let mut poll = Poll::new()?;
    let mut clients = Vec::new();
    for index in 0..connections {
        let stream = connect(address)?;
        poll.add(&stream, index, epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET)?;
        clients.push(Client {
            stream,
            to_send: rounds * text.len(),
            sent: 0,
            to_receive: rounds * expected.len(),
            received: 0,
        });
    }
    let mut buffer = vec![0; CHUNK];
    let mut open = connections;
    let start = Instant::now();
    while open > 0 && start.elapsed() < limit {
        for index in poll.spin()? {
            let client = &mut clients[index];
            while start.elapsed() < limit {
                let mut idle = true;
                if client.sent < client.to_send {
                    let from = client.sent % text.len();
                    let length = CHUNK.min(client.to_send - client.sent);
                    if let Some(sent) = unless_blocked(client.stream.write(&text_twice[from..from + length]))?
                    {
                        client.sent += sent;
                        idle = false;
                    }
                }
                if client.received < client.to_receive
                    && let Some(length) = unless_blocked(client.stream.read(&mut buffer))?
                {
                    let from = client.received % expected.len();
                    if length == 0 {
                        check(&[], expected)?;
                    }
                    check(&buffer[..length], &expected_twice[from..from + length])?;
                    client.received += length;
                    idle = false;
                    if client.received == client.to_receive {
                        open -= 1;
                    }
                }
                if idle {
                    break;
                }
            }
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let received: usize = clients.iter().map(|client| client.received).sum();
    // In bytes of the text: a reply may be longer than its message.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    Ok(received as f64 * text.len() as f64 / expected.len() as f64 / elapsed)
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

/// Connects, sends a line, receives the reply and closes, this many times or until `limit` is over. Returns the rounds
/// per second.
pub(crate) fn churn(address: SocketAddr, rounds: u32, answer: Answer, limit: Duration) -> io::Result<f64> {
    let reply = answer.to(b"hello\n");
    let start = Instant::now();
    let mut done = 0;
    while done < rounds && start.elapsed() < limit {
        let mut stream = connect(address)?;
        stream.write_all(b"hello\n")?;
        let mut buffer = [0; 6];
        stream.read_exact(&mut buffer)?;
        check(&buffer, &reply)?;
        done += 1;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Opens all connections simultaneously. Returns the time until all are open, and the connections, after each was
/// answered once.
pub(crate) fn open(
    address: SocketAddr,
    connections: usize,
    answer: Answer,
) -> io::Result<(Duration, Vec<TcpStream>)> {
    let mut poll = Poll::new()?;
    let mut streams = Vec::with_capacity(connections);
    let start = Instant::now();
    for index in 0..connections {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let stream = TcpStream::from(socket);
        poll.add(&stream, index, epoll::EventFlags::OUT | epoll::EventFlags::ONESHOT)?;
        streams.push(stream);
    }
    let mut open = 0;
    while open < connections {
        check_time(start)?;
        for index in poll.wait()? {
            if let Some(error) = streams[index].take_error()? {
                return Err(error);
            }
            open += 1;
        }
    }
    let elapsed = start.elapsed();
    let reply = answer.to(b"x\n");
    for stream in &mut streams {
        check_time(start)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(STALL_DURATION))?;
        stream.write_all(b"x\n")?;
        let mut buffer = [0; 2];
        stream.read_exact(&mut buffer)?;
        check(&buffer, &reply)?;
    }
    Ok((elapsed, streams))
}
