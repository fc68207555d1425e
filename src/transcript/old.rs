//! Plays one side of a transcript: the client's when a server is checked, the server's as a mock.
//!
//! One rule holds for both: an item of our own side is sent only after every item of the other side above it
//! has matched. What has come is kept until its item's turn, so no verdict depends on how it was cut, and none
//! on time but through a limit, [`Item::Quiet`], or an end that the transcript does not say.
//!
//! The player has no socket and no clock: it is told what comes, how much was sent and what time it is, and
//! [`Player::advance`] says what to do next. Times are counted from any moment that stays the same.

mod stream;
mod turns;
pub(super) mod verdict;

use std::sync::Arc;
use std::time::Duration;

use super::divergence::{self, Fault};
use super::format::{Entry, Item, Side, Transcript};
use super::playable::Playable;
use super::player as new;
use super::player::End;
use super::player::Turn;
use stream::Received;
use turns::Goal;
use verdict::{Divergence, Headline, Step, Verdict};

/// How long it must be quiet before what has come of a line counts as all that comes of it, once it is clear
/// that it is not the expected one.
const REST_OF_LINE: Duration = Duration::from_millis(500);

/// How long a server may still say something where the transcript does not tell how it ends.
const GRACE: Duration = Duration::from_millis(500);

/// How long a mock that has ended its side waits for the end of its client's.
const LINGER: Duration = Duration::from_secs(10);

/// How much longer than it says a played silence is: the other side may begin to count later.
const QUIET_MARGIN: Duration = Duration::from_millis(50);

/// How long a line may be that a pattern is waiting for, and how much is kept for a later item, in bytes.
pub(super) const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// The player.
#[derive(Debug)]
pub(crate) struct Player {
    transcript: Arc<Transcript>,
    own: Side,
    goal: Goal,
    cursor: usize,
    received: Received,
    /// Whether lines are passed over until the next item of the other side matches.
    is_skipping: bool,
    /// How much longer the next item may take.
    allowance: Duration,
    /// When something was last sent, or matched.
    since: Duration,
    last_received: Duration,
    /// Bytes that are to be sent and are not yet.
    unsent: usize,
    last_sent_line: Option<usize>,
    has_begun: bool,
    has_ended: bool,
    /// When the pause that the cursor stands at began.
    pause: Option<Duration>,
    /// When the last item was behind us.
    finished: Option<Duration>,
    /// What went wrong, while the rest of the line is read.
    divergence: Option<Divergence>,
}

/// What an item says to what has come.
enum Match {
    /// It matches so many bytes.
    Whole(usize),
    /// More may make it match.
    Open,
    /// It does not match.
    No,
}

impl Player {
    /// Plays the side `own`.
    #[must_use]
    pub(crate) fn new(transcript: Arc<Transcript>, own: Side) -> Self {
        Self {
            transcript,
            own,
            goal: Goal::Follow,
            cursor: 0,
            received: Received::default(),
            is_skipping: false,
            allowance: Duration::ZERO,
            since: Duration::ZERO,
            last_received: Duration::ZERO,
            unsent: 0,
            last_sent_line: None,
            has_begun: false,
            has_ended: false,
            pause: None,
            finished: None,
            divergence: None,
        }
    }

    /// Plays the client's side to learn what the server says now.
    #[must_use]
    pub(crate) fn for_update(transcript: Arc<Transcript>) -> Self {
        let turn = Turn::default();
        let goal = Goal::Update { turns: Vec::new(), turn, is_over: false, is_broken: false };
        Self { goal, ..Self::new(transcript, Side::Client) }
    }

