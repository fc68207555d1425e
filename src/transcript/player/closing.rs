//! The end of a transcript with several connections: what no item has taken by then fails, what arrives later does not.

use std::time::Duration;

use super::lane::Lane;
use super::script::{Played, Script};
use super::tail::GRACE;
use super::{End, Step};
use crate::transcript::divergence::Fault;
use crate::transcript::format::{Connection, Entry, Item, Side, Transcript};

/// What happens once nothing more is awaited.
///
/// ```text
///   Arriving ──► Judging ── nothing is left ──► Speaking ── last item ──► Flushing ── everything is sent ──┐
///                                                                                                          │
///                over ◄── all ends, or a time ── Lingering ◄── all are shut down ── Ending ◄───────────────┘
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) enum Closing {
    /// What the server said before what the last item matched may have arrived on another connection.
    Arriving,
    Judging,
    /// Only items that are sent are left: nothing awaits what the server replies to them.
    Speaking,
    Flushing {
        until: Duration,
    },
    Ending,
    /// A connection that is closed before the server has ended may be reset.
    Lingering {
        until: Duration,
    },
}

/// Where the end of a transcript begins: the first item after which none awaits anything.
pub(super) fn start_of_end(transcript: &Transcript) -> usize {
    let is_sent = |entry: &Entry| {
        matches!(
            entry.item,
            Item::Literal(Side::Client, _)
                | Item::Template(Side::Client, _)
                | Item::Connect(_)
                | Item::End(Side::Client)
        )
    };
    transcript.entries.iter().rposition(|entry| !is_sent(entry)).map_or(0, |last| last + 1)
}

impl Closing {
    /// Whether what arrives does not matter any more.
    pub(super) fn is_judged(self) -> bool {
        match self {
            Self::Arriving | Self::Judging => false,
            Self::Speaking | Self::Flushing { .. } | Self::Ending | Self::Lingering { .. } => true,
        }
    }

    /// Says what to do next; [`Played::Passed`] once it is over.
    pub(super) fn play<T>(&mut self, script: &mut Script, now: Duration) -> Played<T> {
        loop {
            match *self {
                Self::Arriving => {
                    *self = Self::Judging;
                    return Played::Step(Step::ReceiveAll);
                }
                Self::Judging => {
                    if let Some(fault) = judge(script) {
                        return Played::Failed(fault);
                    }
                    script.turn_to_item();
                    *self = Self::Speaking;
                }
                Self::Speaking => match script.play(now) {
                    Some(Played::Passed) => {}
                    Some(progress) => return progress,
                    None => *self = Self::Flushing { until: now + script.transcript().timeout },
                },
                Self::Flushing { until } => {
                    let is_held_up = |lane: &Lane| lane.has_unsent() && lane.end != Some(End::Reset);
                    if now < until && script.lanes().any(is_held_up) {
                        return Played::wait(Some(until));
                    }
                    *self = Self::Ending;
                }
                Self::Ending => match next_to_end(script) {
                    Some(lane) => {
                        lane.has_ended = true;
                        return Played::Step(Step::End(lane.connection));
                    }
                    None => *self = Self::Lingering { until: now + GRACE },
                },
                Self::Lingering { until } => {
                    let has_ended = |lane: &Lane| lane.end.is_some();
                    return if now >= until || script.lanes().all(has_ended) {
                        Played::Passed
                    } else {
                        Played::wait(Some(until))
                    };
                }
            }
        }
    }
}

/// The open connection with the lowest number.
fn next_to_end(script: &mut Script) -> Option<&mut Lane> {
    script.lanes_mut().filter(|lane| !lane.has_ended).min_by_key(|lane| lane.connection)
}

/// What no item has taken, on the first connection that has anything left. That becomes the current one.
fn judge(script: &mut Script) -> Option<Fault> {
    let mut connections: Vec<Connection> = script.lanes().map(|lane| lane.connection).collect();
    connections.sort_unstable();
    connections.into_iter().find_map(|connection| {
        script.turn_to(connection);
        let reset = |entry: &Entry| entry.connection == connection && entry.item == Item::Reset;
        if script.has_unexpected() {
            Some(script.unexpected())
        } else if script.lane.end == Some(End::Reset) && !script.transcript().entries.iter().any(reset) {
            Some(script.ended_early(Vec::new()))
        } else {
            None
        }
    })
}
