//! What a player says: what to do next, and in the end how it went.

use std::time::Duration;

use super::super::player::End;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send these bytes behind all earlier ones, and read at the same time.
    Send(Vec<u8>),
    /// End this side once all is sent.
    End,
    /// Reset the connection once all is acknowledged.
    Reset,
    /// Wait until something comes or is sent, or until this time, where there is one.
    Wait(Option<Duration>),
    /// It is over.
    Done(Verdict),
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The other side followed the transcript; or, in an update, has said all that there is to know.
    Followed,
    /// It did not.
    Diverged(Divergence),
}

/// Where and how the other side left the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// In a word.
    pub(crate) headline: Headline,
    /// The item that was waited for, by its index; the number of items for the end of the transcript.
    pub(crate) index: usize,
    /// The line of our side's last item.
    pub(crate) last_sent: Option<usize>,
    /// What came instead: the rest of its first line.
    pub(crate) received: Vec<u8>,
    /// The end of the stream, where that is what came.
    pub(crate) end: Option<End>,
    /// The time within which nothing more came, where that is what is wrong.
    pub(crate) limit: Option<Duration>,
}

/// What is wrong, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headline {
    /// Something else came.
    Differs,
    /// Nothing came, or not all of it.
    Missing,
    /// Something came where nothing should have.
    Unexpected,
    /// The end came where something else should have.
    ClosedEarly,
    /// The end did not come.
    NoEnd,
    /// The connection was reset.
    Reset,
}
