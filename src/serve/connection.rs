//! One client, from its first byte to the orderly end of its connection.
//!
//! Two things bound what a client costs. Nothing is read from it while replies wait to be sent, so one that
//! never reads holds the replies to one read and no more. And the large buffers are one pair for all: a
//! connection borrows them while it is polled, so one that is idle owns none.

use std::future::poll_fn;
use std::io::{self, BufRead, Cursor};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::log::{Event, Log};
use super::scratch;
use crate::deadline::at;
use crate::message::{Messages, ROOM, Verdict};
use crate::transport::Peer;

/// How long, and for how many bytes, the server goes on reading after it has ended its own side. A close
/// with unread input makes TCP send a reset (RFC 2525, section 2.17), which can destroy replies that the
/// client has not read yet.
const LINGER_TIME: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// When the server stops, what a client has sent is answered until it has been quiet for this long, and no
/// more than so many bytes: those that follow cannot have been received before.
const DRAIN_QUIET: Duration = Duration::from_millis(10);
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;

/// What holds for every client. (One for all: what each has of its own is what an idle one costs.)
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) message_gap: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) log: Log,
}

/// Why a conversation ended.
#[derive(Debug)]
enum Ending {
    /// The client ended its side.
    ClientEnd,
    /// A message contained the close word.
    CloseWord,
    /// The client sent nothing for too long.
    Idle,
    /// The server was told to stop.
    Stopped,
}

