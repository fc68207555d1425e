//! A player on a connection.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use crate::deadline::at;
use crate::memory;
use crate::transcript::{Divergence, End, Player, Side, Step};
use crate::transport::{Event, Link, Stream};

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// How much is read before other tasks get their turn.
const TURN: usize = 256 * 1024;

/// A player and the connection it plays on.
pub(crate) struct Performance<P> {
    player: P,
    link: Link,
    start: Instant,
    /// Whether the transcript ends with a reset by this side.
    resets: bool,
    /// How much was read in this turn.
    turn: usize,
}

/// Why a player was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// The peer neither sent nor took anything for too long.
    Idle,
    /// There is no memory for what the peer says.
    OutOfMemory,
}

impl Abandoned {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Idle => "idle timeout",
            Self::OutOfMemory => "out of memory",
        }
    }
}

/// How far playing got.
enum Played<T> {
    /// There is more to play.
    On,
    Idle,
    Done(Result<T, Divergence>),
}

impl<P: Player> Performance<P> {
    pub(crate) fn new(player: P, stream: Stream) -> Self {
        Self { player, link: Link::new(stream), start: Instant::now(), resets: false, turn: 0 }
    }

    /// Plays until the outcome is known. The connection stays open: a server closes it with [`Self::close`],
    /// a client by dropping it.
    pub(crate) async fn run(&mut self) -> Result<P::Outcome, Divergence> {
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            match self.play_on(&mut buffer, None).await {
                Played::Done(outcome) => return outcome,
                Played::On | Played::Idle => {}
            }
        }
    }

    /// The same for a server, which must survive its clients: playing is abandoned if the client makes no progress for
    /// `idle` while it is waited for, or if memory is short.
    pub(crate) async fn run_for_client(
        &mut self,
        idle: Option<Duration>,
    ) -> Result<Result<P::Outcome, Divergence>, Abandoned> {
        let out_of_memory = |_| Abandoned::OutOfMemory;
        let mut buffer = Vec::new();
        memory::reserve(&mut buffer, BUFFER).map_err(out_of_memory)?;
        loop {
            // What is kept may move to twice as much memory, and be copied into a report.
            memory::check(4 * (self.player.kept() + BUFFER)).map_err(out_of_memory)?;
            match self.play_on(&mut buffer, idle).await {
                Played::Done(outcome) => return Ok(outcome),
                Played::Idle => return Err(Abandoned::Idle),
                Played::On => {}
            }
        }
    }

    /// Plays up to the next event, or until the peer has made no progress for `idle`.
    async fn play_on(&mut self, buffer: &mut Vec<u8>, idle: Option<Duration>) -> Played<P::Outcome> {
        let until = loop {
            match self.player.advance(self.start.elapsed()) {
                Step::Send(bytes) => self.send(bytes),
                Step::End => self.link.end(),
                Step::Reset => self.resets = true,
                Step::Done(outcome) => return Played::Done(outcome),
                Step::Wait(until) => break until.map(|until| self.start + until),
            }
        };
        // A player that waits without a limit waits for its peer. Every event is progress.
        let idle_end = idle.filter(|_| until.is_none()).map(|limit| Instant::now() + limit);
        let into = self.player.wants_bytes().then_some(&mut *buffer);
        tokio::select! {
            biased;
            event = self.link.next(into) => self.on_event(&event, buffer).await,
            () = at(until.or(idle_end)) => {
                if idle_end.is_some() && !self.link.send_unasked() {
                    return Played::Idle;
                }
            }
        }
        self.turn += buffer.len();
        buffer.clear();
        if self.turn >= TURN {
            self.turn = 0;
            yield_now().await;
        }
        Played::On
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
            // If this fails, the peer is gone or takes no more. What is lost must not look like EOF.
            if self.link.close().await.is_err() && self.link.has_unsent() {
                self.link.abort();
            }
        }
    }
}
