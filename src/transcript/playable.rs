//! A transcript of which one side is known to be playable.

use std::sync::Arc;
use std::time::Duration;

use super::compare::LONGEST_LINE;
use super::format::{Entry, Item, Side, Transcript};
use super::reader::ParseError;

/// How many bytes of a client are kept that no item asks for.
const SPARE: usize = 64 * 1024;

/// A transcript and the side of it that is played. Every item of that side says what to send. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Playable {
    transcript: Arc<Transcript>,
    own: Side,
    /// For each item, and for the end, how much input is kept at most.
    most_input: Arc<[usize]>,
}

impl Playable {
    /// Returns an error if an item of `own` matches input instead of saying what to send.
    pub(crate) fn new(transcript: Transcript, own: Side) -> Result<Self, ParseError> {
        let form = |item: &Item| match item {
            Item::Pattern(side, _) if *side == own => Some(format!("{}~", own.letter())),
            Item::Any if own == Side::Server => Some("S ...".to_owned()),
            _ => None,
        };
        let found = transcript.entries.iter().find_map(|entry| Some((entry.line, form(&entry.item)?)));
        if let Some((line, form)) = found {
            let letter = own.letter();
            let message = format!("expected text for the {own} to send ('{letter}: text'), found '{form}'");
            return Err(ParseError { path: transcript.path, line, message });
        }
        let most_input = most_input(&transcript.entries, own);
        Ok(Self { transcript: Arc::new(transcript), own, most_input })
    }

    /// The same with another `%timeout`.
    #[must_use]
    pub(crate) fn with_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.transcript).timeout = timeout;
        self
    }

    /// The transcript.
    #[must_use]
    pub(crate) fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The side that is played.
    #[must_use]
    pub(crate) fn own(&self) -> Side {
        self.own
    }

    /// How many bytes may wait to be taken by the item with this index, and those after it.
    pub(super) fn most_input(&self, index: usize) -> usize {
        self.most_input[index]
    }

    /// The line of the last item before this one that was sent, if any.
    pub(super) fn last_sent(&self, index: usize) -> Option<usize> {
        let is_sent =
            |item: &Item| matches!(item, Item::Literal(side, _) | Item::End(side) if *side == self.own);
        self.transcript.entries[..index].iter().rfind(|entry| is_sent(&entry.item)).map(|entry| entry.line)
    }
}

/// How many bytes may wait for each item. A mock, which may have many clients, keeps no more of one than the items
/// that are left can take; a check reads on, because its server may not read while it cannot write.
fn most_input(entries: &[Entry], own: Side) -> Arc<[usize]> {
    let mut most = match own {
        Side::Client => LONGEST_LINE,
        Side::Server => SPARE,
    };
    let mut all = vec![most; entries.len() + 1];
    for (index, entry) in entries.iter().enumerate().rev() {
        let taken = match &entry.item {
            Item::Literal(Side::Client, bytes) => bytes.len(),
            Item::Pattern(Side::Client, _) => LONGEST_LINE,
            Item::Literal(..)
            | Item::Pattern(..)
            | Item::Any
            | Item::End(_)
            | Item::Reset
            | Item::Wait(..)
            | Item::Quiet(_) => 0,
        };
        most = most.saturating_add(taken).min(LONGEST_LINE);
        all[index] = most;
    }
    all.into()
}
