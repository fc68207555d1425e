//! Replies to messages, until there is a reason to end.

use std::future::poll_fn;
use std::io::{self, BufRead, Cursor, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::{Connection, Ending};
use crate::deadline::at;
use crate::memory;
use crate::message::Verdict;
use crate::serve::log::LogEvent;
use crate::serve::scratch;

/// When the server stops, it still replies to what a client has sent, until the client is quiet for this long, and
/// to at most this many bytes: what follows cannot have arrived before.
const DRAIN_QUIET: Duration = Duration::from_millis(10);
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;

/// How a TLS client begins: the type of its record, a handshake, and the major version (RFC 8446, section 5.1).
const CLIENT_HELLO: [u8; 2] = [0x16, 3];

/// What is due at a deadline.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A reply to an unfinished message: the client is quiet.
    Partial,
    /// The end of a client that is idle.
    Idle,
    /// The end of a connection that may take no longer.
    ConnectionTime,
}

impl Connection {
    pub(super) async fn converse(&mut self) -> io::Result<Ending> {
        let mut stopping = self.capitals.stopping.clone();
        // One wait for the whole conversation: starting and ending one takes a lock.
        let mut stop = pin!(stopping.changed());
        // Checked first: a client that never pauses would keep the stop from being polled.
        while self.capitals.stopping.has_changed().is_ok_and(|is_stopping| !is_stopping) {
            let (deadline, due) = self.deadline().unzip();
            let due = tokio::select! {
                biased;
                ending = poll_fn(|cx| self.poll_exchange(cx)) => {
                    if let Some(ending) = ending? {
                        return Ok(ending);
                    }
                    if !self.slice.is_over() {
                        continue;
                    }
                    yield_now().await;
                    // A client that never pauses keeps the deadline from being polled, too.
                    self.is_at_connection_end().then_some(Due::ConnectionTime)
                }
                _ = &mut stop => break,
                () = at(deadline) => due,
            };
            match due {
                Some(Due::Partial) => poll_fn(|cx| Poll::Ready(self.pause(cx))).await?,
                Some(Due::Idle) if self.send_unasked() => {}
                Some(Due::Idle) => {
                    poll_fn(|cx| Poll::Ready(self.finish(cx))).await?;
                    return Ok(Ending::Idle);
                }
                Some(Due::ConnectionTime) => {
                    poll_fn(|cx| Poll::Ready(self.finish(cx))).await?;
                    return Ok(Ending::ConnectionTime);
                }
                None => {}
            }
        }
        self.drain().await
    }

    /// What is due next if the client is silent, and when.
    // One deadline for all: each timer adds to the cost of an idle client.
    fn deadline(&self) -> Option<(Instant, Due)> {
        // Timed only while a message is pending: clients that send lines do not pay for it. A client that does not take
        // its replies does not wait for more.
        let gap = self.capitals.message_gap.filter(|_| self.messages.is_pending() && !self.has_unsent());
        let limits = &self.capitals.limits;
        let deadlines = [
            gap.map(|gap| (self.last_heard + gap, Due::Partial)),
            limits.idle.map(|limit| (self.last_heard + limit, Due::Idle)),
            limits.connection_end(self.started).map(|end| (end, Due::ConnectionTime)),
        ];
        deadlines.into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }

    fn is_at_connection_end(&self) -> bool {
        let end = self.capitals.limits.connection_end(self.started);
        end.is_some_and(|end| Instant::now() >= end)
    }

    /// Replies to what has arrived of an unfinished message.
    fn pause(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        scratch::with(|_, replies| {
            self.messages.pause(replies);
            let bytes = replies.len();
            self.capitals.admission.log.add(&LogEvent::Paused { client: self.peer, bytes });
            self.send_or_keep(cx, replies)
        })
    }

    /// Replies to an unfinished message in full.
    fn finish(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        scratch::with(|_, replies| {
            self.messages.finish(replies);
            self.send_or_keep(cx, replies)
        })
    }

