//! Both directions of a forwarded connection, until there is a reason to end.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::direction::{Direction, Stuck};
use super::{Ending, Party};
use crate::deadline::at;
use crate::serve::limits::Limits;
use crate::serve::time_slice::TimeSlice;
use crate::transport::{ResetWatch, Stream};

/// A client, the target, and what is on its way between them.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Stream,
    pub(super) target: Stream,
    /// From the client to the target.
    pub(super) up: Direction,
    /// From the target to the client.
    pub(super) down: Direction,
    pub(super) slice: TimeSlice,
    /// When a side last sent or took something.
    last_passed: Instant,
}

impl Connection {
    pub(super) fn new(client: Stream, target: Stream) -> Self {
        let (up, down, slice) = (Direction::default(), Direction::default(), TimeSlice::default());
        Self { client, target, up, down, slice, last_passed: Instant::now() }
    }

    pub(super) async fn pass(
        &mut self,
        limits: &Limits,
        stopping: &watch::Receiver<bool>,
        started: Instant,
    ) -> Ending {
        let connection_end = limits.connection_end(started);
        let mut stop = stopping.clone();
        let mut stop = pin!(stop.changed());
        let mut half_closed = None;
        // Checked first: sides that never pause would keep the stop from being polled.
        while stopping.has_changed().is_ok_and(|is_stopping| !is_stopping) {
            let idle_end = limits.idle.map(|limit| self.last_passed + limit);
            let deadline = idle_end.into_iter().chain(connection_end).min();
            tokio::select! {
                biased;
                passed = poll_fn(|cx| self.poll_pass(cx)) => {
                    if let Err(ending) = passed {
                        return ending;
                    }
                    match (self.up.has_ended(), self.down.has_ended(), &half_closed) {
                        (true, true, None) => return Ending::Closed(Party::Client),
                        (true, true, Some(HalfClosed { first, .. })) => return Ending::Closed(*first),
                        (true, false, None) => half_closed = Some(HalfClosed::by(Party::Client, &self.client)),
                        (false, true, None) => half_closed = Some(HalfClosed::by(Party::Target, &self.target)),
                        (true, false, Some(_)) | (false, true, Some(_)) | (false, false, _) => {}
                    }
                    if limits.idle.is_some() {
                        self.last_passed = Instant::now();
                    }
                    if !self.slice.is_over() {
                        continue;
                    }
                    yield_now().await;
                    // Sides that never pause keep the deadline from being polled, too.
                    if connection_end.is_some_and(|end| Instant::now() >= end) {
                        return Ending::ConnectionTime;
                    }
                }
                _ = &mut stop => break,
                party = reset(half_closed.as_ref()) => return Ending::Reset(party),
                () = at(deadline) => {
                    if deadline == connection_end {
                        return Ending::ConnectionTime;
                    }
                    if !self.send_unasked() {
                        return Ending::Idle;
                    }
                    self.last_passed = Instant::now();
                }
            }
        }
        Ending::Stopped
    }

    /// Passes on what there is in each direction.
    pub(super) fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ending>> {
        let Self { client, target, up, down, slice, .. } = self;
        let up = up.poll_pass(client, target, slice, cx);
        let down = down.poll_pass(target, client, slice, cx);
        let (up, down) = match (up, down) {
            (Poll::Pending, Poll::Pending) => return Poll::Pending,
            (up, down) => (ready_or(up), ready_or(down)),
        };
        let up = up.map_err(|stuck| stuck.ending(Party::Client, Party::Target));
        Poll::Ready(up.and(down.map_err(|stuck| stuck.ending(Party::Target, Party::Client))))
    }

    /// Whether a side takes something, although its kernel has not said so.
    fn send_unasked(&mut self) -> bool {
        let up = self.up.send_unasked(&mut self.target);
        self.down.send_unasked(&mut self.client) || up
    }
}

/// A connection of which one side has ended.
struct HalfClosed {
    first: Party,
    watch: Option<ResetWatch>,
}

impl HalfClosed {
    fn by(first: Party, side: &Stream) -> Self {
        // If this fails, for lack of a descriptor, a reset is noticed when bytes are sent.
        Self { first, watch: side.watch_for_reset().ok() }
    }
}

/// Waits for a reset by the side that has ended.
async fn reset(half_closed: Option<&HalfClosed>) -> Party {
    match half_closed {
        Some(HalfClosed { first, watch: Some(watch) }) => {
            watch.reset().await;
            *first
        }
        Some(HalfClosed { watch: None, .. }) | None => pending().await,
    }
}

/// A direction that has nothing to do is not stuck.
fn ready_or(passed: Poll<Result<(), Stuck>>) -> Result<(), Stuck> {
    match passed {
        Poll::Ready(passed) => passed,
        Poll::Pending => Ok(()),
    }
}

impl Stuck {
    fn ending(self, source: Party, destination: Party) -> Ending {
        match self {
            Self::Source => Ending::Reset(source),
            Self::Destination => Ending::Reset(destination),
            Self::OutOfMemory => Ending::OutOfMemory,
        }
    }
}
