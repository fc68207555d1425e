//! Learns what the server says now, for an update.

use std::time::Duration;

use super::lane::Skipping;
use super::rest::Rest;
use super::script::{Played, Script, Silence};
use super::tail::Tail;
use super::turn::{MOST_KEPT, Turn};
use super::{End, Player, Step};
use crate::transcript::divergence::Fault;
use crate::transcript::format::{Connection, Entry, Item, Side};
use crate::transcript::playable::Playable;
use crate::transcript::update::align;

/// Plays the client side, and collects what the server says, turn by turn. A turn is over when its items have
/// matched and nothing more has arrived for `%gap`; that may take as long as an item may. The outcome is the
/// turns that do not match: only they are rewritten.
#[derive(Debug)]
pub(crate) struct Learn {
    script: Script,
    learned: Learned,
    state: State,
}

/// The turns that are over.
#[derive(Debug, Default)]
struct Learned {
    /// Those that do not match.
    turns: Vec<Turn>,
    /// How many bytes they have.
    bytes: usize,
    /// Whether the server ended in one of the turns.
    has_ended: bool,
}

impl Learned {
    /// Returns a fault if that is more than an update keeps.
    fn add(&mut self, mut turn: Turn, script: &mut Script) -> Result<(), Fault> {
        self.has_ended = turn.end.is_some();
        if turn.matched {
            return Ok(());
        }
        self.bytes += turn.received.len();
        if turn.is_lost() || self.bytes >= MOST_KEPT {
            return Err(Fault::TooLong);
        }
        let items = &script.transcript().entries[turn.items.0..turn.items.1];
        turn.variables = script.variables.only(items.iter().flat_map(|entry| entry.item.names()));
        // What the turn binds may be sent in the next one. If an item does not match, it never will be.
        match align(script.transcript(), &turn) {
            Ok(aligned) => {
                for (name, value) in aligned.variables.iter() {
                    script.variables.bind(name, value);
                }
                // What an `S ...` at the end takes may also be the next turn's.
                if script.lane.is_skipping() {
                    script.lane.put_back(&turn.received[aligned.left..]);
                }
            }
            Err(_) => script.lane.take_all(),
        }
        self.turns.push(turn);
        Ok(())
    }
}

/// Whose turn it is. Each state but the last two holds the turn that input belongs to.
///
/// ```text
///                   ┌──── next item is the server's ─────┐
///                   ▼                                    │
///   start ───► Listening ── silence, next is ours ──► Speaking
///     mismatch  │ ▲  │                                   │
///               ▼ │  └─── no more items ──► Last ◄───────┘
///           Settling                         │ silence
///                                            ▼
///                                           Tail ──► learned
///
///   Listening, if nothing arrives, and Tail, if something does ──► Failed ──► diverged
///   Settling, if the stream ended with items left to send ──► diverged
/// ```
#[derive(Debug)]
enum State {
    /// The server's turn, which matches so far.
    Listening(Turn),
    /// The server's turn, which does not match any more: nothing is compared until it is over.
    Settling(Turn),
    /// Our turn. What the server says meanwhile starts its next one.
    Speaking(Turn),
    /// The turn after the last item.
    Last(Turn, Tail),
    Tail(Tail),
    Failed(Rest),
}

impl State {
    fn turn(&mut self) -> Option<&mut Turn> {
        match self {
            Self::Listening(turn) | Self::Settling(turn) | Self::Speaking(turn) | Self::Last(turn, _) => {
                Some(turn)
            }
            Self::Tail(_) | Self::Failed(_) => None,
        }
    }
}

/// Which item comes next.
enum Next {
    /// One of ours that ends the server's turn.
    Ours,
    /// A pause of ours, which does not.
    Pause,
    Theirs,
    Nothing,
}

impl Learn {
    /// Plays the client side of `playable`, which has one connection.
    pub(crate) fn new(playable: Playable) -> Self {
        debug_assert_eq!(playable.own(), Side::Client, "there is nothing to learn from a client");
        debug_assert_eq!(playable.connections().len(), 1, "an update does not take several connections");
        let (learned, state) = (Learned::default(), State::Listening(Turn::default()));
        Self { script: Script::new(playable), learned, state }
    }

