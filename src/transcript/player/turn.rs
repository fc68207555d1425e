//! What the server says between two client items.

use super::End;
use super::script::Script;
use crate::transcript::variables::Variables;

/// How much an update keeps: of one turn, and of all that do not match.
pub(in crate::transcript) const MOST_KEPT: usize = 16 * 1024 * 1024;

/// A turn of the server, as an update has learned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The server items in it: from the first index up to, but not including, the second.
    pub(crate) items: (usize, usize),
    /// Whether they matched.
    pub(crate) matched: bool,
    /// The bytes that arrived, unless there are too many.
    pub(crate) received: Vec<u8>,
    pub(crate) is_too_long: bool,
    /// How the stream ended, if it has.
    pub(crate) end: Option<End>,
    /// The values of its items' names, as far as they were bound when it was over.
    pub(crate) variables: Variables,
    /// Whether an `S ...` of an earlier turn still takes the first lines.
    pub(crate) skips_first: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            items: (0, 0),
            matched: true,
            received: Vec::new(),
            is_too_long: false,
            end: None,
            variables: Variables::default(),
            skips_first: false,
        }
    }
}

impl Turn {
    /// Takes bytes. Nobody looks at those of a turn that matches, so that one may have any number of them.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.received.len() + bytes.len() >= MOST_KEPT {
            self.is_too_long = true;
            self.received = Vec::new();
        } else {
            self.received.extend_from_slice(bytes);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.received.is_empty() && !self.is_too_long && self.end.is_none()
    }

    /// Whether the turn does not match, and has too many bytes to be learned.
    pub(super) fn is_lost(&self) -> bool {
        self.is_too_long && !self.matched
    }

    /// Starts at the cursor. Bytes may have arrived before.
    pub(super) fn start(&mut self, script: &Script) {
        self.items = (script.cursor, script.cursor);
        self.skips_first = script.lane.is_skipping();
    }

    /// Ends at the cursor. Bytes that no item has taken do not match, unless an `S ...` may take them.
    pub(super) fn end(&mut self, script: &mut Script) {
        let lane = &mut script.lane;
        if !lane.is_skipping() && !lane.input().is_empty() {
            self.matched = false;
            lane.take_all();
        }
        self.items.1 = script.cursor;
    }

    /// The turn after one that has ended. What an `S ...` may take may also be this one's, as in a check.
    pub(super) fn next(script: &Script) -> Self {
        let mut next = Self { end: script.lane.end, ..Self::default() };
        next.receive(script.lane.input());
        next
    }
}
