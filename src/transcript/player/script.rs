//! The transcript with a cursor in it: says what the item at the cursor makes of the input.

mod connections;
mod faults;

use std::borrow::Cow;
use std::time::Duration;

use super::lane::{Lane, Opening, Skipping};
use super::{End, Step};
use crate::transcript::compare::{LONGEST_LINE, Match, compare};
use crate::transcript::divergence::Fault;
use crate::transcript::format::{Connection, Entry, Item, Side, Transcript};
use crate::transcript::playable::Playable;
use crate::transcript::scan::Scan;
use crate::transcript::variables::Variables;

/// A played silence is this much longer than it says, because the other side may start counting later.
const QUIET_MARGIN: Duration = Duration::from_millis(50);

/// What became of the item at the cursor.
#[derive(Debug)]
pub(super) enum Played<T> {
    /// It is done, and so is what it asked for: the cursor is after it.
    Passed,
    /// This has to be done now. For all but [`Step::Wait`], the cursor is after the item.
    Step(Step<T>),
    /// The other side departed from it.
    Failed(Fault),
}

impl<T> Played<T> {
    pub(super) fn wait(until: Option<Duration>) -> Self {
        Self::Step(Step::Wait(until))
    }
}

/// What became of a silence that is waited for.
#[derive(Debug)]
pub(super) enum Silence {
    /// It may be reached at this time.
    Awaited(Duration),
    Reached,
    /// The limit was reached before it.
    TooLate(Fault),
}

/// A transcript that is being played.
#[derive(Debug)]
pub(super) struct Script {
    playable: Playable,
    /// The item to be played next, by its index.
    pub(super) cursor: usize,
    /// The connection of the item at the cursor; at the end, that of the last one.
    pub(super) lane: Lane,
    /// The others.
    parked: Vec<Lane>,
    pub(super) variables: Variables,
    /// The sum of the other side's pauses above the cursor that no line has used yet.
    allowance: Duration,
    has_started: bool,
    /// The later of the last send and the last match: limits run from here.
    pub(super) since: Duration,
    /// Since when the item at the cursor has been waiting for time to pass.
    pause: Option<Duration>,
}

impl Script {
    pub(super) fn new(playable: Playable) -> Self {
        let mut lanes = playable.connections().iter().enumerate().map(|(index, &connection)| {
            // The driver opens the first connection before it plays, unless another one comes first.
            let is_open = index == 0 && connection == Connection::FIRST;
            Lane::new(connection, if is_open { Opening::Open } else { Opening::NotYet })
        });
        let lane = lanes.next().unwrap_or_else(|| Lane::new(Connection::FIRST, Opening::Open));
        Self {
            variables: playable.given().clone(),
            cursor: 0,
            lane,
            parked: lanes.collect(),
            playable,
            allowance: Duration::ZERO,
            has_started: false,
            since: Duration::ZERO,
            pause: None,
        }
    }

