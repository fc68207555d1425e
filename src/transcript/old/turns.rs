//! The player of an update, which learns what the server says now, turn by turn: a turn is what the server says
//! between two items of the client's.

use std::time::Duration;

use super::verdict::{Divergence, Headline, Step, Verdict};
use super::{Player, Turn};
use crate::transcript::format::{Entry, Item};
use crate::transcript::player::End;

/// How long it must be quiet, in an update, before the server has said all of its turn.
const SETTLE: Duration = Duration::from_millis(100);

/// What the player makes of its transcript.
#[derive(Debug)]
pub(super) enum Goal {
    /// Find where the other side leaves it.
    Follow,
    /// Learn what the server says now.
    Update {
        turns: Vec<Turn>,
        /// What is being said.
        turn: Turn,
        /// Whether it is the client's turn.
        is_over: bool,
        is_broken: bool,
    },
}

impl Player {
    /// Whether the server has said something else in this turn, so that no item is waited for any more.
    pub(super) fn is_turn_broken(&self) -> bool {
        matches!(&self.goal, Goal::Update { is_broken: true, .. })
    }

    /// Whether the server is about to say something, in an update.
    pub(super) fn is_turn_open(&self) -> bool {
        matches!(&self.goal, Goal::Update { is_over: false, .. })
    }

    /// Whether the stream has ended in an earlier turn, in an update.
    pub(super) fn has_turn_with_end(&self) -> bool {
        matches!(&self.goal, Goal::Update { turns, .. } if turns.last().is_some_and(|turn| turn.end.is_some()))
    }

    pub(super) fn begin_turn(&mut self) {
        if let Goal::Update { turn, is_over, .. } = &mut self.goal
            && *is_over
        {
            *is_over = false;
            turn.items.0 = self.cursor;
            turn.skips_first = self.is_skipping;
        }
    }

    /// Ends the server's turn where one has begun: waits until it has said all.
    pub(super) fn end_turn(&mut self, now: Duration) -> Option<Step> {
        let Goal::Update { turns, turn, is_over, .. } = &mut self.goal else {
            return None;
        };
        if *is_over {
            return None;
        }
        let quiet_at = self.last_received.max(self.since) + SETTLE;
        if now < quiet_at && self.received.end.is_none() {
            return Some(Step::Wait(Some(quiet_at)));
        }
        let bytes = self.received.bytes();
        let left = bytes.len();
        // What may be passed over may also be the next item's, as in a check.
        let taken = if self.is_skipping { 0 } else { left };
        let begun = bytes[taken..].to_vec();
        let entries = &self.transcript.entries;
        let is_end_known = entries.last().is_some_and(|entry| entry.item == Item::Reset);
        let is_reset = self.cursor == entries.len() && turn.end == Some(End::Reset) && !is_end_known;
        if is_reset || (left > 0 && !self.is_skipping) {
            turn.matched = false;
        }
        self.received.take(taken);
        *is_over = true;
        turn.items.1 = self.cursor;
        let next = Turn { end: turn.end, received: begun, ..Turn::default() };
        turns.push(std::mem::replace(turn, next));
        None
    }

    /// Waits until the server has said all of a turn that is not what it was, and goes on with the client's.
    pub(super) fn settle(&mut self, now: Duration) -> Option<Step> {
        let rest = &self.transcript.entries[self.cursor..];
        let is_own = |entry: &Entry| entry.item.side() == self.own;
        let is_pause = |entry: &Entry| matches!(entry.item, Item::Wait(..));
        let next = rest.iter().position(|entry| is_own(entry) && !is_pause(entry)).unwrap_or(rest.len());
        // Where the end is awaited, it tells better than any silence that the server has said all.
        let awaits_end = |entry: &Entry| matches!(entry.item, Item::End(_) | Item::Reset);
        let patience = if rest[..next].iter().any(awaits_end) { self.transcript.timeout } else { SETTLE };
        let quiet_at = self.last_received.max(self.since) + patience;
        if now < quiet_at && self.received.end.is_none() {
            return Some(Step::Wait(Some(quiet_at)));
        }
        let pauses = rest[..next].iter().rev().take_while(|entry| is_own(entry)).count();
        let next = next - pauses;
        // That the client's side ends as well makes no difference then.
        let has_more =
            rest[next..].iter().any(|entry| is_own(entry) && matches!(entry.item, Item::Literal(..)));
        if let (Some(end), true) = (self.received.end, has_more || self.has_turn_with_end()) {
            let headline = if end == End::Reset { Headline::Reset } else { Headline::ClosedEarly };
            return Some(Step::Done(Verdict::Diverged(Divergence {
                received: self.received.bytes().to_vec(),
                end: Some(end),
                ..self.divergence_here(headline)
            })));
        }
        // An `S ...` at the turn's end also takes what the next one begins with.
        let last = rest[..next].iter().rfind(|entry| !is_pause(entry));
        self.is_skipping = last.is_some_and(|entry| entry.item == Item::Any);
        let bytes = self.received.bytes();
        self.received.take(if self.is_skipping { whole_lines(bytes) } else { bytes.len() });
        self.cursor += next;
        self.pause = None;
        self.allowance = Duration::ZERO;
        if let Goal::Update { is_broken, .. } = &mut self.goal {
            *is_broken = false;
        }
        None
    }
}

/// How many bytes the whole lines have.
fn whole_lines(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |line_feed| line_feed + 1)
}
