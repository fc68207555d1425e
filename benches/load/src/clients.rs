//! Measures the clients, each between two pipes and the floor: throughput, and the time for one line.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::modes::Scale;
use crate::peers::is_installed;
use crate::results::{Figure, Table, Unit};
use crate::texts::Text;

/// What any pipe holds without a reader.
const PIPE: usize = 4096;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// How often a client is run to measure its start-up.
const STARTS: usize = 201;

/// How long one start may take.
const START_LIMIT: Duration = Duration::from_secs(2);

/// Each client's name and command, in which `{host}` and `{port}` stand for the address.
fn all(capchat: &str) -> [(&'static str, Vec<&str>); 5] {
    [
        ("nc -N", vec!["nc", "-N", "{host}", "{port}"]),
        ("capchat", vec![capchat, "connect", "{host}", "{port}"]),
        ("ncat", vec!["ncat", "{host}", "{port}"]),
        // Without -t it exits half a second after EOF on its input, whatever is still on its way.
        ("socat", vec!["socat", "-t", "10", "-", "TCP:{host}:{port}"]),
        ("socat -b262144", vec!["socat", "-t", "10", "-b262144", "-", "TCP:{host}:{port}"]),
    ]
}

/// Measures capchat, and the other clients that are installed unless `alone`, with a server that echoes.
pub(crate) fn measure(capchat: &str, server: SocketAddr, scale: Scale, only: &str, alone: bool) -> Table {
    let Scale { rounds, bytes, limit, .. } = scale;
    let clients: Vec<_> = all(capchat)
        .into_iter()
        .filter(|(name, command)| *name == "capchat" || !alone && is_installed(command[0]))
        .collect();
    let mut table = Table::new("Clients", clients.iter().map(|(name, _)| *name).collect());
    let text = Text::ascii().bytes;
    let mut take_turns = |name: &str, rounds: usize, run: &dyn Fn(&[&str]) -> io::Result<Figure>| {
        if !name.contains(only) {
            return;
        }
        let mut out = vec![false; clients.len()];
        for round in 0..rounds {
            for (index, (_, command)) in clients.iter().enumerate() {
                if out[index] {
                    continue;
                }
                match run(command) {
                    Ok(figure) => table.record(round, index, figure),
                    Err(error) => {
                        table.note(index, name, &error.to_string());
                        out[index] = true;
                    }
                }
            }
        }
    };
    take_turns("bulk, ascii", rounds, &|command| {
        let time = run(command, server, &text, bytes, limit)?;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let rate = bytes as f64 / time.as_secs_f64() / 1e6;
        Ok(Figure::new("bulk, ascii", Unit::MegabytesPerSecond, rate))
    });
    take_turns("start to end of one line", STARTS, &|command| {
        let time = run(command, server, b"hi\n", 3, START_LIMIT)?;
        Ok(Figure::new("start to end of one line", Unit::Milliseconds, time.as_secs_f64() * 1e3))
    });
    table
}

/// Runs a client on `total` bytes, `text` again and again. Returns the time from its start to its exit. Every byte must
/// come back.
fn run(
    command: &[&str],
    server: SocketAddr,
    text: &[u8],
    total: usize,
    limit: Duration,
) -> io::Result<Duration> {
    let (host, port) = (server.ip().to_string(), server.port().to_string());
    let words = command[1..].iter().map(|word| word.replace("{host}", &host).replace("{port}", &port));
    let start = Instant::now();
    let mut child = Command::new(command[0])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let result = converse(&mut child, text, total, start + limit);
    if result.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let time = start.elapsed();
    result?;
    if status.success() { Ok(time) } else { Err(io::Error::other(format!("{status}"))) }
}

fn converse(child: &mut Child, text: &[u8], total: usize, deadline: Instant) -> io::Result<()> {
    let input = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
    let output = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
    if total <= PIPE {
        // A thread would add a cost that is not the client's.
        feed(input, text, total)?;
        return verify(output, text, total, deadline);
    }
    thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(input, text, total));
        let verified = verify(output, text, total, deadline);
        if verified.is_err() {
            // Otherwise the feeder would wait for a client that no longer reads.
            let _ = child.kill();
        }
        let fed = feeder.join().unwrap_or_else(|_| Err(io::Error::other("the feeder failed")));
        verified.and(fed)
    })
}

fn feed(mut input: ChildStdin, text: &[u8], total: usize) -> io::Result<()> {
    let mut left = total;
    while left > 0 {
        let length = left.min(text.len());
        input.write_all(&text[..length])?;
        left -= length;
    }
    Ok(())
}

fn verify(mut output: ChildStdout, text: &[u8], total: usize, deadline: Instant) -> io::Result<()> {
    // Long enough to compare with at any offset.
    let expected = text.repeat(1 + CHUNK.min(total).div_ceil(text.len()));
    let mut buffer = vec![0; CHUNK.min(total + 1)];
    let mut received = 0;
    loop {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| ErrorKind::InvalidInput)?;
        if poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&left))? == 0 {
            return Err(io::Error::new(ErrorKind::TimedOut, "took too long"));
        }
        let length = output.read(&mut buffer)?;
        if length == 0 && received == total {
            return Ok(());
        }
        if length == 0 {
            let message = format!("lost {} of {total} bytes at the end", total - received);
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        let from = received % text.len();
        if received + length > total || buffer[..length] != expected[from..from + length] {
            return Err(io::Error::new(ErrorKind::InvalidData, "returned other bytes"));
        }
        received += length;
    }
}
