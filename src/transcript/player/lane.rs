//! What a player keeps about one connection.

use std::collections::VecDeque;
use std::time::Duration;

use super::End;
use crate::transcript::compare::{Input, LONGEST_LINE};
use crate::transcript::format::{Connection, LineEnding, Pattern};
use crate::transcript::scan::Scan;
use crate::transcript::skipped::Skipped;

/// Which lines are taken until the next item of the other side matches.
#[derive(Clone, Debug, Default)]
pub(in crate::transcript) enum Skipping {
    /// None.
    #[default]
    Not,
    /// All: `S ...`, `C ...`.
    All,
    /// Those that match: `S ... regex`.
    Matching(Pattern),
}

impl Skipping {
    pub(in crate::transcript) fn new(pattern: Option<&Pattern>) -> Self {
        pattern.map_or(Self::All, |pattern| Self::Matching(pattern.clone()))
    }

    /// Whether a line, with its ending, is taken. The end of the stream ends a line too.
    pub(in crate::transcript) fn takes(&self, line: &[u8], eol: LineEnding) -> bool {
        match self {
            Self::Not => false,
            Self::All => true,
            Self::Matching(pattern) => match line.strip_suffix(eol.bytes()) {
                Some(text) => pattern.matches(text),
                None => !line.ends_with(b"\n") && pattern.matches(line),
            },
        }
    }
}

/// How far a connection is from being open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Its first item is still to come.
    NotYet,
    /// The driver was told to open it.
    Begun,
    Open,
}

/// The state of one connection: input that no item has taken yet, and output on its way.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) connection: Connection,
    pub(super) opening: Opening,
    /// From `start` on: earlier bytes were taken by items.
    received: Vec<u8>,
    start: usize,
    /// There is no line feed between `start` and here.
    searched: usize,
    /// How far the item at the cursor has been compared with the input.
    pub(super) scan: Scan,
    /// How the other side's stream ended, once it has.
    pub(super) end: Option<End>,
    /// When bytes or the end last arrived.
    pub(super) last_received: Duration,
    pub(super) skipping: Skipping,
    /// What that has taken.
    pub(super) skipped: Skipped,
    /// The items that are still to be sent, by their indexes, and how many of their bytes.
    outgoing: VecDeque<(usize, usize)>,
    /// Whether our sending side is, or is about to be, shut down.
    pub(super) has_ended: bool,
    /// Whether the peer takes no more bytes.
    pub(super) is_refused: bool,
}

impl Lane {
    pub(super) fn new(connection: Connection, opening: Opening) -> Self {
        Self {
            connection,
            opening,
            received: Vec::new(),
            start: 0,
            searched: 0,
            scan: Scan::default(),
            end: None,
            last_received: Duration::ZERO,
            skipping: Skipping::default(),
            skipped: Skipped::default(),
            outgoing: VecDeque::new(),
            has_ended: false,
            is_refused: false,
        }
    }

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

    /// The same, as items are compared with it, and how far the item at the cursor has been.
    pub(super) fn searched_input(&mut self) -> (Input<'_>, &mut Scan) {
        let line_feed = self.line_feed();
        let bytes = &self.received[self.start..];
        (Input { bytes, line_feed, has_ended: self.end.is_some() }, &mut self.scan)
    }

    fn line_feed(&mut self) -> Option<usize> {
        let from = self.searched.max(self.start);
        let found = memchr::memchr(b'\n', &self.received[from..]);
        self.searched = found.map_or(self.received.len(), |at| from + at);
        found.map(|_| self.searched - self.start)
    }

    pub(super) fn take(&mut self, length: usize) {
        self.start += length;
        self.scan.restart();
    }

    pub(super) fn take_all(&mut self) {
        self.take(self.input().len());
    }

    /// Takes lines until an item matches.
    pub(super) fn start_skipping(&mut self, skipping: Skipping) {
        self.skipping = skipping;
        self.skipped = Skipped::default();
    }

    /// Takes input that is skipped.
    pub(super) fn skip(&mut self, length: usize) {
        self.skipped.take(&self.received[self.start..self.start + length]);
        self.take(length);
    }

    /// Replaces the input that no item has taken.
    pub(super) fn put_back(&mut self, input: &[u8]) {
        (self.received, self.start, self.searched) = (input.to_owned(), 0, 0);
        self.skipped = Skipped::default();
    }

    pub(super) fn is_skipping(&self) -> bool {
        !matches!(self.skipping, Skipping::Not)
    }

    /// Takes all that is skipped before an item without bytes, and says whether anything is left that never will be.
    pub(super) fn has_unexpected(&mut self, eol: LineEnding) -> bool {
        if let Skipping::All = self.skipping {
            self.skip(self.input().len());
        }
        while !self.input().is_empty() {
            let line_feed = self.line_feed();
            let line = match line_feed {
                Some(line_feed) => &self.input()[..=line_feed],
                None if self.is_skipping() && self.end.is_none() && self.input().len() < LONGEST_LINE => {
                    return false;
                }
                None => self.input(),
            };
            if !self.skipping.takes(line, eol) {
                return true;
            }
            self.skip(line.len());
        }
        false
    }

    /// Notes that this many bytes of an item are to be sent.
    pub(super) fn hand_out(&mut self, item: usize, bytes: usize) {
        if bytes > 0 {
            self.outgoing.push_back((item, bytes));
        }
    }

    /// Notes that this many bytes were sent.
    pub(super) fn sent(&mut self, mut bytes: usize) {
        while let Some((_, left)) = self.outgoing.front_mut()
            && bytes > 0
        {
            let sent = bytes.min(*left);
            *left -= sent;
            bytes -= sent;
            self.outgoing.pop_front_if(|(_, left)| *left == 0);
        }
        debug_assert_eq!(bytes, 0, "more was sent than was handed out");
    }

    /// Notes that nothing more will be sent.
    pub(super) fn drop_unsent(&mut self) {
        self.outgoing.clear();
    }

    /// The first item that is not sent in full.
    pub(super) fn first_unsent(&self) -> Option<usize> {
        self.outgoing.front().map(|(item, _)| *item)
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
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
