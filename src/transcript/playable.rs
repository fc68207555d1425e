//! A transcript of which one side is known to be playable.

use std::sync::Arc;
use std::time::Duration;

use super::format::{Item, Side, Transcript};
use super::reader::ParseError;

/// A transcript and the side of it that is played. Every item of that side says what to send. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Playable {
    transcript: Arc<Transcript>,
    own: Side,
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
        Ok(Self { transcript: Arc::new(transcript), own })
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

    /// The line of the last item before this one that was sent, if any.
    pub(super) fn last_sent(&self, index: usize) -> Option<usize> {
        let is_sent =
            |item: &Item| matches!(item, Item::Literal(side, _) | Item::End(side) if *side == self.own);
        self.transcript.entries[..index].iter().rfind(|entry| is_sent(&entry.item)).map(|entry| entry.line)
    }
}