    /// Starts the clock at the first call.
    pub(super) fn start(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.has_started, true) {
            (self.since, self.lane.last_received) = (now, now);
        }
    }

    pub(super) fn own(&self) -> Side {
        self.playable.own()
    }

    pub(super) fn transcript(&self) -> &Transcript {
        self.playable.transcript()
    }

    /// The item at the cursor; `None` at the end of the transcript.
    pub(super) fn item(&self) -> Option<&Item> {
        self.transcript().entries.get(self.cursor).map(|entry| &entry.item)
    }

    /// Whether the item at the cursor, if it is ours, has a value for each of its holes.
    pub(super) fn has_values(&self) -> bool {
        match self.item() {
            Some(Item::Template(side, template)) if *side == self.own() => {
                template.has_values(&self.variables)
            }
            _ => true,
        }
    }

    /// Whether the other side has been silent for `time` since the last send or match, or has ended.
    pub(super) fn silence(&self, time: Duration, now: Duration) -> Silence {
        self.silence_since(self.since, time, time + self.transcript().timeout, now)
    }

    /// Whether the other side has been silent for `time`. It must be before `limit`, both counted from `start`.
    fn silence_since(&self, start: Duration, time: Duration, limit: Duration, now: Duration) -> Silence {
        let silent = self.lane.last_received.max(start) + time;
        if now >= silent || self.lane.end.is_some() {
            Silence::Reached
        } else if now >= start + limit {
            Silence::TooLate(Fault::NotSilent { limit })
        } else {
            Silence::Awaited(silent.min(start + limit))
        }
    }

    /// Plays the item at the cursor; `None` at the end of the transcript.
    pub(super) fn play<T>(&mut self, now: Duration) -> Option<Played<T>> {
        let playable = self.playable.clone();
        let item = &playable.transcript().entries.get(self.cursor)?.item;
        if let Some(progress) = self.open(item) {
            return Some(progress);
        }
        let is_own = item.side() == self.own();
        Some(match item {
            // A reset would overtake what is not sent yet.
            Item::Reset if is_own && self.lane.has_unsent() => Played::wait(None),
            Item::Literal(..) | Item::Template(..) | Item::End(_) | Item::Reset if is_own => {
                self.speak(&playable.transcript().entries, now)
            }
            Item::Connect(_) => {
                self.pass();
                Played::Passed
            }
            Item::Wait(_, time) if is_own => self.pause(*time, now),
            // The client's pauses come before its silence.
            Item::Quiet(time) if is_own => self.pause(self.allowance + *time + QUIET_MARGIN, now),
            Item::Wait(_, time) => {
                self.allowance += *time;
                self.pass();
                Played::Passed
            }
            // Played, they are no lines.
            Item::Skip(..) if is_own => {
                self.pass();
                Played::Passed
            }
            Item::Skip(_, pattern) => {
                self.lane.start_skipping(Skipping::new(pattern.as_ref()));
                self.pass();
                Played::Passed
            }
            Item::Placeholder => self.expect_anything(now),
            Item::Quiet(time) => self.expect_silence(*time, now),
            Item::End(_) => self.expect_end(End::Eof, now),
            Item::Reset => self.expect_end(End::Reset, now),
            Item::Literal(..) | Item::Template(..) | Item::Pattern(..) => self.expect(item, now),
        })
    }

    /// Sends adjacent items of our side and of one connection together.
    fn speak<T>(&mut self, entries: &[Entry], now: Duration) -> Played<T> {
        self.since = now;
        let mut bytes = Vec::new();
        let connection = self.lane.connection;
        while let Some(Entry { item, connection: same, .. }) = entries.get(self.cursor)
            && item.side() == self.own()
            && *same == connection
        {
            let said = match item {
                Item::Literal(_, literal) => Cow::Borrowed(&literal[..]),
                Item::Template(_, template) => match template.fill(&mut self.variables) {
                    Some(filled) => Cow::Owned(filled),
                    None => break,
                },
                Item::End(_) | Item::Reset if bytes.is_empty() => {
                    self.lane.has_ended = true;
                    self.pass();
                    return Played::Step(if *item == Item::Reset {
                        Step::Reset
                    } else {
                        Step::End(connection)
                    });
                }
                Item::End(_)
                | Item::Reset
                | Item::Pattern(..)
                | Item::Skip(..)
                | Item::Connect(_)
                | Item::Placeholder
                | Item::Wait(..)
                | Item::Quiet(_) => break,
            };
            match self.own() {
                // A client finds out by reading what happened; the script goes on as if its bytes were sent.
                Side::Client if self.lane.is_refused => {}
                Side::Server if self.is_client_gone() && !said.is_empty() => {
                    return Played::Failed(self.ended_early(Vec::new()));
                }
                Side::Client | Side::Server => {
                    self.lane.hand_out(self.cursor, said.len());
                    bytes.extend_from_slice(&said);
                }
            }
            self.pass();
        }
        // Items may have no bytes.
        if bytes.is_empty() { Played::Passed } else { Played::Step(Step::Send(connection, bytes)) }
    }

    /// Whether nothing that a mock sends can arrive any more. EOF does not mean that: a client may shut down its
    /// sending side and go on reading.
    fn is_client_gone(&self) -> bool {
        self.lane.is_refused || self.lane.end == Some(End::Reset)
    }

    /// Sends nothing for `time`.
    fn pause<T>(&mut self, time: Duration, now: Duration) -> Played<T> {
        // A mock's silence starts when its client could have noticed it: after everything is sent.
        if self.lane.has_unsent() && self.own() == Side::Server {
            return Played::wait(None);
        }
        let until = (*self.pause.get_or_insert(now)).max(self.since) + time;
        if now < until {
            return Played::wait(Some(until));
        }
        self.since = now;
        self.pass();
        Played::Passed
    }

    fn expect_silence<T>(&mut self, time: Duration, now: Duration) -> Played<T> {
        let start = (*self.pause.get_or_insert(now)).max(self.since);
        let mut limit = time;
        if self.has_unexpected() {
            return Played::Failed(self.unexpected());
        }
        if self.lane.is_skipping() {
            limit += self.transcript().timeout + self.allowance;
        }
        match self.silence_since(start, time, limit, now) {
            Silence::Awaited(until) => Played::wait(Some(until)),
            Silence::TooLate(fault) => Played::Failed(fault),
            // The start of a line that was to be skipped.
            Silence::Reached if !self.lane.input().is_empty() => Played::Failed(self.unexpected()),
            Silence::Reached => {
                self.matched(0, now);
                Played::Passed
            }
        }
    }

    fn expect_end<T>(&mut self, end: End, now: Duration) -> Played<T> {
        if self.has_unexpected() {
            return Played::Failed(self.unexpected());
        }
        match (end, self.lane.end) {
            (End::Eof, None) => self.wait_for(|limit| Fault::NoEof { limit }, now),
            (End::Reset, None) => self.wait_for_bytes(now),
            (End::Eof, Some(End::Eof)) | (End::Reset, Some(End::Reset)) => {
                self.matched(0, now);
                Played::Passed
            }
            (End::Eof, Some(End::Reset)) => Played::Failed(self.ended_early(Vec::new())),
            (End::Reset, Some(End::Eof)) => Played::Failed(Fault::EofForReset),
        }
    }

    /// Expects bytes: a literal, or a line that a pattern matches.
    fn expect<T>(&mut self, item: &Item, now: Duration) -> Played<T> {
        loop {
            let eol = self.transcript().eol;
            let (input, scan) = self.lane.searched_input();
            let (length, line_feed, has_ended) = (input.bytes.len(), input.line_feed, input.has_ended);
            match compare(item, input, eol, &self.variables, scan) {
                Match::Yes(length) => {
                    scan.bind(input.bytes, &mut self.variables);
                    self.matched(length, now);
                    return Played::Passed;
                }
                Match::No if self.lane.is_skipping() => match line_feed {
                    Some(line_feed) if self.lane.skipping.takes(&self.lane.input()[..=line_feed], eol) => {
                        self.lane.skip(line_feed + 1);
                    }
                    Some(_) => return Played::Failed(self.differs()),
                    None if has_ended => break,
                    None if length >= LONGEST_LINE => return Played::Failed(self.differs()),
                    None => return self.wait_for_bytes(now),
                },
                Match::No => return Played::Failed(self.differs()),
                Match::Open if has_ended => break,
                Match::Open => return self.wait_for_bytes(now),
            }
        }
        Played::Failed(self.ended_early(self.line().0.to_vec()))
    }

    /// Expects at least a byte, or the end. Nothing is what the placeholder says: whatever arrives differs from it.
    fn expect_anything<T>(&self, now: Duration) -> Played<T> {
        match (self.lane.input(), self.lane.end) {
            ([], None) => self.wait_for_bytes(now),
            ([], Some(_)) => Played::Failed(self.ended_early(Vec::new())),
            _ => Played::Failed(self.differs()),
        }
    }

    fn wait_for_bytes<T>(&self, now: Duration) -> Played<T> {
        self.wait_for(|limit| Fault::Missing { received: self.lane.input().to_vec(), limit }, now)
    }

    /// Waits for input within the item's limit, whatever arrives meanwhile. A mock waits forever for its client.
    fn wait_for<T>(&self, late: impl FnOnce(Duration) -> Fault, now: Duration) -> Played<T> {
        if self.own() == Side::Server {
            return Played::wait(None);
        }
        let limit = self.transcript().timeout + self.allowance;
        if now < self.since + limit {
            return Played::wait(Some(self.since + limit));
        }
        Played::Failed(late(limit))
    }

    /// Takes the input that the item at the cursor has matched.
    fn matched(&mut self, length: usize, now: Duration) {
        self.lane.take(length);
        self.lane.skipping = Skipping::Not;
        if length > 0 {
            self.allowance = Duration::ZERO;
        }
        self.since = now;
        self.pass();
    }

    fn pass(&mut self) {
        self.cursor += 1;
        self.lane.scan = Scan::default();
        self.pause = None;
        self.turn_to_item();
    }

    /// Moves the cursor past items that are not compared.
    pub(super) fn pass_over(&mut self, count: usize) {
        self.cursor += count;
        self.lane.scan = Scan::default();
        self.pause = None;
        self.allowance = Duration::ZERO;
    }

    /// Whether bytes have arrived that neither an item nor a skip takes.
    pub(super) fn has_unexpected(&mut self) -> bool {
        let eol = self.transcript().eol;
        self.lane.has_unexpected(eol)
    }
}
