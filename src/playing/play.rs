//! A player on its connections.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::links::Links;
use crate::deadline::at;
use crate::memory;
use crate::transcript::{Connection, Divergence, End, Player, Side, Step};
use crate::transport::{Event, Link, PeerEnd, Stream};

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// How much is read before other tasks get their turn.
const TURN: usize = 256 * 1024;

/// A connection that is being opened. An error is one line: what was attempted, and what went wrong.
pub(crate) type Dialing = Pin<Box<dyn Future<Output = Result<Stream, String>> + Send>>;

/// Opens the connections of a transcript that are not open when it starts.
pub(crate) trait Opener: Send {
    /// Starts to connect, to another address if there is one.
    fn open(&mut self, connection: Connection, address: Option<&[u8]>) -> Dialing;
}

/// A player and the connections it plays on.
pub(crate) struct Performance<P> {
    player: P,
    links: Links,
    /// The connection that is being opened.
    dialing: Option<(Connection, Dialing)>,
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
    /// Plays on the first connection. Without it, the player asks for that one too.
    pub(crate) fn new(player: P, first: Option<Stream>) -> Self {
        let mut links = Links::default();
        if let Some(stream) = first {
            links.add(Connection::FIRST, stream);
        }
        Self { player, links, dialing: None, start: Instant::now(), resets: false, turn: 0 }
    }

    /// Plays until the outcome is known. The connections stay open: a server closes its own with [`Self::close`],
    /// a client by dropping them.
    ///
    /// Without an opener, the transcript has the first connection alone.
    pub(crate) async fn run(
        &mut self,
        mut opener: Option<&mut dyn Opener>,
    ) -> Result<P::Outcome, Divergence> {
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            let opener = opener.as_mut().map(|opener| &mut **opener as &mut dyn Opener);
            match self.play_on(&mut buffer, opener, None).await {
                Played::Done(outcome) => return outcome,
                Played::On | Played::Idle => {}
            }
        }
    }

    /// Hands the connection over, after the outcome is known. These bytes, and the peer's end if it followed them, are
    /// received again.
    pub(crate) fn into_link(self, unread: Vec<u8>) -> Option<Link> {
        let mut link = self.links.only()?;
        link.give_back(unread);
        Some(link)
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
            match self.play_on(&mut buffer, None, idle).await {
                Played::Done(outcome) => return Ok(outcome),
                Played::Idle => return Err(Abandoned::Idle),
                Played::On => {}
            }
        }
    }

    /// Plays up to the next event, or until the peer has made no progress for `idle`.
    async fn play_on(
        &mut self,
        buffer: &mut Vec<u8>,
        mut opener: Option<&mut (dyn Opener + '_)>,
        idle: Option<Duration>,
    ) -> Played<P::Outcome> {
        let until = loop {
            match self.player.advance(self.start.elapsed()) {
                Step::Open(connection, address) => {
                    self.dialing =
                        opener.as_mut().map(|it| (connection, it.open(connection, address.as_deref())));
                }
                Step::Send(connection, bytes) => self.send(connection, bytes),
                Step::End(connection) => {
                    if let Some(link) = self.links.get(connection) {
                        link.end();
                    }
                }
                Step::Reset => self.resets = true,
                Step::ReceiveAll => self.receive_all(buffer).await,
                Step::Done(outcome) => return Played::Done(outcome),
                Step::Wait(until) => break until.map(|until| self.start + until),
            }
        };
        // A player that waits without a limit waits for its peer. Every event is progress.
        let idle_end = idle.filter(|_| until.is_none()).map(|limit| Instant::now() + limit);
        let player = &self.player;
        tokio::select! {
            biased;
            (connection, stream) = dialed(&mut self.dialing) => self.on_dialed(connection, stream),
            (connection, event) = self.links.next(buffer, |connection| player.wants_bytes(connection)) => {
                self.on_event(connection, &event, buffer).await;
            }
            () = at(until.or(idle_end)) => {
                if idle_end.is_some() && !self.send_unasked() {
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

    fn send(&mut self, connection: Connection, bytes: Vec<u8>) {
        match self.links.get(connection) {
            Some(link) if !link.is_refused() => link.send(bytes),
            _ => self.player.refused(connection, self.start.elapsed()),
        }
    }

    fn send_unasked(&mut self) -> bool {
        self.links.get(Connection::FIRST).is_some_and(Link::send_unasked)
    }

    fn on_dialed(&mut self, connection: Connection, stream: Result<Stream, String>) {
        self.dialing = None;
        let now = self.start.elapsed();
        match stream {
            Ok(stream) => {
                self.links.add(connection, stream);
                self.player.opened(connection, now);
            }
            Err(error) => self.player.not_opened(connection, error, now),
        }
    }

    /// Takes what has arrived on all connections, but no more than one turn from each.
    async fn receive_all(&mut self, buffer: &mut Vec<u8>) {
        // The runtime finds out which sockets are ready once it gets its turn.
        yield_now().await;
        for connection in self.links.connections().collect::<Vec<_>>() {
            let mut received = 0;
            while received < TURN
                && self.player.wants_bytes(connection)
                && let Some(event) = self.links.try_next(connection, buffer).await
            {
                received += buffer.len();
                self.on_event(connection, &event, buffer).await;
                buffer.clear();
            }
        }
    }

    async fn on_event(&mut self, connection: Connection, event: &Event, received: &[u8]) {
        let Some(link) = self.links.get(connection) else { return };
        // After EOF, a client may still read, or may be gone: then the kernel takes bytes for it, and learns only when
        // it sends them that they are refused.
        let may_be_gone = self.player.own() == Side::Server && link.has_peer_ended();
        let is_gone = matches!(event, Event::Sent(_)) && may_be_gone && link.delivered().await.is_err();
        let now = self.start.elapsed();
        match event {
            Event::Received => self.player.receive(connection, received, now),
            Event::Sent(_) if is_gone => self.player.refused(connection, now),
            Event::Sent(bytes) => self.player.sent(connection, *bytes, now),
            // An end that failed means that the peer is gone: reading tells how.
            Event::Refused(_) if !link.has_unsent() => {}
            Event::Refused(_) => self.player.refused(connection, now),
            Event::PeerEnded(PeerEnd::Eof) => self.player.end(connection, End::Eof, now),
            Event::PeerEnded(PeerEnd::Cut | PeerEnd::Failed(_)) => {
                self.player.end(connection, End::Reset, now);
            }
            Event::Ended => {}
        }
    }

    pub(crate) fn into_player(self) -> P {
        self.player
    }

    /// Ends the only connection as the transcript says: with a reset, or cleanly.
    pub(crate) async fn close(self) {
        let Some(mut link) = self.links.only() else { return };
        if self.resets {
            link.reset().await;
        } else {
            // If this fails, the peer is gone or takes no more. What is lost must not look like EOF.
            if link.close().await.is_err() && link.has_unsent() {
                link.abort();
            }
        }
    }
}

/// Waits for the connection that is being opened, if there is one. Cancel-safe.
async fn dialed(dialing: &mut Option<(Connection, Dialing)>) -> (Connection, Result<Stream, String>) {
    match dialing {
        Some((connection, dialing)) => (*connection, dialing.await),
        None => pending().await,
    }
}
