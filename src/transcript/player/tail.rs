//! After the last item of a transcript with one connection: nothing more may arrive.

use std::time::Duration;

use super::script::{Played, Script};
use super::{End, Step};
use crate::transcript::divergence::Fault;
use crate::transcript::format::{Item, Side};

/// How long a server may still say something if the transcript does not say how it ends.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// How long a mock that has shut down its sending side waits for its client to do the same.
const LINGER: Duration = Duration::from_secs(10);

/// What happens after the last item.
///
/// ```text
///   Flushing ── everything is sent ──► Listening ── the end, or a time ──► over
///      ▲                                   │
///      └──── End, if not yet (client) ─────┘
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Whether an item says how the other side ends.
    is_end_known: bool,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Bytes are on their way out.
    Flushing { since: Duration },
    /// Everything is sent, or the peer does not take it.
    Listening { since: Duration },
}

impl Tail {
    pub(super) fn new(is_end_known: bool, now: Duration) -> Self {
        Self { is_end_known, state: State::Flushing { since: now } }
    }

    /// Says what to do next; [`Played::Passed`] once it is over.
    pub(super) fn play<T>(&mut self, script: &mut Script, now: Duration) -> Played<T> {
        let own = script.own();
        if own == Side::Server
            && script.transcript().entries.last().is_some_and(|last| last.item == Item::Reset)
        {
            // Anything the client said meanwhile is lost.
            return Played::Passed;
        }
        if script.has_unexpected() {
            return Played::Failed(script.unexpected());
        }
        if let Some(wait) = self.flush(script, now) {
            return wait;
        }
        match self.listen(script, now) {
            // The start of a line that was to be skipped.
            Played::Passed if !script.lane.input().is_empty() => Played::Failed(script.unexpected()),
            progress => progress,
        }
    }

    fn listen<T>(&mut self, script: &mut Script, now: Duration) -> Played<T> {
        let own = script.own();
        let (State::Flushing { since } | State::Listening { since }) = self.state;
        let wait_until = |until| if now < until { Played::wait(Some(until)) } else { Played::Passed };
        match (own, script.lane.end) {
            _ if self.is_end_known => Played::Passed,
            (Side::Client, Some(End::Reset)) => Played::Failed(Fault::Reset { received: Vec::new() }),
            (Side::Client, Some(End::Eof)) | (Side::Server, Some(_)) => Played::Passed,
            (Side::Client, None) if !script.lane.has_ended => {
                script.lane.has_ended = true;
                self.state = State::Flushing { since: now };
                Played::Step(Step::End(script.lane.connection))
            }
            // A mock's client ends first, unless the mock has.
            (Side::Server, None) if !script.lane.has_ended => Played::wait(None),
            (Side::Server, None) if now < since + LINGER => wait_until(since + LINGER),
            (_, None) => match wait_until(since.max(script.since) + GRACE) {
                // Our bytes did not get through, and it is not the server's end that explains it.
                Played::Passed if own == Side::Client && script.lane.is_refused => {
                    Played::Failed(script.ended_early(Vec::new()))
                }
                progress => progress,
            },
        }
    }

    /// Waits until everything is sent. A mock waits as long as its client reads; a check at most `%timeout`.
    pub(super) fn flush<T>(&mut self, script: &Script, now: Duration) -> Option<Played<T>> {
        let State::Flushing { since } = self.state else { return None };
        let until = since + script.transcript().timeout;
        let waits = script.lane.has_unsent()
            && match script.own() {
                Side::Client => script.lane.end != Some(End::Reset) && now < until,
                Side::Server => true,
            };
        if waits {
            return Some(Played::wait((script.own() == Side::Client).then_some(until)));
        }
        self.state = State::Listening { since };
        None
    }
}