    /// The turns that do not match, as far as they were learned.
    pub(crate) fn into_turns(self) -> Vec<Turn> {
        self.learned.turns
    }

    fn next(&self) -> Next {
        match self.script.item() {
            Some(Item::Wait(Side::Client, _)) => Next::Pause,
            Some(item) if item.side() == Side::Client => Next::Ours,
            Some(_) => Next::Theirs,
            None => Next::Nothing,
        }
    }

    /// Does what comes next, or changes the state.
    fn play(&mut self, now: Duration) -> Played<Vec<Turn>> {
        let next = self.next();
        let script = &mut self.script;
        match (&mut self.state, next) {
            // An item that binds the value did not match, and the turns say so.
            (State::Speaking(_), Next::Ours) if !script.has_values() => {
                return Played::Step(self.done());
            }
            (State::Listening(_), Next::Theirs | Next::Pause)
            | (State::Speaking(_), Next::Ours | Next::Pause) => {
                if let Some(progress) = script.play(now) {
                    return progress;
                }
            }
            (State::Listening(turn), Next::Ours) => {
                if let Some(wait) = wait_for_silence(script, now) {
                    return wait;
                }
                turn.end(script);
                if let Err(fault) = self.learned.add(std::mem::take(turn), script) {
                    return Played::Failed(fault);
                }
                self.state = State::Speaking(Turn::next(script));
            }
            (State::Listening(turn), Next::Nothing) => {
                self.state = State::Last(std::mem::take(turn), Tail::new(false, now));
            }
            (State::Speaking(turn), Next::Theirs) => {
                turn.start(script);
                self.state = State::Listening(std::mem::take(turn));
            }
            (State::Speaking(turn), Next::Nothing) => {
                turn.start(script);
                self.state = State::Last(std::mem::take(turn), Tail::new(false, now));
            }
            (State::Settling(turn), _) if turn.is_lost() => return Played::Failed(Fault::TooLong),
            (State::Settling(turn), _) => match settle(script, &self.learned, now) {
                Played::Passed => self.state = State::Listening(std::mem::take(turn)),
                progress => return progress,
            },
            (State::Last(turn, tail), _) => {
                if let Some(wait) = last_wait(script, tail, now) {
                    return wait;
                }
                let expects_reset =
                    script.transcript().entries.last().is_some_and(|entry| entry.item == Item::Reset);
                // Lines that are not skipped, although no item follows.
                turn.matched &= script.lane.input().is_empty();
                turn.matched &= expects_reset || turn.end != Some(End::Reset);
                turn.end(script);
                if let Err(fault) = self.learned.add(std::mem::take(turn), script) {
                    return Played::Failed(fault);
                }
                if self.learned.has_ended {
                    return Played::Step(self.done());
                }
                self.state = State::Tail(*tail);
            }
            (State::Tail(tail), _) => match tail.play(script, now) {
                Played::Passed => return Played::Step(self.done()),
                progress => return progress,
            },
            (State::Failed(rest), _) => return Played::Step(rest.read(script, now)),
        }
        Played::Passed
    }

    fn done(&mut self) -> Step<Vec<Turn>> {
        Step::Done(Ok(std::mem::take(&mut self.learned.turns)))
    }

    /// A turn that does not match is a new one. Only if nothing arrives at all, or too much, that is a failure.
    fn fail(&mut self, fault: Fault, now: Duration) {
        let is_new = |turn: &Turn| match fault {
            Fault::NotSilent { .. } | Fault::NotConnected { .. } | Fault::TooLong => false,
            Fault::Missing { .. } => !turn.is_empty(),
            Fault::Differs { .. }
            | Fault::EofForReset
            | Fault::NoEof { .. }
            | Fault::Unexpected { .. }
            | Fault::ClosedEarly { .. }
            | Fault::Reset { .. } => true,
        };
        self.state = match &mut self.state {
            State::Listening(turn) if is_new(turn) => {
                turn.matched = false;
                State::Settling(std::mem::take(turn))
            }
            State::Listening(_)
            | State::Settling(_)
            | State::Speaking(_)
            | State::Last(..)
            | State::Tail(_)
            | State::Failed(_) => State::Failed(Rest::new(fault, now)),
        };
    }
}

