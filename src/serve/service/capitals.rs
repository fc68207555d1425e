//! Replies in capitals: one client, from its first byte to the clean end of its connection.
//!
//! Two things bound what a client costs. A client with unsent replies is not read from, so one that never reads ties
//! up at most the replies to one read. And the large buffers are shared: a client borrows them while it is polled,
//! so one that is idle owns none.
//!
//! ```text
//! converse --close word, idle, client's end--> close: send the rest, end, linger
//!    |                                           ^
//!    +--the server stops--> drain ---------------+
//! ```

use std::future::poll_fn;
use std::io::{self, BufRead, Cursor};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::deadline::at;
use crate::message::{CLOSE_WORD, Messages, Verdict};
use crate::messages::reason;
use crate::serve::client::{Admission, Client};
use crate::serve::log::LogEvent;
use crate::serve::scratch;
use crate::transport::{Peer, linger};

/// When the server stops, it still replies to what a client has sent, until the client is quiet for this long, and
/// to at most this many bytes: what follows cannot have arrived before.
const DRAIN_QUIET: Duration = Duration::from_millis(10);
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;

/// What all clients share: what each has of its own is the cost of an idle one.
#[derive(Debug)]
pub(in crate::serve) struct Capitals {
    pub(super) message_gap: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) admission: Admission,
}

impl Capitals {
    pub(super) fn spawn(capitals: &Arc<Self>, client: Client) {
        let Client { stream, peer, place } = client;
        let mut conversation = Conversation::new(stream, peer, Arc::clone(capitals));
        tokio::spawn(async move {
            let admission = &conversation.capitals.admission;
            let admitted = admission.admit(&mut conversation.stream, peer);
            conversation.run().await;
            drop((conversation, admitted, place));
        });
    }
}

/// Why a conversation ended.
#[derive(Debug)]
enum Ending {
    /// The client closed its sending side.
    ClientEnd,
    /// A message contained the close word.
    CloseWord,
    /// The client sent nothing for too long.
    Idle,
    /// The server stops.
    Stopped,
}

/// The conversation with one client.
#[derive(Debug)]
struct Conversation<S> {
    stream: S,
    peer: Peer,
    capitals: Arc<Capitals>,
    messages: Messages,
    /// Replies that the client has not taken yet; nothing is read before they are gone.
    unsent: Cursor<Vec<u8>>,
    /// Whether the stream may have bytes in a buffer of its own.
    is_unflushed: bool,
    started: Instant,
    last_heard: Instant,
    received: u64,
    sent: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    fn new(stream: S, peer: Peer, capitals: Arc<Capitals>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            peer,
            capitals,
            messages: Messages::default(),
            unsent: Cursor::default(),
            is_unflushed: false,
            started: now,
            last_heard: now,
            received: 0,
            sent: 0,
        }
    }

    /// Serves the client until the connection is closed.
    // By reference: by value, the task that waits here would hold the conversation twice.
    async fn run(&mut self) {
        let ending = self.converse().await;
        let reason = match &ending {
            Ok(Ending::ClientEnd) => "closed by client".into(),
            Ok(Ending::CloseWord) => CLOSE_WORD.into(),
            Ok(Ending::Idle) => "idle timeout".into(),
            Ok(Ending::Stopped) => "server stopped".into(),
            Err(error) => reason(error).into(),
        };
        let clean = match ending {
            Ok(ending) => self.close(&ending).await.is_ok(),
            Err(_) => false,
        };
        self.capitals.admission.log.add(&LogEvent::Disconnected {
            client: self.peer,
            reason,
            clean,
            messages: self.messages.count(),
            received: self.received,
            sent: self.sent,
            seconds: self.started.elapsed().as_secs_f64(),
        });
    }

    /// Replies to messages until there is a reason to end.
    async fn converse(&mut self) -> io::Result<Ending> {
        let mut stopping = self.capitals.stopping.clone();
        // One wait for the whole conversation: starting and ending one takes a lock.
        let mut stop = pin!(stopping.changed());
        // Checked first: a client that never pauses would keep the stop from being polled.
        while self.capitals.stopping.has_changed().is_ok_and(|is_stopping| !is_stopping) {
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

    /// When the client will have been silent for too long, and whether only for an unfinished message.
    // One deadline for both: each timer adds to the cost of an idle client.
    fn first_end(&self) -> (Option<Instant>, bool) {
        // Timed only while a message is pending: clients that send lines do not pay for it.
        let gap = self.capitals.message_gap.filter(|_| self.messages.is_pending());
        let gap_ends = gap.map(|gap| self.last_heard + gap);
        // A client with unsent replies is not read from, and may have sent more.
        let idle_timeout = self.capitals.idle_timeout.filter(|_| self.unsent.get_ref().is_empty());
        let idle_ends = idle_timeout.map(|limit| self.last_heard + limit);
        let first_end = gap_ends.into_iter().chain(idle_ends).min();
        (first_end, first_end == gap_ends)
    }

    /// Replies to what has arrived of an unfinished message.
    fn pause(&mut self) {
        let unsent = self.unsent.get_mut();
        let before = unsent.len();
        self.messages.pause(unsent);
        let bytes = unsent.len() - before;
        self.capitals.admission.log.add(&LogEvent::Paused { client: self.peer, bytes });
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
                    self.messages.finish(self.unsent.get_mut());
                    break;
                }
            }
        }
        Ok(Ending::Stopped)
    }

    /// Sends what is unsent, then reads once and replies.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Ending>>> {
        ready!(self.poll_send_unsent(cx))?;
        self.poll_answer(cx)
    }

    fn poll_send_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.get_ref().is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.unsent.fill_buf()?))?;
            self.unsent.consume(written);
            self.sent += written as u64;
            // A client that takes replies is alive.
            self.last_heard = Instant::now();
            if self.unsent.fill_buf()?.is_empty() {
                self.unsent = Cursor::default();
                self.is_unflushed = true;
            }
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes the replies, with the shared buffers; what the client does not take is copied.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Ending>>> {
        scratch::with(|input, spare| {
            let mut buffer = ReadBuf::new(input.space());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let length = buffer.filled().len();
            self.received += length as u64;

            let (ending, replies) = if length == 0 {
                spare.clear();
                self.messages.finish(spare);
                (Some(Ending::ClientEnd), &**spare)
            } else {
                match self.messages.receive(input, length, spare) {
                    (Verdict::Open, replies) => (None, replies),
                    (Verdict::Close, replies) => (Some(Ending::CloseWord), replies),
                }
            };
            // The clock is read only for clients that are timed.
            if self.capitals.idle_timeout.is_some() || self.messages.is_pending() {
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
        self.is_unflushed = Pin::new(&mut self.stream).poll_flush(cx)?.is_pending();
        Ok(())
    }

    /// Ends the connection so that the client can read every reply: sends the rest, ends this side, and discards
    /// what the client still sends.
    async fn close(&mut self, ending: &Ending) -> io::Result<()> {
        poll_fn(|cx| self.poll_send_unsent(cx)).await?;
        self.stream.shutdown().await?;
        match ending {
            Ending::ClientEnd => Ok(()),
            Ending::CloseWord | Ending::Idle | Ending::Stopped => linger(|cx| self.poll_discard(cx)).await,
        }
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        scratch::with(|input, _| {
            let mut input = ReadBuf::new(input.space());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut input))?;
            self.received += input.filled().len() as u64;
            Poll::Ready(Ok(input.filled().len()))
        })
    }
}
