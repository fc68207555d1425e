//! Both directions of one connection, driven by the task that owns it: bytes to send go in, events come out.
//!
//! It receives while it sends, so that no amount of data in one direction blocks the other. The stream is
//! never split, so it can be replaced in place (STARTTLS).

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{Observer, Stream};

/// How long, and for how many bytes, input is still discarded after this side has ended. Closing a socket with
/// unread input makes TCP send a reset (RFC 2525, section 2.17), which can destroy replies that the peer has
/// not read yet.
const LINGER_TIME: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// How much is discarded before other tasks get their turn.
const DISCARD_TURN: usize = 256 * 1024;

/// How long a reset waits for the peer to acknowledge what was sent before it.
const RESET_LIMIT: Duration = Duration::from_secs(5);

/// How much is discarded at a time.
const DISCARD_BUFFER: usize = 64 * 1024;

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes of the peer were appended to the buffer.
    Received,
    /// This many bytes were handed to the kernel.
    Sent(usize),
    /// This side has ended: nothing more can be sent.
    Ended,
    /// The peer takes no more. The bytes left stay unsent; what the peer said before is still to be received.
    Refused(io::Error),
    /// The peer's last bytes were received.
    PeerEnded(PeerEnd),
}

/// How the peer ended.
#[derive(Debug)]
pub(crate) enum PeerEnd {
    /// It closed its sending side.
    Eof,
    /// It did, under TLS, but without a `close_notify`: what it wanted to say may be cut short.
    Cut,
    /// It reset the connection, or violated TLS.
    Failed(io::Error),
}

/// Both directions of a connection.
#[derive(Debug)]
pub(crate) struct Link<S = Stream> {
    stream: S,
    outgoing: Outgoing,
    sending: Sending,
    has_peer_ended: bool,
    /// Whether nothing more is to be sent, although the peer's kernel might take it.
    is_refusing: bool,
    /// What was sent while bytes were received, to be reported next.
    deferred: Option<Event>,
    /// What is received before anything else. Boxed: few links have it.
    returned: Option<Box<Returned>>,
    sent: u64,
    received: u64,
}

/// What was received already, and is to be received again.
#[derive(Debug)]
struct Returned {
    bytes: Vec<u8>,
    start: usize,
    /// Whether the peer's end follows.
    has_ended: bool,
}

/// Bytes on their way to the kernel.
#[derive(Debug, Default)]
struct Outgoing {
    bytes: Vec<u8>,
    /// How many of them the stream has taken.
    taken: usize,
    /// How many of those may still be in the stream's own buffer.
    unflushed: usize,
}

