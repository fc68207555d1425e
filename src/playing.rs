//! A player on a real connection: what both subcommands do with one.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, timeout};

use crate::deadline::at;
use crate::failure::{Failure, Status};
use crate::transcript::{self, Divergence, End, Playable, Player, Side, Step};
use crate::transport::Stream;

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

/// How long a reset waits for the other side to take what was sent before it.
const RESET_LIMIT: Duration = Duration::from_secs(5);

/// How long, and for how many bytes, the other side is still heard after the end, so that the kernel sends no
/// reset that would destroy what it has not read yet (RFC 2525, section 2.17).
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// Reads a transcript of which the side `own` can be played.
///
/// # Errors
/// [`Status::Usage`] where it cannot be read, or is none.
pub(crate) fn open(path: &Path, own: Side) -> Result<Playable> {
    let usage = |message: &dyn Display| Failure::new(Status::Usage, message);
    let not_read = |error: &dyn Display| usage(&format_args!("could not read {}: {error}", path.display()));
    // A device may have no end, unlike a pipe that somebody writes a transcript to.
    if fs::metadata(path)
        .is_ok_and(|metadata| metadata.file_type().is_char_device() || metadata.file_type().is_block_device())
    {
        return Err(not_read(&"it is no file").into());
    }
    let bytes = fs::read(path).map_err(|error| not_read(&error))?;
    let transcript = transcript::read(path, &bytes).map_err(|error| usage(&error))?;
    Ok(Playable::new(transcript, own).map_err(|error| usage(&error))?)
}

/// Plays to the end, and closes the connection.
pub(crate) async fn play<P: Player>(player: &mut P, stream: Stream) -> Result<P::Outcome, Divergence> {
    let mut performance = Performance::new(stream);
    let result = performance.run(player).await;
    if performance.resets {
        let Performance { reader, writer, .. } = performance;
        reader.unsplit(writer).reset(RESET_LIMIT).await;
    } else if player.own() == Side::Server {
        performance.close().await;
    }
    result
}

/// Sends some of `bytes`, or ends this side where there are none.
async fn send(writer: &mut WriteHalf<Stream>, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() { writer.shutdown().await.map(|()| 0) } else { writer.write(bytes).await }
}

/// How far this side's end has come.
#[derive(PartialEq)]
enum OwnEnd {
    Open,
    /// To be ended once all is sent.
    Due,
    Ended,
}

struct Performance {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    start: Instant,
    outgoing: Vec<u8>,
    sent: usize,
    end: OwnEnd,
    has_peer_ended: bool,
    /// How the peer said that it takes no more: the end of what it says may still be on its way.
    refused: Option<io::ErrorKind>,
    resets: bool,
}

impl Performance {
    fn new(stream: Stream) -> Self {
        let (reader, writer) = split(stream);
        Self {
            reader,
            writer,
            start: Instant::now(),
            outgoing: Vec::new(),
            sent: 0,
            end: OwnEnd::Open,
            has_peer_ended: false,
            refused: None,
            resets: false,
        }
    }

    async fn run<P: Player>(&mut self, player: &mut P) -> Result<P::Outcome, Divergence> {
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            let until = match player.advance(self.start.elapsed()) {
                Step::Send(bytes) => {
                    self.outgoing.drain(..self.sent);
                    self.sent = 0;
                    self.outgoing.extend_from_slice(&bytes);
                    continue;
                }
                Step::End => {
                    self.end = OwnEnd::Due;
                    continue;
                }
                Step::Reset => {
                    self.resets = true;
                    continue;
                }
                Step::Done(result) => return result,
                Step::Wait(until) => until.map(|until| self.start + until),
            };
            self.wait(player, &mut buffer, until).await;
        }
    }

    /// Reads and sends until something has happened, or the time has come.
    async fn wait(&mut self, player: &mut impl Player, buffer: &mut Vec<u8>, until: Option<Instant>) {
        let has_unsent = self.sent < self.outgoing.len();
        let ends_now = self.end == OwnEnd::Due && !has_unsent;
        let reads = !self.has_peer_ended && player.wants_bytes();
        tokio::select! {
            biased;
            read = self.reader.read_buf(buffer), if reads => {
                self.on_read(&read, buffer, player);
                buffer.clear();
            }
            sent = send(&mut self.writer, &self.outgoing[self.sent..]), if has_unsent || ends_now => match sent {
                // Where an end fails, the peer is gone, and reading tells.
                _ if ends_now => self.end = OwnEnd::Ended,
                Ok(bytes) => {
                    self.sent += bytes;
                    player.sent(bytes, self.start.elapsed());
                }
                Err(error) => {
                    self.refused = Some(error.kind());
                    self.sent = self.outgoing.len();
                    player.refused(self.start.elapsed());
                }
            },
            () = at(until) => {}
        }
    }

    fn on_read(&mut self, read: &io::Result<usize>, buffer: &[u8], player: &mut impl Player) {
        let now = self.start.elapsed();
        let is_reset = |kind| kind == io::ErrorKind::ConnectionReset;
        let end = match read {
            Ok(1..) => return player.receive(buffer, now),
            // A reset that was told to a write is told only once.
            Ok(0) if !self.refused.is_some_and(is_reset) => End::Eof,
            _ => End::Reset,
        };
        self.has_peer_ended = true;
        player.end(end, now);
    }

    /// Sends what is left, ends this side, and hears the other one out.
    async fn close(mut self) {
        let end = async {
            // Where either fails, the peer is gone.
            let _ = self.writer.write_all(&self.outgoing[self.sent..]).await;
            let _ = self.writer.shutdown().await;
        };
        let mut buffer = Vec::with_capacity(BUFFER);
        let hear_out = async {
            let mut discarded = 0;
            while !self.has_peer_ended && discarded < LINGER_BYTES {
                buffer.clear();
                match self.reader.read_buf(&mut buffer).await {
                    Ok(1..) => discarded += buffer.len(),
                    _ => return,
                }
            }
        };
        let _ = timeout(LINGER_TIME, async { tokio::join!(end, hear_out) }).await;
    }
}
