//! What the server says between two client items.

use super::End;
use super::script::Script;

/// A turn of the server, as an update has learned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The server items in it: from the first index up to, but not including, the second.
    pub(crate) items: (usize, usize),
    /// Whether they matched.
    pub(crate) matched: bool,
    /// The bytes that arrived.
    pub(crate) received: Vec<u8>,
    /// How the stream ended, if it has.
    pub(crate) end: Option<End>,
    /// Whether an `S ...` of an earlier turn still takes the first lines.
    pub(crate) skips_first: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self { items: (0, 0), matched: true, received: Vec::new(), end: None, skips_first: false }
    }
}

impl Turn {
    pub(super) fn is_empty(&self) -> bool {
        self.received.is_empty() && self.end.is_none()
    }

    /// Starts at the cursor. Bytes may have arrived before.
    pub(super) fn start(&mut self, script: &Script) {
        self.items = (script.cursor, script.cursor);
        self.skips_first = script.lane.is_skipping;
    }

    /// Ends at the cursor; returns the next turn. Bytes that no item has taken do not match, unless an `S ...` may
    /// take them: then they may also be the next turn's, as in a check.
    pub(super) fn end(&mut self, script: &mut Script) -> Self {
        let lane = &mut script.lane;
        let mut next = Self { end: self.end, ..Self::default() };
        if lane.is_skipping {
            next.received.extend_from_slice(lane.input());
        } else if !lane.input().is_empty() {
            self.matched = false;
            lane.take_all();
        }
        self.items.1 = script.cursor;
        next
    }
}
