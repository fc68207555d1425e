//! One conversation with a server: what is sent and received, what is outstanding, and how it ends.
//!
//! It does not know where the bytes come from and go to.

use std::io;
use std::mem;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use tokio::time::Instant;

use crate::deadline::at;
use crate::status::{Failure, Status};
use crate::transport::{Event, Link, PeerEnd};

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The server's next bytes are in the buffer.
    Received,
    /// Everything queued is with the kernel.
    Sent,
    /// This side has ended.
    Ended,
    /// The server has closed its sending side. It may still take what is sent.
    ServerEnded,
    /// The server has closed its sending side and takes no more.
    Refused,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    link: Link,
    /// The server's address, for messages.
    address: String,
    /// How long the server may be silent while something is outstanding.
    timeout: Option<Duration>,
    last_activity: Instant,
    /// Whether nothing could be received for lack of a buffer.
    is_blocked: bool,
    /// Whether bytes were queued and [`Progress::Sent`] was not returned for them yet.
    is_sent_due: bool,
    /// Whether bytes were sent, or a greeting is awaited, and none have been received since.
    is_reply_outstanding: bool,
}

impl Conversation {
    pub(super) fn new(link: Link, address: String, timeout: Option<Duration>) -> Self {
        Self {
            link,
            address,
            timeout,
            last_activity: Instant::now(),
            is_blocked: false,
            is_sent_due: false,
            is_reply_outstanding: false,
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn sent(&self) -> u64 {
        self.link.sent()
    }

    pub(super) fn received(&self) -> u64 {
        self.link.received()
    }

    /// Whether the next bytes can be taken: this side is open, and the last ones are sent.
    pub(super) fn wants_input(&self) -> bool {
        self.link.is_open() && !self.is_sent_due
    }

    /// Whether bytes are left that the kernel has not taken, and never will if the server refused them.
    pub(super) fn has_unsent(&self) -> bool {
        self.link.has_unsent()
    }

    /// Whether this side has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.link.has_ended()
    }

    /// Queues `bytes`; the next calls of [`next`](Self::next) send them. Only the caller's regard for
    /// [`Self::wants_input`] bounds the queue.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        self.link.send(bytes);
        self.is_sent_due = true;
        self.last_activity = Instant::now();
    }

    /// Counts the time until the server speaks first like the time until it replies.
    pub(super) fn await_greeting(&mut self) {
        self.is_reply_outstanding = true;
    }

    /// Whether the server is to speak next.
    pub(super) fn is_reply_outstanding(&self) -> bool {
        self.is_reply_outstanding
    }

    /// The buffer of the bytes that were sent last, for reuse.
    pub(super) fn take_sent_buffer(&mut self) -> Vec<u8> {
        self.link.take_sent_buffer()
    }

    /// Ends this side once everything is sent.
    pub(super) fn end(&mut self) {
        self.link.end();
        self.last_activity = Instant::now();
    }

    /// Sends and receives until something has happened. Bytes are received into the spare capacity of
    /// `buffer`, which must not be empty; without a buffer nothing is received, and the server is not to blame
    /// for its silence. Cancel-safe.
    ///
    /// Returns an error for a reset, and when the server's time is up ([`Status::TimedOut`]).
    pub(super) async fn next(&mut self, mut buffer: Option<&mut Vec<u8>>) -> Result<Progress> {
        let is_blocked = buffer.is_none() && !self.link.has_peer_ended();
        if mem::replace(&mut self.is_blocked, is_blocked) {
            self.last_activity = Instant::now();
        }
        loop {
            if self.is_sent_due && !self.link.has_unsent() {
                self.is_sent_due = false;
                return Ok(Progress::Sent);
            }
            let timeout = self.timeout.filter(|_| self.awaits_server());
            let deadline = timeout.map(|timeout| self.last_activity + timeout);
            tokio::select! {
                biased;
                event = self.link.next(buffer.as_deref_mut()) => {
                    if let Some(progress) = self.on_event(event)? {
                        return Ok(progress);
                    }
                }
                () = at(deadline) => return Err(self.timed_out()),
            }
        }
    }

    /// Whether the server is to do something: take bytes, reply, or end after this side's end.
    fn awaits_server(&self) -> bool {
        let takes_bytes = self.link.has_unsent() && !self.link.is_refused();
        if self.link.has_peer_ended() {
            return takes_bytes;
        }
        !self.is_blocked && (takes_bytes || self.is_reply_outstanding || !self.link.is_open())
    }

    fn on_event(&mut self, event: Event) -> Result<Option<Progress>> {
        self.last_activity = Instant::now();
        match event {
            Event::Received => {
                self.is_reply_outstanding = false;
                Ok(Some(Progress::Received))
            }
            Event::Sent(_) => {
                self.is_reply_outstanding = true;
                Ok(None)
            }
            Event::Ended => Ok(Some(Progress::Ended)),
            Event::PeerEnded(PeerEnd::Eof) if self.link.is_refused() => Ok(Some(Progress::Refused)),
            Event::PeerEnded(PeerEnd::Eof) => {
                if self.link.ends_both_ways() {
                    self.link.refuse();
                }
                Ok(Some(Progress::ServerEnded))
            }
            Event::PeerEnded(PeerEnd::Cut) => {
                Err(anyhow!("{}: TLS connection cut (no close_notify)", self.address))
            }
            Event::PeerEnded(PeerEnd::Failed(error)) => Err(error).with_context(|| self.address.clone()),
            Event::Refused(error) if !is_refusal(&error) => Err(error).with_context(|| self.address.clone()),
            Event::Refused(_) if self.link.has_peer_ended() => Ok(Some(Progress::Refused)),
            // What the server sent before is still to be received, a clean end of stream perhaps.
            Event::Refused(_) => Ok(None),
        }
    }

    fn timed_out(&self) -> Error {
        let (timeout, address) = (self.timeout.unwrap_or_default(), &self.address);
        let message = if self.link.has_peer_ended() {
            format!("timed out after {timeout:?} waiting for {address} to take more input")
        } else {
            format!("timed out after {timeout:?} waiting for a reply from {address}")
        };
        Failure::new(Status::TimedOut, message).into()
    }

    /// The failure for input that the server did not take.
    pub(super) fn closed_early(&self) -> Error {
        let message = format_args!("{} closed the connection before all input was sent", self.address);
        Failure::new(Status::Mismatch, message).into()
    }
}

/// Whether an error of sending says that the server takes no more (send(2), shutdown(2)).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}
