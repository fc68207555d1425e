//! Plays the client side up to the last item, and leaves the connection open.

use std::time::Duration;

use super::follow::END_OF_REFUSER;
use super::rest::Rest;
use super::script::{Played, Script};
use super::{End, Player, Step};
use crate::transcript::divergence::Fault;
use crate::transcript::format::{Connection, Item, Side};
use crate::transcript::playable::Playable;

/// Plays the client side of a transcript, and compares the server's.
#[derive(Debug)]
pub(crate) struct Prologue {
    script: Script,
    state: State,
}

/// How far it is.
///
/// ```text
///   Playing ── last item ──► Flushing ── everything is sent, or %timeout ──► handed over
///      │                        │
///      └──── does not match ────┴── refused, reset ──► Failed ──► diverged
/// ```
#[derive(Debug)]
enum State {
    Playing,
    Flushing { since: Duration },
    Failed(Rest),
}

/// What whoever goes on with the conversation needs to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handover {
    /// What the server said beyond the last item.
    pub(crate) unread: Vec<u8>,
    /// Whether the server is to speak next: the last words were the client's.
    pub(crate) is_servers_turn: bool,
}

impl Prologue {
    pub(crate) fn new(playable: Playable) -> Self {
        Self { script: Script::new(playable), state: State::Playing }
    }

    /// After the last item.
    fn flush(&self, since: Duration, now: Duration) -> Played<Handover> {
        let lane = &self.script.lane;
        let wait_until = |until| (now < until).then(|| Played::wait(Some(until)));
        if lane.end == Some(End::Reset) {
            return Played::Failed(self.script.ended_early(lane.input().to_vec()));
        }
        if lane.is_refused {
            let wait = wait_until(since + END_OF_REFUSER).filter(|_| lane.end.is_none());
            return wait.unwrap_or_else(|| Played::Failed(self.script.ended_early(lane.input().to_vec())));
        }
        let wait = wait_until(since + self.script.transcript().timeout).filter(|_| lane.has_unsent());
        wait.unwrap_or_else(|| Played::Step(Step::Done(Ok(self.handover()))))
    }

    fn handover(&self) -> Handover {
        let entries = &self.script.transcript().entries;
        let last = entries.iter().rfind(|entry| !matches!(entry.item, Item::Wait(..)));
        Handover {
            unread: self.script.lane.input().to_vec(),
            is_servers_turn: last.is_some_and(|last| last.item.side() == Side::Client),
        }
    }
}

impl Player for Prologue {
    type Outcome = Handover;

    fn advance(&mut self, now: Duration) -> Step<Handover> {
        self.script.start(now);
        loop {
            let progress = match &mut self.state {
                State::Playing => {
                    let Some(progress) = self.script.play(now) else {
                        self.state = State::Flushing { since: now };
                        continue;
                    };
                    progress
                }
                State::Flushing { since } => {
                    let since = *since;
                    self.flush(since, now)
                }
                State::Failed(rest) => return rest.read(&self.script, now),
            };
            match progress {
                Played::Passed => {}
                Played::Step(step) => return step,
                Played::Failed(fault) => self.state = State::Failed(Rest::new(fault, now)),
            }
        }
    }

    fn opened(&mut self, connection: Connection, now: Duration) {
        self.script.opened(connection, now);
    }

    fn not_opened(&mut self, _connection: Connection, error: String, now: Duration) {
        self.state = State::Failed(Rest::new(Fault::NotConnected { error }, now));
    }

    fn receive(&mut self, connection: Connection, bytes: &[u8], now: Duration) {
        self.script.receive(connection, bytes, now);
    }

    fn end(&mut self, connection: Connection, end: End, now: Duration) {
        self.script.end(connection, end, now);
    }

    fn sent(&mut self, connection: Connection, bytes: usize, now: Duration) {
        self.script.sent(connection, bytes, now);
    }

    fn refused(&mut self, connection: Connection, now: Duration) {
        self.script.refused(connection, now);
    }

    fn wants_bytes(&self, connection: Connection) -> bool {
        self.script.wants_bytes(connection)
    }

    fn kept(&self) -> usize {
        self.script.kept()
    }

    fn own(&self) -> Side {
        self.script.own()
    }
}
