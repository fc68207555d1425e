//! The connections of a script: all have events, and the cursor is on one of them.

use std::time::Duration;

use super::{Played, Script};
use crate::transcript::compare::LONGEST_LINE;
use crate::transcript::format::{Connection, Item};
use crate::transcript::player::lane::{Lane, Opening};
use crate::transcript::player::{End, Step};

impl Script {
    /// All connections. The first is that of the item at the cursor.
    pub(in crate::transcript::player) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.lane).chain(&self.parked)
    }

    pub(in crate::transcript::player) fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        std::iter::once(&mut self.lane).chain(&mut self.parked)
    }

    /// The state of a connection. There is one for each that has items.
    pub(in crate::transcript::player) fn lane_of(&mut self, connection: Connection) -> Option<&mut Lane> {
        self.lanes_mut().find(|lane| lane.connection == connection)
    }

    /// Makes a connection the current one.
    pub(in crate::transcript::player) fn turn_to(&mut self, connection: Connection) {
        if self.lane.connection != connection
            && let Some(lane) = self.parked.iter_mut().find(|lane| lane.connection == connection)
        {
            std::mem::swap(&mut self.lane, lane);
        }
    }

    /// Makes the connection of the item at the cursor the current one.
    pub(in crate::transcript::player) fn turn_to_item(&mut self) {
        if let Some(entry) = self.transcript().entries.get(self.cursor) {
            self.turn_to(entry.connection);
        }
    }

    pub(in crate::transcript::player) fn opened(&mut self, connection: Connection, now: Duration) {
        if let Some(lane) = self.lane_of(connection) {
            lane.opening = Opening::Open;
            lane.last_received = now;
        }
        self.since = now;
    }

    pub(in crate::transcript::player) fn receive(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Duration,
    ) {
        if let Some(lane) = self.lane_of(connection) {
            lane.receive(bytes, now);
        }
    }

    /// Takes the end of a stream, and returns the first one that it had.
    pub(in crate::transcript::player) fn end(
        &mut self,
        connection: Connection,
        end: End,
        now: Duration,
    ) -> Option<End> {
        let lane = self.lane_of(connection)?;
        lane.end(end, now);
        lane.end
    }

    pub(in crate::transcript::player) fn sent(
        &mut self,
        connection: Connection,
        bytes: usize,
        now: Duration,
    ) {
        if let Some(lane) = self.lane_of(connection) {
            lane.sent(bytes);
        }
        self.since = now;
    }

    pub(in crate::transcript::player) fn refused(&mut self, connection: Connection, now: Duration) {
        if let Some(lane) = self.lane_of(connection) {
            lane.is_refused = true;
            lane.drop_unsent();
        }
        self.since = now;
    }

    pub(in crate::transcript::player) fn wants_bytes(&self, connection: Connection) -> bool {
        let lane = self.lanes().find(|lane| lane.connection == connection);
        lane.is_none_or(|lane| {
            let most = self.playable.most_input(self.cursor);
            // A line that is skipped can be of any length that is compared.
            lane.input().len() < if lane.is_skipping() { most.max(LONGEST_LINE) } else { most }
        })
    }

    /// How many bytes are kept for items to come.
    pub(in crate::transcript::player) fn kept(&self) -> usize {
        self.lanes().map(|lane| lane.input().len()).sum()
    }

    /// Opens the connection of the item at the cursor, unless it is open.
    pub(in crate::transcript::player) fn open<T>(&mut self, item: &Item) -> Option<Played<T>> {
        match self.lane.opening {
            Opening::Open => None,
            Opening::Begun => Some(Played::wait(None)),
            Opening::NotYet => {
                self.lane.opening = Opening::Begun;
                let address = match item {
                    Item::Connect(Some(address)) => address.fill(&mut self.variables),
                    _ => None,
                };
                Some(Played::Step(Step::Open(self.lane.connection, address)))
            }
        }
    }
}
