//! Finds where the other side departs from the transcript: in a check, and in a mock.

use std::time::Duration;

use super::closing::{Closing, start_of_end};
use super::rest::Rest;
use super::script::{Played, Script};
use super::tail::Tail;
use super::{End, Player, Step};
use crate::transcript::divergence::Fault;
use crate::transcript::format::{Connection, Item, Side};
use crate::transcript::playable::Playable;

/// How long to wait to find out how a peer ended that takes no more bytes.
pub(super) const END_OF_REFUSER: Duration = Duration::from_millis(500);

/// Plays a side, and compares the other one.
#[derive(Debug)]
pub(crate) struct Follow {
    script: Script,
    /// With several connections: the item before which what has arrived is judged.
    closes_at: Option<usize>,
    state: State,
}

/// How far it is.
///
/// ```text
///   Playing ── last item ──► Tail, or Closing (several connections) ──► followed
///      │                      │
///      ├──── does not match ──┴──► Failed ──► diverged
///      │                      │
///      └── client gone before it was sent everything (mock) ──► Gone ──► diverged
/// ```
#[derive(Debug)]
enum State {
    Playing,
    Tail(Tail),
    Closing(Closing),
    Failed(Rest),
    /// The item with this index cannot be sent. Waits, for a while, for the end of the client's stream.
    Gone {
        index: usize,
        until: Duration,
    },
}

impl Follow {
    pub(crate) fn new(playable: Playable) -> Self {
        let has_several = playable.connections().len() > 1;
        let closes_at = has_several.then(|| start_of_end(playable.transcript()));
        Self { script: Script::new(playable), closes_at, state: State::Playing }
    }

    /// Ends a mock whose client takes no more, if something is still to be sent to it.
    fn lose_client(&mut self, now: Duration) {
        if let (Side::Server, State::Playing | State::Tail(_)) = (self.script.own(), &self.state)
            && let Some(index) = self.script.lane.first_unsent()
        {
            self.state = State::Gone { index, until: now + END_OF_REFUSER };
        }
    }

    /// Whether an item says how the other side ends.
    fn is_end_known(&self) -> bool {
        let other = self.script.own().other();
        let is_end = |item: &Item| match item {
            Item::End(side) => *side == other,
            Item::Reset => true,
            Item::Literal(..)
            | Item::Template(..)
            | Item::Pattern(..)
            | Item::Skip(..)
            | Item::Connect(_)
            | Item::Placeholder
            | Item::Wait(..)
            | Item::Quiet(_) => false,
        };
        self.script.transcript().entries.iter().any(|entry| is_end(&entry.item))
    }
}

impl Player for Follow {
    type Outcome = ();

    fn advance(&mut self, now: Duration) -> Step<()> {
        self.script.start(now);
        loop {
            let progress = match &mut self.state {
                State::Playing if self.closes_at == Some(self.script.cursor) => {
                    self.state = State::Closing(Closing::Arriving);
                    continue;
                }
                State::Playing => {
                    let Some(progress) = self.script.play(now) else {
                        self.state = State::Tail(Tail::new(self.is_end_known(), now));
                        continue;
                    };
                    progress
                }
                State::Tail(tail) => match tail.play(&mut self.script, now) {
                    Played::Passed => return Step::Done(Ok(())),
                    progress => progress,
                },
                State::Closing(closing) => match closing.play(&mut self.script, now) {
                    Played::Passed => return Step::Done(Ok(())),
                    progress => progress,
                },
                State::Failed(rest) => return rest.read(&self.script, now),
                State::Gone { until, .. } if self.script.lane.end.is_none() && now < *until => {
                    return Step::Wait(Some(*until));
                }
                State::Gone { index, .. } => {
                    let fault = self.script.ended_early(Vec::new());
                    return Step::Done(Err(self.script.diverged(*index, fault)));
                }
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

    fn not_opened(&mut self, connection: Connection, error: String, now: Duration) {
        self.script.turn_to(connection);
        self.state = State::Failed(Rest::new(Fault::NotConnected { error }, now));
    }

    fn receive(&mut self, connection: Connection, bytes: &[u8], now: Duration) {
        match self.state {
            State::Closing(closing) if closing.is_judged() => {}
            State::Playing | State::Tail(_) | State::Closing(_) | State::Failed(_) => {
                self.script.receive(connection, bytes, now);
            }
            State::Gone { .. } => {}
        }
    }

    fn end(&mut self, connection: Connection, end: End, now: Duration) {
        if self.script.end(connection, end, now) == Some(End::Reset) {
            self.lose_client(now);
        }
    }

    fn sent(&mut self, connection: Connection, bytes: usize, now: Duration) {
        self.script.sent(connection, bytes, now);
    }

    fn refused(&mut self, connection: Connection, now: Duration) {
        self.lose_client(now);
        self.script.refused(connection, now);
    }

    fn wants_bytes(&self, connection: Connection) -> bool {
        match self.state {
            State::Playing | State::Tail(_) | State::Closing(_) | State::Failed(_) => {
                self.script.wants_bytes(connection)
            }
            State::Gone { .. } => true,
        }
    }

    fn kept(&self) -> usize {
        self.script.kept()
    }

    fn own(&self) -> Side {
        self.script.own()
    }
}
