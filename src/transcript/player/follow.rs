//! Finds where the other side departs from the transcript: in a check, and in a mock.

use std::time::Duration;

use super::{Player, Step};
use crate::transcript::format::Side;
use crate::transcript::old::Adapter;
use crate::transcript::playable::Playable;
use crate::transcript::stream::End;

/// Plays a side, and compares the other one.
#[derive(Debug)]
pub(crate) struct Follow(Adapter);

impl Follow {
    #[expect(clippy::needless_pass_by_value, reason = "kept by the player that replaces the adapter")]
    pub(crate) fn new(playable: Playable) -> Self {
        Self(Adapter::new(&playable, false))
    }
}

impl Player for Follow {
    type Outcome = ();

    fn advance(&mut self, now: Duration) -> Step<()> {
        self.0.advance(now).map(drop)
    }

    fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.0.player.receive(bytes, now);
    }

    fn end(&mut self, end: End, now: Duration) {
        self.0.player.end(end, now);
    }

    fn sent(&mut self, bytes: usize, now: Duration) {
        self.0.player.sent(bytes, now);
    }

    fn refused(&mut self, now: Duration) {
        self.0.refused(now);
    }

    fn wants_bytes(&self) -> bool {
        self.0.player.wants_bytes()
    }

    fn own(&self) -> Side {
        self.0.player.own()
    }
}
