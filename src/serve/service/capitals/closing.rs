//! Ends a connection so that the client can read every reply.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

use super::{Connection, Ending};
use crate::deadline::at;
use crate::serve::limits::LAST_REPLIES;
use crate::transport::linger;

impl Connection {
    /// Sends the rest, ends this side, and discards what the client still sends. Returns an error if the client does not
    /// take the rest, or does not end.
    pub(super) async fn close(&mut self, ending: &Ending) -> io::Result<()> {
        match self.capitals.limits.connection_end(self.started) {
            // Boxed: every client's task has space for it.
            Some(end) => {
                let end = end.max(Instant::now()) + LAST_REPLIES;
                let closed = Box::pin(timeout_at(end, self.close_unlimited(ending))).await;
                closed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
            None => self.close_unlimited(ending).await,
        }
    }

    async fn close_unlimited(&mut self, ending: &Ending) -> io::Result<()> {
        let stall = match ending {
            // It had its time already.
            Ending::Idle => Duration::ZERO,
            Ending::ClientEnd
            | Ending::Cut
            | Ending::CloseWord
            | Ending::ConnectionTime
            | Ending::Stopped => self.capitals.limits.stall(),
        };
        self.send_rest(stall).await?;
        self.stream.shutdown().await?;
        match ending {
            Ending::ClientEnd | Ending::Cut => Ok(()),
            Ending::CloseWord | Ending::Idle | Ending::ConnectionTime | Ending::Stopped => {
                linger(|cx| self.poll_discard(cx)).await
            }
        }
    }

    /// Sends what is unsent. Returns an error if the client takes nothing of it for `stall`.
    async fn send_rest(&mut self, stall: Duration) -> io::Result<()> {
        while self.has_unsent() {
            let deadline = Instant::now() + stall;
            tokio::select! {
                biased;
                sent = poll_fn(|cx| self.poll_send_some(cx)) => sent?,
                () = at(Some(deadline)) => {
                    if !self.send_unasked() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
            }
        }
        Ok(())
    }
}
