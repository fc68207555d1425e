//! Learns what the server says now, for an update.

use std::time::Duration;

use super::{Player, Step, Turn};
use crate::transcript::format::Side;
use crate::transcript::old::Adapter;
use crate::transcript::playable::Playable;
use crate::transcript::stream::End;

/// Plays the client side, and collects what the server says.
#[derive(Debug)]
pub(crate) struct Learn(Adapter);

impl Learn {
    #[expect(clippy::needless_pass_by_value, reason = "kept by the player that replaces the adapter")]
    pub(crate) fn new(playable: Playable) -> Self {
        Self(Adapter::new(&playable, true))
    }
}

impl Player for Learn {
    type Outcome = Vec<Turn>;

    fn advance(&mut self, now: Duration) -> Step<Vec<Turn>> {
        self.0.advance(now)
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