/// This side of the connection.
///
/// ```text
/// Open --end()--> Ending --all sent--> Ended
///   |               |
///   +---the peer takes no more--> Refused
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Open,
    Ending,
    Ended,
    Refused,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            outgoing: Outgoing::default(),
            sending: Sending::Open,
            has_peer_ended: false,
            is_refusing: false,
            deferred: None,
            returned: None,
            sent: 0,
            received: 0,
        }
    }

    /// Sends `bytes` during the next calls of [`next`](Self::next). Nothing bounds what is queued but the
    /// caller, who waits for [`Event::Sent`].
    pub(crate) fn send(&mut self, mut bytes: Vec<u8>) {
        if self.has_unsent() {
            self.outgoing.bytes.append(&mut bytes);
        } else {
            self.outgoing = Outgoing { bytes, ..Outgoing::default() };
        }
    }

    /// Ends this side once everything is sent.
    pub(crate) fn end(&mut self) {
        if self.sending == Sending::Open {
            self.sending = Sending::Ending;
        }
    }

    /// Whether this side has not ended, is not about to, and was not refused.
    pub(crate) fn is_open(&self) -> bool {
        self.sending == Sending::Open
    }

    /// Whether this side has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.sending == Sending::Ended
    }

    /// Whether the peer takes no more.
    pub(crate) fn is_refused(&self) -> bool {
        self.sending == Sending::Refused
    }

    pub(crate) fn has_peer_ended(&self) -> bool {
        self.has_peer_ended
    }

    /// Whether bytes are left that the kernel has not taken, and never will if the peer refused them.
    pub(crate) fn has_unsent(&self) -> bool {
        self.outgoing.taken < self.outgoing.bytes.len() || self.outgoing.unflushed > 0
    }

    /// How many bytes were handed to the kernel.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes came from the kernel.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns the last bytes that were received: they are received again, and so is the peer's end if it followed.
    pub(crate) fn give_back(&mut self, bytes: Vec<u8>) {
        let has_ended = mem::replace(&mut self.has_peer_ended, false);
        self.returned = Some(Box::new(Returned { bytes, start: 0, has_ended }));
    }

    /// The buffer of the bytes that were sent last, for reuse. It is empty if there are unsent bytes.
    pub(crate) fn take_sent_buffer(&mut self) -> Vec<u8> {
        if self.has_unsent() { Vec::new() } else { mem::take(&mut self.outgoing).bytes }
    }

    /// Waits for the next event. Bytes are received into the spare capacity of `into`, which must not be
    /// empty; without a buffer nothing is received. Cancel-safe.
    ///
    /// What has arrived is reported before anything is sent. Nothing happens any more once the peer has ended
    /// and this side has ended or was refused.
    pub(crate) async fn next(&mut self, mut into: Option<&mut Vec<u8>>) -> Event {
        poll_fn(|cx| self.poll_next(cx, into.as_deref_mut())).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, into: Option<&mut Vec<u8>>) -> Poll<Event> {
        if let Some(event) = self.deferred.take() {
            return Poll::Ready(event);
        }
        if let Some(into) = into
            && !self.has_peer_ended
            && let Poll::Ready(received) = self.poll_receive(cx, into)
        {
            return Poll::Ready(match received {
                Ok(1..) => {
                    // Otherwise a peer that never pauses would keep this side from sending.
                    if let Poll::Ready(event) = self.poll_send(cx) {
                        self.deferred = Some(event);
                    }
                    Event::Received
                }
                end => {
                    self.has_peer_ended = true;
                    Event::PeerEnded(match end {
                        Ok(_) => PeerEnd::Eof,
                        Err(error) if error.kind() == ErrorKind::UnexpectedEof => PeerEnd::Cut,
                        Err(error) => PeerEnd::Failed(error),
                    })
                }
            });
        }
        self.poll_send(cx)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if let Some(returned) = &mut self.returned {
            let bytes = returned.take(into);
            if bytes > 0 || returned.has_ended {
                return Poll::Ready(Ok(bytes));
            }
            self.returned = None;
        }
        // The future holds nothing between two polls, so each poll may have a new one.
        let received = ready!(pin!(self.stream.read_buf(into)).poll(cx))?;
        self.received += received as u64;
        Poll::Ready(Ok(received))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let sent = match self.sending {
            Sending::Open | Sending::Ending if self.has_unsent() => {
                ready!(self.poll_send_bytes(cx)).map(Event::Sent)
            }
            Sending::Ending => ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).map(|()| {
                self.sending = Sending::Ended;
                Event::Ended
            }),
            Sending::Open | Sending::Ended | Sending::Refused => return Poll::Pending,
        };
        Poll::Ready(sent.unwrap_or_else(|error| {
            self.sending = Sending::Refused;
            Event::Refused(error)
        }))
    }

    /// Hands bytes to the stream and then to the kernel: a TLS stream guarantees nothing before a flush.
    fn poll_send_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_refusing {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let outgoing = &mut self.outgoing;
        if outgoing.unflushed == 0 {
            let rest = &outgoing.bytes[outgoing.taken..];
            let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            outgoing.taken += taken;
            outgoing.unflushed = taken;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.sent += outgoing.unflushed as u64;
        Poll::Ready(Ok(mem::take(&mut outgoing.unflushed)))
    }

    /// Closes the connection so that the peer can read everything: sends what is left, ends this side, and
    /// discards what the peer still sends, as [`linger`] does.
    ///
    /// Returns an error if the peer did not take what is left, or the connection was reset.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.end();
        let limit = timeout(LINGER_TIME, async {
            let mut discarded = Vec::with_capacity(DISCARD_BUFFER);
            while matches!(self.sending, Sending::Open | Sending::Ending) {
                discarded.clear();
                match self.next(Some(&mut discarded)).await {
                    Event::Received
                    | Event::Sent(_)
                    | Event::Ended
                    | Event::PeerEnded(PeerEnd::Eof | PeerEnd::Cut) => {}
                    Event::Refused(error) | Event::PeerEnded(PeerEnd::Failed(error)) => return Err(error),
                }
            }
            Ok(())
        });
        limit.await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
        if self.is_refused() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.has_peer_ended {
            return Ok(());
        }
        let mut discarded = vec![0; DISCARD_BUFFER];
        linger(|cx| {
            let mut buffer = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }
}

impl Returned {
    /// Moves as many bytes as fit.
    fn take(&mut self, into: &mut Vec<u8>) -> usize {
        let rest = &self.bytes[self.start..];
        let fitting = &rest[..rest.len().min(into.capacity() - into.len())];
        into.extend_from_slice(fitting);
        self.start += fitting.len();
        fitting.len()
    }
}

impl Link {
    /// Reports to `observer`, and to no other one, what happens from now on.
    pub(crate) fn observe(&mut self, observer: impl Observer + 'static) {
        self.stream.observe(observer);
    }

    /// Resets the connection once everything sent is acknowledged; see [`Stream::reset`].
    pub(crate) async fn reset(self) {
        self.stream.reset(RESET_LIMIT).await;
    }

    /// Makes a reset of the end of the connection; see [`Stream::abort`].
    pub(crate) fn abort(&mut self) {
        self.stream.abort();
    }

    /// Whether the end of one direction is that of the other too; see [`Stream::ends_both_ways`].
    pub(crate) fn ends_both_ways(&self) -> bool {
        self.stream.ends_both_ways()
    }

    /// Takes bytes that are unsent, or will be, for refused by the peer.
    pub(crate) fn refuse(&mut self) {
        self.is_refusing = true;
    }

    /// Whether the peer's kernel takes something that is unsent, although it was not ready for it; see
    /// [`Stream::send_unasked`]. [`next`](Self::next) reports it once it is flushed.
    pub(crate) fn send_unasked(&mut self) -> bool {
        if !self.has_unsent() || self.is_refused() || self.deferred.is_some() {
            return false;
        }
        let outgoing = &mut self.outgoing;
        // Those that are left follow a flush.
        let rest = if outgoing.unflushed > 0 { &[] } else { &outgoing.bytes[outgoing.taken..] };
        let Some(sent) = self.stream.send_unasked(rest) else { return false };
        outgoing.taken += sent;
        outgoing.unflushed += sent;
        true
    }

    /// Waits until the peer's kernel has taken everything; see [`Stream::delivered`].
    pub(crate) async fn delivered(&self) -> io::Result<()> {
        self.stream.delivered(RESET_LIMIT).await
    }
}

/// Discards input until the peer's end of stream: `poll_discard` reads once, and returns how many bytes it read.
///
/// Returns an error if the connection was reset, or the peer goes on for longer than 10 seconds or 64 MiB.
pub(crate) async fn linger(
    mut poll_discard: impl FnMut(&mut Context<'_>) -> Poll<io::Result<usize>>,
) -> io::Result<()> {
    let discard = async {
        let (mut discarded, mut turn) = (0, 0);
        while discarded < LINGER_BYTES {
            match poll_fn(&mut poll_discard).await {
                Ok(0) => return Ok(()),
                // Nothing that matters was cut short.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
                Ok(bytes) => (discarded, turn) = (discarded + bytes, turn + bytes),
            }
            if turn >= DISCARD_TURN {
                turn = 0;
                yield_now().await;
            }
        }
        Err(ErrorKind::TimedOut.into())
    };
    // Boxed: the timer would otherwise be part of every client's task.
    Box::pin(timeout(LINGER_TIME, discard)).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests;
