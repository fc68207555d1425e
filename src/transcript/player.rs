//! Plays one side of a transcript: the client side in a check, the server side in a mock.
//!
//! One rule holds for both: an item of our own side is sent only after every item of the other side above it has
//! matched, on whichever connection. Bytes that arrive early are kept until their item's turn, so the result does not depend on how they
//! were split, and it depends on timing only through a timeout, `S QUIET` or a missing `S EOF`.
//!
//! A player has no socket and no clock. Its driver asks it what to do, and reports what happened:
//!
//! ```text
//!             ┌──────────────────────────────────────────────┐
//!             ▼                                              │
//!   advance(now) ──► Open, Send, End, Reset ── begin to do it, or
//!             │      ReceiveAll ── do it ────────────────────┤
//!             │                                              │
//!             ├────► Wait ── until one of these, or a time:  │
//!             │              opened, not_opened, receive,    │
//!             │              end, sent, refused ─────────────┘
//!             │
//!             └────► Done ── the outcome, or how the other side departed from the transcript
//! ```
//!
//! Times are durations since any fixed moment; they never decrease.

mod closing;
#[cfg(test)]
mod connection_tests;
mod follow;
#[cfg(test)]
mod hole_tests;
mod lane;
mod learn;
mod prologue;
#[cfg(test)]
mod prologue_tests;
mod rest;
mod script;
#[cfg(test)]
mod skip_tests;
mod tail;
#[cfg(test)]
mod tests;
mod turn;

use std::time::Duration;

use super::divergence::Divergence;
use super::format::{Connection, Side};

pub(crate) use follow::Follow;
pub(super) use lane::Skipping;
pub(crate) use learn::Learn;
#[cfg(test)]
pub(super) use prologue::Handover;
pub(crate) use prologue::Prologue;
pub(super) use turn::MOST_KEPT;
pub(crate) use turn::Turn;

/// How a side's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Cleanly: it shut down its sending side.
    Eof,
    /// The connection was reset.
    Reset,
}

/// What the driver is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// Open this connection, to this address if there is one. It does not need to be parsed yet.
    Open(Connection, Option<Vec<u8>>),
    /// Send these bytes after all earlier ones of the connection, and keep reading from all meanwhile.
    Send(Connection, Vec<u8>),
    /// Shut down the sending side of the connection once everything is sent.
    End(Connection),
    /// Reset the only connection once everything is acknowledged.
    Reset,
    /// Take what has arrived on all connections, without waiting.
    ReceiveAll,
    /// Wait for an event, or until this time; `None` means no limit.
    Wait(Option<Duration>),
    /// Playing is over. The player is not asked again.
    Done(Result<T, Divergence>),
}

/// One side of a transcript being played.
pub(crate) trait Player {
    /// What is known once the other side has followed the transcript to its end.
    type Outcome;

    /// Says what to do next. Every step but [`Step::Wait`] changes what the next one is.
    fn advance(&mut self, now: Duration) -> Step<Self::Outcome>;

    /// Notes that a connection is open.
    fn opened(&mut self, connection: Connection, now: Duration);

    /// Notes that a connection could not be opened: what was attempted, and what went wrong.
    fn not_opened(&mut self, connection: Connection, error: String, now: Duration);

    /// Takes bytes from the other side.
    fn receive(&mut self, connection: Connection, bytes: &[u8], now: Duration);

    /// Takes the end of the other side's stream. Only the first one counts.
    fn end(&mut self, connection: Connection, end: End, now: Duration);

    /// Notes that this many more bytes of those in [`Step::Send`] were sent.
    fn sent(&mut self, connection: Connection, bytes: usize, now: Duration);

    /// Notes that the peer takes no more bytes on a connection. Those not yet sent are dropped, and none follow: there
    /// is no [`Step::Send`] for it after this.
    fn refused(&mut self, connection: Connection, now: Duration);

    /// Whether to read more. If not, a lot has arrived that no item asks for yet.
    fn wants_bytes(&self, connection: Connection) -> bool;

    /// How many bytes are kept for items to come.
    fn kept(&self) -> usize;

    /// The side that is played.
    fn own(&self) -> Side;
}