    /// Takes what the other side says.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.last_received = now;
        self.received.extend(bytes);
        if let Goal::Update { turn, .. } = &mut self.goal {
            turn.received.extend_from_slice(bytes);
        }
    }

    /// Takes the end of what the other side says.
    pub(crate) fn end(&mut self, end: End, now: Duration) {
        self.last_received = now;
        self.received.end.get_or_insert(end);
        if let Goal::Update { turn, .. } = &mut self.goal {
            turn.end = self.received.end;
        }
    }

    /// Takes note that so many bytes were sent.
    pub(crate) fn sent(&mut self, bytes: usize, now: Duration) {
        self.unsent -= bytes;
        self.since = now;
    }

    /// Whether more can be taken in. Otherwise much has come that no item asks for yet.
    #[must_use]
    pub(crate) fn wants_bytes(&self) -> bool {
        self.received.bytes().len() < LONGEST_LINE
    }

    /// The side that is played.
    #[must_use]
    pub(crate) fn own(&self) -> Side {
        self.own
    }

    /// Says what to do next. Each step but waiting changes what the next one is.
    pub(crate) fn advance(&mut self, now: Duration) -> Step {
        if !std::mem::replace(&mut self.has_begun, true) {
            (self.since, self.last_received) = (now, now);
        }
        loop {
            let step = if self.divergence.is_some() {
                self.read_rest(now)
            } else if self.is_turn_broken() {
                self.settle(now)
            } else {
                self.play(now)
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Plays the item at the cursor. Nothing where there is another one to be played now.
    fn play(&mut self, now: Duration) -> Option<Step> {
        let transcript = Arc::clone(&self.transcript);
        let Some(Entry { item, .. }) = transcript.entries.get(self.cursor) else {
            return self.finish(now);
        };
        let is_own = item.side() == self.own;
        if is_own {
            // In an update, the server's turn is over first. A pause is part of it.
            if !matches!(item, Item::Wait(..))
                && let Some(step) = self.end_turn(now)
            {
                return Some(step);
            }
        } else {
            self.begin_turn();
        }
        match item {
            // A reset would overtake what is not sent yet.
            Item::Reset if is_own && self.unsent > 0 && self.received.end.is_none() => Some(Step::Wait(None)),
            Item::Literal(..) | Item::End(_) | Item::Reset if is_own => self.speak(&transcript, now),
            Item::Wait(_, time) if is_own => self.pause(*time, now),
            // The client's pauses count before its silence does.
            Item::Quiet(time) if is_own => self.pause(self.allowance + *time + QUIET_MARGIN, now),
            Item::Wait(_, time) => {
                self.allowance += *time;
                self.pass();
                None
            }
            Item::Any => {
                self.is_skipping = true;
                self.pass();
                None
            }
            Item::Quiet(time) => self.expect_silence(*time, now),
            Item::End(_) => self.expect_end(End::Eof, Headline::NoEnd, now),
            Item::Reset => self.expect_end(End::Reset, Headline::Missing, now),
            Item::Literal(..) | Item::Pattern(..) => self.expect(item, now),
        }
    }

    /// Sends the items of our side that are next to each other.
    fn speak(&mut self, transcript: &Transcript, now: Duration) -> Option<Step> {
        self.since = now;
        let mut bytes = Vec::new();
        while let Some(entry) = transcript.entries.get(self.cursor) {
            match &entry.item {
                Item::Literal(side, literal) if *side == self.own => bytes.extend_from_slice(literal),
                Item::End(side) if *side == self.own && bytes.is_empty() => {
                    self.has_ended = true;
                    self.last_sent_line = Some(entry.line);
                    self.pass();
                    return Some(Step::End);
                }
                Item::Reset if self.own == Side::Server && bytes.is_empty() => {
                    self.has_ended = true;
                    self.pass();
                    return Some(Step::Reset);
                }
                _ => break,
            }
            self.last_sent_line = Some(entry.line);
            self.pass();
        }
        self.unsent += bytes.len();
        // An item may be of no bytes.
        (!bytes.is_empty()).then_some(Step::Send(bytes))
    }

    /// Says nothing for `time` after all that was said before is sent.
    fn pause(&mut self, time: Duration, now: Duration) -> Option<Step> {
        if self.unsent > 0 && self.own == Side::Server && self.received.end.is_none() {
            return Some(Step::Wait(None));
        }
        let until = (*self.pause.get_or_insert(now)).max(self.since) + time;
        if now < until {
            return Some(Step::Wait(Some(until)));
        }
        self.since = now;
        self.pass();
        None
    }

    /// Waits until it has been quiet for `time`.
    fn expect_silence(&mut self, time: Duration, now: Duration) -> Option<Step> {
        let mut begin = (*self.pause.get_or_insert(now)).max(self.since);
        if self.is_skipping {
            self.received.take(self.received.bytes().len());
            begin = begin.max(self.last_received);
        } else if !self.received.bytes().is_empty() {
            return self.diverge(Headline::Unexpected, now);
        }
        if now < begin + time && self.received.end.is_none() {
            return Some(Step::Wait(Some(begin + time)));
        }
        self.matched(0, now);
        None
    }

    fn expect_end(&mut self, end: End, missing: Headline, now: Duration) -> Option<Step> {
        if self.is_skipping {
            self.received.take(self.received.bytes().len());
        }
        if !self.received.bytes().is_empty() {
            return self.diverge(Headline::Unexpected, now);
        }
        match self.received.end {
            None => self.wait_for(missing, now),
            Some(is) if is == end => {
                self.matched(0, now);
                None
            }
            Some(End::Reset) => self.diverge(Headline::Reset, now),
            Some(End::Eof) => self.diverge(Headline::Differs, now),
        }
    }

    /// Waits for a line of the other side.
    fn expect(&mut self, item: &Item, now: Duration) -> Option<Step> {
        loop {
            let bytes = self.received.bytes();
            match self.compare(item, bytes) {
                Match::Whole(length) => {
                    self.matched(length, now);
                    return None;
                }
                Match::No if self.is_skipping => match memchr::memchr(b'\n', bytes) {
                    Some(line_feed) => self.received.take(line_feed + 1),
                    None if self.received.end.is_some() || bytes.len() >= LONGEST_LINE => break,
                    None => return self.wait_for(Headline::Missing, now),
                },
                Match::No => return self.diverge(Headline::Differs, now),
                Match::Open if self.received.end.is_some() => break,
                Match::Open => return self.wait_for(Headline::Missing, now),
            }
        }
        let headline = match self.received.end {
            Some(End::Reset) => Headline::Reset,
            Some(End::Eof) => Headline::ClosedEarly,
            None => Headline::Differs,
        };
        self.diverge(headline, now)
    }

    fn compare(&self, item: &Item, bytes: &[u8]) -> Match {
        match item {
            Item::Literal(_, literal) if bytes.starts_with(literal) => Match::Whole(literal.len()),
            Item::Literal(_, literal) if literal.starts_with(bytes) => Match::Open,
            Item::Pattern(_, pattern) => match memchr::memchr(b'\n', bytes) {
                Some(line_feed) => match bytes[..=line_feed].strip_suffix(self.transcript.eol.bytes()) {
                    Some(line) if pattern.matches(line) => Match::Whole(line_feed + 1),
                    _ => Match::No,
                },
                None if bytes.len() >= LONGEST_LINE => Match::No,
                // The end of the stream ends a line, where there is one.
                None if self.received.end.is_none() || bytes.is_empty() => Match::Open,
                None if pattern.matches(bytes) => Match::Whole(bytes.len()),
                None => Match::No,
            },
            _ => Match::No,
        }
    }

    /// Waits for what has not come, as long as the transcript lets it take. A mock waits for its client for
    /// ever.
    fn wait_for(&mut self, missing: Headline, now: Duration) -> Option<Step> {
        if self.own == Side::Server {
            return Some(Step::Wait(None));
        }
        let limit = self.transcript.timeout + self.allowance;
        if now < self.since + limit {
            return Some(Step::Wait(Some(self.since + limit)));
        }
        self.diverge(missing, now);
        // What has come of the line has had its time.
        let divergence = self.divergence.take()?;
        let received = self.received.bytes().to_vec();
        Some(Step::Done(Verdict::Diverged(Divergence { received, limit: Some(limit), ..divergence })))
    }

    /// Behind the last item: nothing more may come.
    fn finish(&mut self, now: Duration) -> Option<Step> {
        let last = self.transcript.entries.last();
        if self.own == Side::Server && last.is_some_and(|entry| entry.item == Item::Reset) {
            // What the client said meanwhile is lost.
            return Some(Step::Done(Verdict::Followed));
        }
        if self.finished.is_none() {
            self.begin_turn();
        }
        if self.is_skipping {
            self.received.take(self.received.bytes().len());
        }
        if !self.received.bytes().is_empty() && !self.is_turn_open() {
            return self.diverge(Headline::Unexpected, now);
        }
        let other = self.own.other();
        let is_end_known = self.transcript.entries.iter().any(|entry| {
            matches!(entry.item, Item::Reset) || matches!(entry.item, Item::End(side) if side == other)
        });
        let finished = *self.finished.get_or_insert(now);
        if self.unsent > 0
            && self.received.end != Some(End::Reset)
            && now < finished + self.transcript.timeout
        {
            return Some(Step::Wait(Some(finished + self.transcript.timeout)));
        }
        // The last turn is what the server says before it is told that nothing more comes.
        if let Some(step) = self.end_turn(now) {
            return Some(step);
        }
        let is_end_known = is_end_known && matches!(self.goal, Goal::Follow);
        if is_end_known || self.has_turn_with_end() {
            return Some(Step::Done(Verdict::Followed));
        }
        match self.received.end {
            Some(End::Reset) if self.own == Side::Client => return self.diverge(Headline::Reset, now),
            // A mock's client ends first, unless the mock has.
            None if self.own == Side::Server && !self.has_ended => return Some(Step::Wait(None)),
            None if self.own == Side::Server && now < finished + LINGER => {
                return Some(Step::Wait(Some(finished + LINGER)));
            }
            None if !self.has_ended => {
                self.has_ended = true;
                self.finished = Some(now);
                return Some(Step::End);
            }
            None if now < finished.max(self.since) + GRACE => {
                return Some(Step::Wait(Some(finished.max(self.since) + GRACE)));
            }
            _ => {}
        }
        Some(Step::Done(Verdict::Followed))
    }

    /// Takes what the item at the cursor has matched.
    fn matched(&mut self, length: usize, now: Duration) {
        self.received.take(length);
        self.is_skipping = false;
        if length > 0 {
            self.allowance = Duration::ZERO;
        }
        self.since = now;
        self.pass();
    }

    fn pass(&mut self) {
        self.cursor += 1;
        self.pause = None;
    }

    /// Notes what went wrong. In an update that only means that the turn is another one now.
    fn diverge(&mut self, headline: Headline, now: Duration) -> Option<Step> {
        if let Goal::Update { turn, is_broken, is_over: false, .. } = &mut self.goal {
            let is_nothing = turn.received.is_empty() && turn.end.is_none();
            if !(is_nothing && headline == Headline::Missing) {
                turn.matched = false;
                *is_broken = self.cursor < self.transcript.entries.len();
                return None;
            }
        }
        // The rest of the line has its time from now on.
        self.last_received = now;
        self.divergence = Some(self.divergence_here(headline));
        None
    }

    fn divergence_here(&self, headline: Headline) -> Divergence {
        Divergence {
            headline,
            index: self.cursor,
            last_sent: self.last_sent_line,
            received: Vec::new(),
            end: None,
            limit: None,
        }
    }

    /// Reads the rest of the line that is wrong, so that it can be shown whole.
    fn read_rest(&mut self, now: Duration) -> Option<Step> {
        let bytes = self.received.bytes();
        let divergence = self.divergence.as_mut()?;
        let at = match self.transcript.entries.get(divergence.index).map(|entry| &entry.item) {
            Some(Item::Literal(_, literal)) => literal.iter().zip(bytes).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        let line_feed = memchr::memchr(b'\n', &bytes[at.min(bytes.len())..]).map(|found| at + found);
        let is_about_bytes = matches!(divergence.headline, Headline::Differs | Headline::Unexpected);
        let is_whole = line_feed.is_some()
            || self.received.end.is_some()
            || !is_about_bytes
            || bytes.len() >= LONGEST_LINE
            || now >= self.last_received + REST_OF_LINE;
        if !is_whole {
            return Some(Step::Wait(Some(self.last_received + REST_OF_LINE)));
        }
        let mut divergence = self.divergence.take()?;
        divergence.received = bytes[..line_feed.map_or(bytes.len(), |end| end + 1)].to_vec();
        if !is_about_bytes || divergence.received.is_empty() {
            divergence.end = self.received.end;
        }
        Some(Step::Done(Verdict::Diverged(divergence)))
    }
}

/// The old player behind the new interface.
#[derive(Debug)]
pub(super) struct Adapter {
    pub(super) player: Player,
    is_refused: bool,
}

impl Adapter {
    pub(super) fn new(playable: &Playable, updates: bool) -> Self {
        let transcript = Arc::new(playable.transcript().clone());
        let player =
            if updates { Player::for_update(transcript) } else { Player::new(transcript, playable.own()) };
        Self { player, is_refused: false }
    }

    pub(super) fn refused(&mut self, now: Duration) {
        self.is_refused = true;
        self.player.sent(self.player.unsent, now);
    }

    pub(super) fn advance(&mut self, now: Duration) -> new::Step<Vec<Turn>> {
        loop {
            return match self.player.advance(now) {
                Step::Send(bytes) if self.is_refused => {
                    self.player.sent(bytes.len(), now);
                    continue;
                }
                Step::Send(bytes) => new::Step::Send(bytes),
                Step::End => new::Step::End,
                Step::Reset => new::Step::Reset,
                Step::Wait(until) => new::Step::Wait(until),
                Step::Done(Verdict::Followed) => new::Step::Done(Ok(match &mut self.player.goal {
                    Goal::Follow => Vec::new(),
                    Goal::Update { turns, .. } => std::mem::take(turns),
                })),
                Step::Done(Verdict::Diverged(divergence)) => new::Step::Done(Err(divergence.into())),
            };
        }
    }
}

impl From<Divergence> for divergence::Divergence {
    fn from(old: Divergence) -> Self {
        let Divergence { headline, index, received, end, limit, .. } = old;
        let fault = match (headline, limit) {
            (Headline::Differs, None) if end.is_some() => Fault::EofForReset,
            (Headline::Differs, None) => Fault::Differs { received },
            (Headline::Missing, Some(limit)) => Fault::Missing { received, limit },
            (Headline::NoEnd, Some(limit)) => Fault::NoEof { limit },
            (Headline::Unexpected, None) => Fault::Unexpected { received },
            (Headline::ClosedEarly, None) => Fault::ClosedEarly { received },
            (Headline::Reset, None) => Fault::Reset { received },
            other => unreachable!("{other:?}"),
        };
        Self { index, fault }
    }
}
