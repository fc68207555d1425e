//! What an update learns about the server, turn by turn.

use crate::transcript::stream::End;

/// What the server said between two client items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The server items in this turn: from the first index up to, but not including, the second.
    pub(crate) items: (usize, usize),
    /// Whether they matched.
    pub(crate) matched: bool,
    /// The bytes that arrived.
    pub(crate) received: Vec<u8>,
    /// How the stream ended, if it did.
    pub(crate) end: Option<End>,
    /// Whether an `S ...` of an earlier turn still takes the first lines.
    pub(crate) skips_first: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self { items: (0, 0), matched: true, received: Vec::new(), end: None, skips_first: false }
    }
}
