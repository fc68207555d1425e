//! A player on a connection.

use tokio::time::Instant;

use crate::deadline::at;
use crate::transcript::{Divergence, End, Player, Side, Step};
use crate::transport::{Event, Link, Stream};

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// A player and the connection it plays on.
pub(crate) struct Performance<P> {
    player: P,
    link: Link,
    start: Instant,
    /// Whether the transcript ends with a reset by this side.
    resets: bool,
}

impl<P: Player> Performance<P> {
    pub(crate) fn new(player: P, stream: Stream) -> Self {
        Self { player, link: Link::new(stream), start: Instant::now(), resets: false }
    }

    /// Plays until the outcome is known. The connection stays open: a server closes it with [`Self::close`],
    /// a client by dropping it.
    pub(crate) async fn run(&mut self) -> Result<P::Outcome, Divergence> {
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            let until = match self.player.advance(self.start.elapsed()) {
                Step::Send(bytes) => {
                    self.send(bytes);
                    continue;
                }
                Step::End => {
                    self.link.end();
                    continue;
                }
                Step::Reset => {
                    self.resets = true;
                    continue;
                }
                Step::Done(outcome) => return outcome,
                Step::Wait(until) => until.map(|until| self.start + until),
            };
            let into = self.player.wants_bytes().then_some(&mut buffer);
            tokio::select! {
                biased;
                event = self.link.next(into) => self.on_event(&event, &buffer).await,
                () = at(until) => {}
            }
            buffer.clear();
        }
    }

    fn send(&mut self, bytes: Vec<u8>) {
        if self.link.is_refused() {
            self.player.refused(self.start.elapsed());
        } else {
            self.link.send(bytes);
        }
    }

    async fn on_event(&mut self, event: &Event, received: &[u8]) {
        // After EOF, a client may still read, or may be gone: then the kernel takes bytes for it, and learns only when
        // it sends them that they are refused.
        let may_be_gone = self.player.own() == Side::Server && self.link.has_peer_ended();
        let is_gone = matches!(event, Event::Sent(_)) && may_be_gone && self.link.delivered().await.is_err();
        let now = self.start.elapsed();
        match event {
            Event::Received(_) => self.player.receive(received, now),
            Event::Sent(_) if is_gone => self.player.refused(now),
            Event::Sent(bytes) => self.player.sent(*bytes, now),
            // An end that failed means that the peer is gone: reading tells how.
            Event::Refused(_) if !self.link.has_unsent() => {}
            Event::Refused(_) => self.player.refused(now),
            Event::PeerEnded(Ok(())) => self.player.end(End::Eof, now),
            Event::PeerEnded(Err(_)) => self.player.end(End::Reset, now),
            Event::Ended => {}
        }
    }

    /// Ends the connection as the transcript says: with a reset, or cleanly.
    pub(crate) async fn close(mut self) {
        if self.resets {
            self.link.reset().await;
        } else {
            // If this fails, the peer is gone.
            let _ = self.link.close().await;
        }
    }
}
