//! Ends forwarded connections: what one side did is done to the other one, and what is lost never looks like EOF.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::direction::Direction;
use super::passing::Connection;
use super::{Ending, Party};
use crate::serve::client::Admitted;
use crate::serve::scratch;
use crate::transport::{Stream, linger};

/// If the server ends a conversation, it passes on what is said until both sides are quiet for this long, so that a
/// reply which is about to come is not cut off, and for at most this long in all.
const QUIET: Duration = Duration::from_millis(100);
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a reset waits until what was said before it is taken, and then until it is acknowledged.
const RESET_LIMIT: Duration = Duration::from_secs(5);

impl Connection {
    /// Closes both connections. Returns whether both sides could receive everything up to EOF.
    pub(super) async fn close(mut self, ending: Ending, admitted: Admitted) -> bool {
        match ending {
            Ending::Closed(_) => true,
            Ending::Reset(party) => {
                let _ = timeout(RESET_LIMIT, self.pass_last_words(party)).await;
                let other = match party {
                    Party::Client => self.target,
                    Party::Target => self.client,
                };
                other.reset(RESET_LIMIT).await;
                false
            }
            Ending::OutOfMemory | Ending::Unconnected => self.end(false, admitted).await,
            // Nothing can be on its way but what a side does not take.
            Ending::Idle => self.end(true, admitted).await,
            Ending::ConnectionTime | Ending::Stopped => {
                let is_quiet = self.pass_until_quiet().await;
                self.end(is_quiet, admitted).await
            }
        }
    }

    /// Passes on what a side said before it was reset. What the other side says is discarded: it may be waiting for
    /// that before it takes anything.
    async fn pass_last_words(&mut self, party: Party) {
        let Self { client, target, up, down, slice, .. } = self;
        let (direction, from, to, is_heard) = match party {
            Party::Client => (up, client, target, !down.has_ended()),
            Party::Target => (down, target, client, !up.has_ended()),
        };
        let mut is_heard = is_heard;
        while poll_fn(|cx| match direction.poll_pass(from, to, slice, cx) {
            Poll::Ready(passed) => Poll::Ready(passed.is_ok() && !direction.has_ended()),
            Poll::Pending if !direction.has_unsent() => Poll::Ready(false),
            Poll::Pending if is_heard => poll_discard(to, cx).map(|discarded| {
                is_heard = discarded.as_ref().is_ok_and(|&bytes| bytes > 0);
                discarded.is_ok()
            }),
            Poll::Pending => Poll::Pending,
        })
        .await
        {
            yield_now().await;
        }
    }

    /// Returns whether both sides were quiet in time.
    async fn pass_until_quiet(&mut self) -> bool {
        let end = Instant::now() + LAST_WORDS;
        loop {
            let quiet_end = end.min(Instant::now() + QUIET);
            match timeout_at(quiet_end, poll_fn(|cx| self.poll_pass(cx))).await {
                Ok(Ok(())) if self.up.has_ended() && self.down.has_ended() => return true,
                Ok(Ok(())) if Instant::now() >= end => return false,
                Ok(Ok(())) => yield_now().await,
                Ok(Err(_)) => return false,
                Err(_) => return quiet_end < end,
            }
        }
    }

    /// Ends both sides: cleanly, or, if something is lost for a side, with a reset.
    async fn end(self, is_quiet: bool, admitted: Admitted) -> bool {
        // What is still said is not passed on.
        drop(admitted);
        let Self { client, target, up, down, .. } = self;
        let is_clean = |direction: Direction| is_quiet && !direction.has_unsent();
        let (client, target) = tokio::join!(end(client, is_clean(down)), end(target, is_clean(up)));
        client && target
    }
}

/// Ends a connection: if `cleanly`, with EOF, and so that the peer can read everything; else with a reset. Returns
/// whether the first was possible.
pub(super) async fn end(mut stream: Stream, cleanly: bool) -> bool {
    if !cleanly {
        stream.abort();
        return false;
    }
    stream.shutdown().await.is_ok() && linger(|cx| poll_discard(&mut stream, cx)).await.is_ok()
}

/// Reads once, and forgets what was read.
fn poll_discard(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    scratch::with(|input, _| {
        let mut input = ReadBuf::new(input.space());
        ready!(Pin::new(stream).poll_read(cx, &mut input))?;
        Poll::Ready(Ok(input.filled().len()))
    })
}