/// A client that is connected.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    peer: Peer,
    terms: Arc<Terms>,
    messages: Messages,
    /// Replies that the client has not taken yet; nothing is read before they are gone.
    unsent: Cursor<Vec<u8>>,
    started: Instant,
    last_heard: Instant,
    received: u64,
    sent: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, peer: Peer, terms: Arc<Terms>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            peer,
            terms,
            messages: Messages::default(),
            unsent: Cursor::default(),
            started: now,
            last_heard: now,
            received: 0,
            sent: 0,
        }
    }

    /// Serves the client until the connection is closed. (By reference: by value, the task that waits here
    /// would hold the connection twice.)
    pub(super) async fn run(&mut self) {
        self.terms.log.tell(&Event::Connected { client: self.peer });
        let ending = self.converse().await;
        let reason = match &ending {
            Ok(Ending::ClientEnd) => "closed by the client".into(),
            Ok(Ending::CloseWord) => "asked to close".into(),
            Ok(Ending::Idle) => "idle for too long".into(),
            Ok(Ending::Stopped) => "server stopped".into(),
            Err(error) => error.to_string().into(),
        };
        let in_order = match ending {
            Ok(ending) => self.close(&ending).await.is_ok(),
            Err(_) => false,
        };
        self.terms.log.tell(&Event::Disconnected {
            client: self.peer,
            reason,
            in_order,
            messages: self.messages.count(),
            received: self.received,
            sent: self.sent,
            seconds: self.started.elapsed().as_secs_f64(),
        });
    }

    /// Answers messages until there is a reason to end.
    async fn converse(&mut self) -> io::Result<Ending> {
        let mut stopping = self.terms.stopping.clone();
        // Waited for once and not anew for each message: to begin and to end it takes a lock.
        let mut stop = pin!(stopping.changed());
        // Asked first, since a client that never pauses would keep the stop from being waited for.
        while self.terms.stopping.has_changed().is_ok_and(|is_stopping| !is_stopping) {
            let (first_end, is_gap) = self.first_end();
            tokio::select! {
                biased;
                ending = poll_fn(|cx| self.poll_exchange(cx)) => {
                    if let Some(ending) = ending? {
                        return Ok(ending);
                    }
                }
                _ = &mut stop => break,
                () = at(first_end) => {
                    if !is_gap {
                        self.messages.finish(self.unsent.get_mut());
                        return Ok(Ending::Idle);
                    }
                    self.pause();
                }
            }
        }
        self.drain().await
    }

    /// When the client will have been silent for too long, and whether only for an unfinished message. (One time
    /// for both: each timer is a part of what an idle client costs.)
    fn first_end(&self) -> (Option<Instant>, bool) {
        // The gap is timed only while a message is pending, so those who send lines never pay for it.
        let gap = self.terms.message_gap.filter(|_| self.messages.is_pending());
        let gap_ends = gap.map(|gap| self.last_heard + gap);
        // One that has replies to take is not heard at all, and may have sent more.
        let idle_timeout = self.terms.idle_timeout.filter(|_| self.unsent.get_ref().is_empty());
        let idle_ends = idle_timeout.map(|limit| self.last_heard + limit);
        let first_end = gap_ends.into_iter().chain(idle_ends).min();
        (first_end, first_end == gap_ends)
    }

    /// Answers what has come of an unfinished message.
    fn pause(&mut self) {
        let unsent = self.unsent.get_mut();
        let before = unsent.len();
        self.messages.pause(unsent);
        let bytes = unsent.len() - before;
        self.terms.log.tell(&Event::Paused { client: self.peer, bytes });
    }

    /// Answers what the client sent before the server was told to stop.
    async fn drain(&mut self) -> io::Result<Ending> {
        let end = self.received + DRAIN_BYTES;
        while self.received < end {
            poll_fn(|cx| self.poll_send_unsent(cx)).await?;
            match Box::pin(timeout(DRAIN_QUIET, poll_fn(|cx| self.poll_answer(cx)))).await {
                Ok(Ok(None)) => {}
                Ok(ending) => return Ok(ending?.unwrap_or(Ending::Stopped)),
                Err(_) => {
                    self.messages.finish(self.unsent.get_mut());
                    break;
                }
            }
        }
        Ok(Ending::Stopped)
    }

    /// Sends what is unsent, then reads once and answers.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Ending>>> {
        ready!(self.poll_send_unsent(cx))?;
        self.poll_answer(cx)
    }

    fn poll_send_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.get_ref().is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.unsent.fill_buf()?))?;
            self.unsent.consume(written);
            self.sent += written as u64;
            // A client that takes replies is there.
            self.last_heard = Instant::now();
            if self.unsent.fill_buf()?.is_empty() {
                self.unsent = Cursor::default();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes the replies at once, from and to the shared buffers; what the client does not
    /// take becomes the connection's own.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Ending>>> {
        scratch::with(|input, spare| {
            let mut buffer = ReadBuf::new(&mut input[ROOM..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let length = buffer.filled().len();
            self.received += length as u64;

            let (ending, replies) = if length == 0 {
                spare.clear();
                self.messages.finish(spare);
                (Some(Ending::ClientEnd), &**spare)
            } else {
                match self.messages.receive(&mut input[..ROOM + length], spare) {
                    (Verdict::Open, replies) => (None, replies),
                    (Verdict::Close, replies) => (Some(Ending::CloseWord), replies),
                }
            };
            // The clock is read only for those who are timed.
            if self.terms.idle_timeout.is_some() || self.messages.is_pending() {
                self.last_heard = Instant::now();
            }
            self.send_or_keep(cx, replies)?;
            Poll::Ready(Ok(ending))
        })
    }

    /// Sends what the client takes now, and keeps the rest.
    fn send_or_keep(&mut self, cx: &mut Context<'_>, mut replies: &[u8]) -> io::Result<()> {
        while !replies.is_empty() {
            let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, replies)? else {
                *self.unsent.get_mut() = replies.to_vec();
                break;
            };
            self.sent += written as u64;
            replies = &replies[written..];
        }
        Ok(())
    }

    /// Ends the connection so that the client can read every reply: sends the rest, ends this side, and
    /// discards what the client still sends until it ends its own.
    async fn close(&mut self, ending: &Ending) -> io::Result<()> {
        poll_fn(|cx| self.poll_send_unsent(cx)).await?;
        self.stream.shutdown().await?;
        match ending {
            Ending::ClientEnd => Ok(()),
            _ => Box::pin(timeout(LINGER_TIME, self.linger())).await?,
        }
    }

    async fn linger(&mut self) -> io::Result<()> {
        let mut discarded = 0;
        while discarded < LINGER_BYTES {
            match poll_fn(|cx| self.poll_discard(cx)).await? {
                0 => return Ok(()),
                bytes => discarded += bytes,
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends on and on"))
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        scratch::with(|input, _| {
            let mut input = ReadBuf::new(input);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut input))?;
            self.received += input.filled().len() as u64;
            Poll::Ready(Ok(input.filled().len()))
        })
    }
}