    /// Replies to what the client sent before the server stopped.
    async fn drain(&mut self) -> io::Result<Ending> {
        let end = self.received + DRAIN_BYTES;
        while self.received < end {
            poll_fn(|cx| self.poll_send_unsent(cx)).await?;
            match Box::pin(timeout(DRAIN_QUIET, poll_fn(|cx| self.poll_answer(cx)))).await {
                Ok(Ok(None)) => {}
                Ok(ending) => return Ok(ending?.unwrap_or(Ending::Stopped)),
                Err(_) => {
                    poll_fn(|cx| Poll::Ready(self.finish(cx))).await?;
                    break;
                }
            }
            if self.slice.is_over() {
                yield_now().await;
            }
        }
        Ok(Ending::Stopped)
    }

    /// Sends some of what is unsent, or, if there is nothing, reads once and replies.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Ending>>> {
        if self.has_unsent() {
            return self.poll_send_some(cx).map_ok(|()| None);
        }
        self.poll_answer(cx)
    }

    /// Sends as much of what is unsent as the client takes. Ready once it has taken anything: deadlines change.
    pub(super) fn poll_send_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.sent;
        match self.poll_send_unsent(cx) {
            Poll::Pending if self.sent > before => Poll::Ready(Ok(())),
            sent => sent,
        }
    }

    /// Sends all of what is unsent.
    fn poll_send_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.get_ref().is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, self.unsent.fill_buf()?))?;
            self.on_sent(sent);
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the client takes some of what is unsent, although its kernel has not said so.
    pub(super) fn send_unasked(&mut self) -> bool {
        // Bytes that are written may still have to be flushed.
        if !self.has_unsent() {
            return false;
        }
        let rest = self.unsent.fill_buf().unwrap_or_default();
        let Some(sent) = self.stream.send_unasked(rest) else { return false };
        self.on_sent(sent);
        true
    }

    fn on_sent(&mut self, bytes: usize) {
        self.unsent.consume(bytes);
        self.sent += bytes as u64;
        // A client that takes replies is alive.
        self.last_heard = Instant::now();
        if self.unsent.position() == self.unsent.get_ref().len() as u64 {
            self.unsent = Cursor::default();
            self.is_unflushed = true;
        }
    }

    /// Reads once and writes the replies, with the shared buffers; what the client does not take is copied.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Ending>>> {
        let start = self.slice.start();
        scratch::with(|input, spare| {
            let mut buffer = ReadBuf::new(&mut input.space()[..self.slice.read_limit()]);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                // An unfinished message may be cut short: it has no reply.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(Some(Ending::Cut)));
                }
                read => read?,
            }
            let length = buffer.filled().len();
            let is_clear = self.capitals.admission.tls.is_none();
            if self.received == 0 && is_clear && buffer.filled().starts_with(&CLIENT_HELLO) {
                self.capitals.admission.log.add(&LogEvent::Hello { client: self.peer });
            }
            self.received += length as u64;

            let (ending, replies) = if length == 0 {
                self.messages.finish(spare);
                (Some(Ending::ClientEnd), &**spare)
            } else {
                match self.messages.receive(input, length, spare)? {
                    (Verdict::Open, replies) => (None, replies),
                    (Verdict::Close, replies) => (Some(Ending::CloseWord), replies),
                }
            };
            // The clock is read only for clients that are timed.
            if self.capitals.limits.idle.is_some() || self.messages.is_pending() {
                self.last_heard = Instant::now();
            }
            self.send_or_keep(cx, replies)?;
            self.slice.spend(length, start);
            Poll::Ready(Ok(ending))
        })
    }

    /// Sends what the client takes now, and keeps the rest.
    fn send_or_keep(&mut self, cx: &mut Context<'_>, mut replies: &[u8]) -> io::Result<()> {
        // Not before those that are kept already.
        while !replies.is_empty() && self.unsent.get_ref().is_empty() {
            let Poll::Ready(sent) = Pin::new(&mut self.stream).poll_write(cx, replies)? else {
                break;
            };
            self.sent += sent as u64;
            replies = &replies[sent..];
        }
        let unsent = self.unsent.get_mut();
        memory::reserve(unsent, replies.len())?;
        unsent.extend_from_slice(replies);
        if unsent.is_empty() {
            self.is_unflushed = Pin::new(&mut self.stream).poll_flush(cx)?.is_pending();
        }
        Ok(())
    }

    /// Reads once, and forgets what was read.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        scratch::with(|input, _| {
            let mut input = ReadBuf::new(input.space());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut input))?;
            self.received += input.filled().len() as u64;
            Poll::Ready(Ok(input.filled().len()))
        })
    }
}
