//! One conversation with a server: what is sent and received, who still owes what, and how it ends.
//!
//! It reads while it writes, so that no size of either side's data stops the other. It knows nothing of
//! where the bytes come from and go to.

use std::future::pending;
use std::io::{self, Cursor};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::Instant;

use crate::deadline::at;
use crate::failure::{Failure, Status};
use crate::transport::Stream;

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The server's next bytes are in the buffer.
    Received,
    /// All that was to be sent is with the kernel.
    Sent,
    /// The server has ended its side. Nothing more comes.
    Closed,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    address: String,
    outgoing: Cursor<Vec<u8>>,
    output: Output,
    /// How long the server may keep silent while it owes something.
    patience: Option<Duration>,
    last_activity: Instant,
    /// Whether nothing could be received for lack of a buffer.
    is_blocked: bool,
    /// Whether bytes were handed over whose sending was not told yet.
    is_sent_due: bool,
    /// Whether bytes were sent and none have been received since.
    is_reply_owed: bool,
    sent: u64,
    received: u64,
}

/// This side of the connection.
#[derive(Debug)]
enum Output {
    Open,
    /// To be ended once all is sent.
    Ending,
    Ended,
    /// The server takes no more, and how it said so: its end of stream may still be on its way to us.
    Refused(io::Error),
}

impl Conversation {
    pub(super) fn new(stream: Stream, address: String, patience: Option<Duration>) -> Self {
        let (reader, writer) = split(stream);
        Self {
            reader,
            writer,
            address,
            outgoing: Cursor::default(),
            output: Output::Open,
            patience,
            last_activity: Instant::now(),
            is_blocked: false,
            is_sent_due: false,
            is_reply_owed: false,
            sent: 0,
            received: 0,
        }
    }

    /// How the server is called in messages.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether the next bytes can be taken: this side is open, and [`Event::Sent`] was told of the last ones.
    pub(super) fn wants_input(&self) -> bool {
        matches!(self.output, Output::Open) && !self.is_sent_due
    }

    /// Whether bytes are left that the kernel has not taken, and perhaps never will.
    pub(super) fn has_unsent(&self) -> bool {
        self.outgoing.position() < self.outgoing.get_ref().len() as u64
    }

    /// Sends `bytes` during the next calls of [`next`](Self::next). There is no bound on what waits to be
    /// sent but the caller's heed to [`Self::wants_input`].
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        if self.has_unsent() {
            self.outgoing.get_mut().extend_from_slice(&bytes);
        } else {
            self.outgoing = Cursor::new(bytes);
        }
        self.is_sent_due = true;
        self.last_activity = Instant::now();
    }

    /// The memory of the bytes that were sent last, to be filled again.
    pub(super) fn take_sent_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing).into_inner()
    }

    /// Ends this side once all is sent: nothing more will be.
    pub(super) fn end(&mut self) {
        if matches!(self.output, Output::Open) {
            self.output = Output::Ending;
            self.last_activity = Instant::now();
        }
    }

    /// Sends and receives until something has happened. Bytes are appended to `buffer`'s spare capacity,
    /// which must not be empty; without a buffer nothing is received, and the server is not to blame for
    /// its silence. Cancelled at any point, it loses nothing.
    ///
    /// # Errors
    /// A reset, and the end of the server's time ([`Status::TimedOut`]).
    pub(super) async fn next(&mut self, mut buffer: Option<&mut Vec<u8>>) -> Result<Event> {
        if std::mem::replace(&mut self.is_blocked, buffer.is_none()) {
            self.last_activity = Instant::now();
        }
        loop {
            if self.is_sent_due && !self.has_unsent() {
                self.is_sent_due = false;
                return Ok(Event::Sent);
            }
            let patience = self.patience.filter(|_| buffer.is_some() && self.owes());
            let deadline = patience.map(|patience| self.last_activity + patience);
            let is_sending = self.is_sending();
            let ends_now = !is_sending && matches!(self.output, Output::Ending);
            tokio::select! {
                biased;
                received = receive(&mut self.reader, buffer.as_deref_mut()) => {
                    return self.on_received(received);
                }
                advanced = advance(&mut self.writer, &mut self.outgoing, ends_now), if is_sending || ends_now => {
                    self.on_advanced(advanced, ends_now)?;
                }
                () = at(deadline) => {
                    let patience = self.patience.unwrap_or_default();
                    return Err(Failure::new(
                        Status::TimedOut,
                        format_args!("no reply from {} within {patience:?}", self.address),
                    ).into());
                }
            }
        }
    }

    fn is_sending(&self) -> bool {
        self.has_unsent() && !matches!(self.output, Output::Refused(_))
    }

    /// Whether something is due from the server: a reply, its end after ours, or that it takes our bytes.
    fn owes(&self) -> bool {
        self.is_reply_owed || self.is_sending() || !matches!(self.output, Output::Open)
    }

    fn on_received(&mut self, received: io::Result<usize>) -> Result<Event> {
        match received {
            Ok(0) => self.on_end(),
            Ok(bytes) => {
                self.received += bytes as u64;
                self.last_activity = Instant::now();
                self.is_reply_owed = false;
                Ok(Event::Received)
            }
            Err(error) => Err(error).with_context(|| self.broken()),
        }
    }

    /// The end of what can be read: the server's end of stream, or a reset that was told to a write, since
    /// the kernel tells it only once.
    fn on_end(&mut self) -> Result<Event> {
        match std::mem::replace(&mut self.output, Output::Ended) {
            Output::Refused(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(error).with_context(|| self.broken())
            }
            _ => Ok(Event::Closed),
        }
    }

    fn on_advanced(&mut self, advanced: io::Result<usize>, ends_now: bool) -> Result<()> {
        match advanced {
            Ok(_) if ends_now => self.output = Output::Ended,
            Ok(bytes) => {
                self.sent += bytes as u64;
                self.last_activity = Instant::now();
                self.is_reply_owed = true;
            }
            // What the server sent before is still to be read, an orderly end of stream perhaps.
            Err(error) if is_refusal(&error) => self.output = Output::Refused(error),
            Err(error) => return Err(error).with_context(|| self.broken()),
        }
        Ok(())
    }

    fn broken(&self) -> String {
        format!("the connection to {} broke", self.address)
    }
}

async fn receive(reader: &mut ReadHalf<Stream>, buffer: Option<&mut Vec<u8>>) -> io::Result<usize> {
    match buffer {
        Some(buffer) => reader.read_buf(buffer).await,
        None => pending().await,
    }
}

/// Sends some of the bytes that are left, or ends this side where none are; says how many were sent.
async fn advance(
    writer: &mut WriteHalf<Stream>,
    outgoing: &mut Cursor<Vec<u8>>,
    ends_now: bool,
) -> io::Result<usize> {
    if ends_now { writer.shutdown().await.map(|()| 0) } else { writer.write_buf(outgoing).await }
}

/// Whether an error of sending says that the server takes no more (send(2), shutdown(2)).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}
