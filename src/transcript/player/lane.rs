//! What a player keeps about one connection.

use std::time::Duration;

use super::End;
use crate::transcript::compare::Input;

/// The state of one connection: input that no item has taken yet, and output on its way.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// From `start` on: earlier bytes were taken by items.
    received: Vec<u8>,
    start: usize,
    /// There is no line feed between `start` and here.
    searched: usize,
    /// How the other side's stream ended, once it has.
    pub(super) end: Option<End>,
    /// When bytes or the end last arrived.
    pub(super) last_received: Duration,
    /// Whether an `S ...` takes lines until the next item of the other side matches.
    pub(super) is_skipping: bool,
    /// How many bytes are still to be sent.
    pub(super) unsent: usize,
    /// Whether our sending side is, or is about to be, shut down.
    pub(super) has_ended: bool,
    /// Whether the peer takes no more bytes.
    pub(super) is_refused: bool,
}

impl Lane {
    pub(super) fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.last_received = now;
        // Move what is left only once most of it is taken: otherwise many short lines would cost quadratic time.
        if self.start > self.received.len() / 2 {
            self.received.drain(..self.start);
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
        self.received.extend_from_slice(bytes);
    }

    pub(super) fn end(&mut self, end: End, now: Duration) {
        self.last_received = now;
        self.end.get_or_insert(end);
    }

    /// The input that no item has taken.
    pub(super) fn input(&self) -> &[u8] {
        &self.received[self.start..]
    }

    /// The same, as items are compared with it.
    pub(super) fn searched_input(&mut self) -> Input<'_> {
        let line_feed = self.line_feed();
        Input { bytes: self.input(), line_feed, has_ended: self.end.is_some() }
    }

    fn line_feed(&mut self) -> Option<usize> {
        let from = self.searched.max(self.start);
        let found = memchr::memchr(b'\n', &self.received[from..]);
        self.searched = found.map_or(self.received.len(), |at| from + at);
        found.map(|_| self.searched - self.start)
    }

    pub(super) fn take(&mut self, length: usize) {
        self.start += length;
    }

    pub(super) fn take_all(&mut self) {
        self.start = self.received.len();
    }

    /// The input up to the end of its first line, and whether that line is complete. The first `same` bytes are
    /// those of the expected item and may hold line feeds of their own.
    pub(super) fn line(&self, same: usize) -> (&[u8], bool) {
        let input = self.input();
        match memchr::memchr(b'\n', &input[same..]) {
            Some(line_feed) => (&input[..=same + line_feed], true),
            None => (input, self.end.is_some()),
        }
    }
}