/// Waits for the end of a turn that does not match, and moves the cursor to the next client item.
fn settle(script: &mut Script, learned: &Learned, now: Duration) -> Played<Vec<Turn>> {
    let rest = &script.transcript().entries[script.cursor..];
    let is_own = |entry: &&Entry| entry.item.side() == Side::Client;
    let is_pause = |entry: &&Entry| matches!(entry.item, Item::Wait(..));
    let is_end = |entry: &&Entry| matches!(entry.item, Item::End(_) | Item::Reset);
    let next = rest.iter().position(|entry| is_own(&entry) && !is_pause(&entry)).unwrap_or(rest.len());
    let (skipped, ours) = rest.split_at(next);
    // An end that is awaited says better than any silence that the turn is over.
    let awaits_end = skipped.iter().any(|entry| is_end(&entry));
    let time = if awaits_end { script.transcript().timeout } else { script.transcript().gap };
    match script.silence(time, now) {
        Silence::Awaited(until) => return Played::wait(Some(until)),
        Silence::TooLate(fault) => return Played::Failed(fault),
        Silence::Reached => {}
    }
    // Nothing is lost if only the end of our side is still to come.
    let has_more = ours
        .iter()
        .any(|entry| matches!(entry.item, Item::Literal(Side::Client, _) | Item::Template(Side::Client, _)));
    if script.lane.end.is_some() && (has_more || learned.has_ended) {
        let fault = script.ended_early(script.lane.input().to_vec());
        return Played::Step(Step::Done(Err(script.diverged(script.cursor, fault))));
    }
    // An `S ...` at the end of a turn also takes the start of the next one. An end that did not come is deleted.
    let stays = |entry: &&Entry| !is_pause(entry) && (script.lane.end.is_some() || !is_end(entry));
    let last = skipped.iter().rfind(stays);
    let skipping = match last.map(|entry| &entry.item) {
        Some(Item::Skip(_, pattern)) => Skipping::new(pattern.as_ref()),
        Some(_) => Skipping::Not,
        None => script.lane.skipping.clone(),
    };
    // The pauses before the next item are still to be made.
    let pauses = skipped.iter().rev().take_while(is_own).count();
    script.pass_over(next - pauses);
    script.lane.start_skipping(skipping);
    if !script.lane.is_skipping() {
        script.lane.take_all();
    }
    Played::Passed
}

/// Waits for the end of a turn that matches. If an `S ...` takes the rest, the turn need not end.
fn wait_for_silence(script: &Script, now: Duration) -> Option<Played<Vec<Turn>>> {
    match script.silence(script.transcript().gap, now) {
        Silence::Awaited(until) => Some(Played::wait(Some(until))),
        Silence::TooLate(fault) if !script.lane.is_skipping() => Some(Played::Failed(fault)),
        Silence::TooLate(_) | Silence::Reached => None,
    }
}

/// Waits for the end of the turn after the last item.
fn last_wait(script: &mut Script, tail: &mut Tail, now: Duration) -> Option<Played<Vec<Turn>>> {
    script.has_unexpected();
    tail.flush(script, now).or_else(|| wait_for_silence(script, now))
}

impl Player for Learn {
    type Outcome = Vec<Turn>;

    fn advance(&mut self, now: Duration) -> Step<Vec<Turn>> {
        self.script.start(now);
        loop {
            match self.play(now) {
                Played::Passed => {}
                Played::Step(step) => return step,
                Played::Failed(fault) => self.fail(fault, now),
            }
        }
    }

    fn opened(&mut self, connection: Connection, now: Duration) {
        self.script.opened(connection, now);
    }

    fn not_opened(&mut self, connection: Connection, error: String, now: Duration) {
        self.script.turn_to(connection);
        self.fail(Fault::NotConnected { error }, now);
    }

    fn receive(&mut self, connection: Connection, bytes: &[u8], now: Duration) {
        self.script.receive(connection, bytes, now);
        if let Some(turn) = self.state.turn() {
            turn.receive(bytes);
        }
    }

    fn end(&mut self, connection: Connection, end: End, now: Duration) {
        let end = self.script.end(connection, end, now);
        if let Some(turn) = self.state.turn() {
            turn.end = end;
        }
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
