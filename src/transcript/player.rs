//! Plays one side of a transcript: the client's when a server is checked, the server's as a mock.
//!
//! One rule holds for both: an item of our own side is sent only after every item of the other side above it
//! has matched. What has come is kept until its item's turn, so no verdict depends on how it was cut, and none
//! on time but through a limit, [`Item::Quiet`], or an end that the transcript does not say.
//!
//! The player has no socket and no clock: it is told what comes, how much was sent and what time it is, and
//! [`Player::advance`] says what to do next. Times are counted from any moment that stays the same.

use std::sync::Arc;
use std::time::Duration;

use super::format::{Entry, Item, Side, Transcript};
use super::stream::{End, Received};

/// How long it must be quiet before what has come of a line counts as all that comes of it, once it is clear
/// that it is not the expected one.
const REST_OF_LINE: Duration = Duration::from_millis(500);

/// How long a server may still say something where the transcript does not tell how it ends.
const GRACE: Duration = Duration::from_millis(500);

/// How long it must be quiet, in an update, before the server has said all of its turn.
const SETTLE: Duration = Duration::from_millis(100);

/// How much longer than it says a played silence is: the other side may begin to count later.
const QUIET_MARGIN: Duration = Duration::from_millis(50);

/// How long a line may be that a pattern is waiting for, and how much is kept for a later item, in bytes.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
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
pub enum Verdict {
    /// The other side followed the transcript; or, in an update, has said all that there is to know.
    Followed,
    /// It did not.
    Diverged(Divergence),
}

/// Where and how the other side left the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// In a word.
    pub headline: Headline,
    /// The item that was waited for, by its index; the number of items for the end of the transcript.
    pub index: usize,
    /// The line of our side's last item.
    pub last_sent: Option<usize>,
    /// What came instead: the rest of its first line.
    pub received: Vec<u8>,
    /// The end of the stream, where that is what came.
    pub end: Option<End>,
    /// The time within which nothing more came, where that is what is wrong.
    pub limit: Option<Duration>,
}

/// What is wrong, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headline {
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

/// What the server said between two items of the client's, in an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The server's items there: from the first of these indices, up to the second.
    pub items: (usize, usize),
    /// Whether they matched what was said.
    pub matched: bool,
    /// What was said.
    pub received: Vec<u8>,
    /// How the stream ended, where it did.
    pub end: Option<End>,
    /// Whether an earlier `S ...` still takes what comes first.
    pub skips_first: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self { items: (0, 0), matched: true, received: Vec::new(), end: None, skips_first: false }
    }
}

/// What the player makes of its transcript.
#[derive(Debug)]
enum Goal {
    /// Find where the other side leaves it.
    Follow,
    /// Learn what the server says now.
    Update {
        turns: Vec<Turn>,
        /// What is being said.
        turn: Turn,
        /// Whether it is the client's turn.
        is_over: bool,
        is_broken: bool,
    },
}

/// The player.
#[derive(Debug)]
pub struct Player {
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
    pub fn new(transcript: Arc<Transcript>, own: Side) -> Self {
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
    pub fn for_update(transcript: Arc<Transcript>) -> Self {
        let turn = Turn::default();
        let goal = Goal::Update { turns: Vec::new(), turn, is_over: false, is_broken: false };
        Self { goal, ..Self::new(transcript, Side::Client) }
    }

    /// Takes what the other side says.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.last_received = now;
        self.received.extend(bytes);
        if let Goal::Update { turn, .. } = &mut self.goal {
            turn.received.extend_from_slice(bytes);
        }
    }

    /// Takes the end of what the other side says.
    pub fn end(&mut self, end: End, now: Duration) {
        self.last_received = now;
        self.received.end.get_or_insert(end);
        if let Goal::Update { turn, .. } = &mut self.goal {
            turn.end = self.received.end;
        }
    }

    /// Takes note that so many bytes were sent.
    pub fn sent(&mut self, bytes: usize, now: Duration) {
        self.unsent -= bytes;
        self.since = now;
    }

    /// Whether more can be taken in. Otherwise much has come that no item asks for yet.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        self.received.bytes().len() < LONGEST_LINE
    }

    /// What the server said, in an update, turn by turn.
    #[must_use]
    pub fn into_turns(self) -> Vec<Turn> {
        match self.goal {
            Goal::Follow => Vec::new(),
            Goal::Update { turns, .. } => turns,
        }
    }

    /// The side that is played.
    #[must_use]
    pub fn own(&self) -> Side {
        self.own
    }

    /// Says what to do next. Each step but waiting changes what the next one is.
    pub fn advance(&mut self, now: Duration) -> Step {
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
            None if self.own == Side::Server => return Some(Step::Wait(None)),
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

/// How many bytes the whole lines have.
fn whole_lines(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |line_feed| line_feed + 1)
}

/// The server's turns, in an update: each is what the server says between two items of the client's.
impl Player {
    /// Whether the server has said something else in this turn, so that no item is waited for any more.
    fn is_turn_broken(&self) -> bool {
        matches!(&self.goal, Goal::Update { is_broken: true, .. })
    }

    /// Whether the server is about to say something, in an update.
    fn is_turn_open(&self) -> bool {
        matches!(&self.goal, Goal::Update { is_over: false, .. })
    }

    /// Whether the stream has ended in an earlier turn, in an update.
    fn has_turn_with_end(&self) -> bool {
        matches!(&self.goal, Goal::Update { turns, .. } if turns.last().is_some_and(|turn| turn.end.is_some()))
    }

    fn begin_turn(&mut self) {
        if let Goal::Update { turn, is_over, .. } = &mut self.goal
            && *is_over
        {
            *is_over = false;
            turn.items.0 = self.cursor;
            turn.skips_first = self.is_skipping;
        }
    }

    /// Ends the server's turn where one has begun: waits until it has said all.
    fn end_turn(&mut self, now: Duration) -> Option<Step> {
        let Goal::Update { turns, turn, is_over, .. } = &mut self.goal else {
            return None;
        };
        if *is_over {
            return None;
        }
        let quiet_at = self.last_received.max(self.since) + SETTLE;
        if now < quiet_at && self.received.end.is_none() {
            return Some(Step::Wait(Some(quiet_at)));
        }
        let bytes = self.received.bytes();
        let left = bytes.len();
        // What may be passed over may also be the next item's, as in a check.
        let taken = if self.is_skipping { 0 } else { left };
        let begun = bytes[taken..].to_vec();
        let entries = &self.transcript.entries;
        let is_end_known = entries.last().is_some_and(|entry| entry.item == Item::Reset);
        let is_reset = self.cursor == entries.len() && turn.end == Some(End::Reset) && !is_end_known;
        if is_reset || (left > 0 && !self.is_skipping) {
            turn.matched = false;
        }
        self.received.take(taken);
        *is_over = true;
        turn.items.1 = self.cursor;
        let next = Turn { end: turn.end, received: begun, ..Turn::default() };
        turns.push(std::mem::replace(turn, next));
        None
    }

    /// Waits until the server has said all of a turn that is not what it was, and goes on with the client's.
    fn settle(&mut self, now: Duration) -> Option<Step> {
        let quiet_at = self.last_received.max(self.since) + SETTLE;
        if now < quiet_at && self.received.end.is_none() {
            return Some(Step::Wait(Some(quiet_at)));
        }
        let rest = &self.transcript.entries[self.cursor..];
        let is_own = |entry: &Entry| entry.item.side() == self.own;
        let is_pause = |entry: &Entry| matches!(entry.item, Item::Wait(..));
        let next = rest.iter().position(|entry| is_own(entry) && !is_pause(entry)).unwrap_or(rest.len());
        let pauses = rest[..next].iter().rev().take_while(|entry| is_own(entry)).count();
        let next = next - pauses;
        // That the client's side ends as well makes no difference then.
        let has_more =
            rest[next..].iter().any(|entry| is_own(entry) && matches!(entry.item, Item::Literal(..)));
        if let (Some(end), true) = (self.received.end, has_more || self.has_turn_with_end()) {
            let headline = if end == End::Reset { Headline::Reset } else { Headline::ClosedEarly };
            return Some(Step::Done(Verdict::Diverged(Divergence {
                received: self.received.bytes().to_vec(),
                end: Some(end),
                ..self.divergence_here(headline)
            })));
        }
        // An `S ...` at the turn's end also takes what the next one begins with.
        let last = rest[..next].iter().rfind(|entry| !is_pause(entry));
        self.is_skipping = last.is_some_and(|entry| entry.item == Item::Any);
        let bytes = self.received.bytes();
        self.received.take(if self.is_skipping { whole_lines(bytes) } else { bytes.len() });
        self.cursor += next;
        self.pause = None;
        self.allowance = Duration::ZERO;
        if let Goal::Update { is_broken, .. } = &mut self.goal {
            *is_broken = false;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::read;
    use super::*;

    /// When the clock of these tests begins.
    const START: Duration = Duration::from_secs(1000);

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// What the other side says, and after how many milliseconds. `<EOF>` and `<RST>` are ends.
    type Script<'s> = &'s [(u64, &'s str)];

    #[derive(Debug)]
    struct Outcome {
        verdict: Verdict,
        /// When it was over, in milliseconds.
        took: u128,
        /// What was sent, and when.
        sent: Vec<(u128, String)>,
    }

    impl Outcome {
        fn divergence(&self) -> &Divergence {
            let Verdict::Diverged(divergence) = &self.verdict else { panic!("{self:?}") };
            divergence
        }

        /// The headline, the item's index, and what came instead.
        fn gist(&self) -> (Headline, usize, &str) {
            let Divergence { headline, index, received, .. } = self.divergence();
            (*headline, *index, std::str::from_utf8(received).unwrap())
        }

        fn sent(&self) -> Vec<(u128, &str)> {
            self.sent.iter().map(|(at, text)| (*at, text.as_str())).collect()
        }
    }

    fn play(own: Side, text: &str, mut script: Script) -> Outcome {
        let transcript = read(Path::new("t.chat"), text.as_bytes()).unwrap();
        let mut player = Player::new(Arc::new(transcript), own);
        let mut now = START;
        let mut sent = Vec::new();
        loop {
            while let [(at, said), rest @ ..] = script
                && START + ms(*at) <= now
            {
                script = rest;
                match *said {
                    "<EOF>" => player.end(End::Eof, now),
                    "<RST>" => player.end(End::Reset, now),
                    text => player.receive(text.as_bytes(), now),
                }
            }
            let took = now.saturating_sub(START).as_millis();
            match player.advance(now) {
                Step::Send(bytes) => {
                    player.sent(bytes.len(), now);
                    sent.push((took, String::from_utf8(bytes).unwrap()));
                }
                Step::End => sent.push((took, "<EOF>".to_owned())),
                Step::Reset => sent.push((took, "<RST>".to_owned())),
                Step::Wait(until) => {
                    let next = script.first().map(|(at, _)| START + ms(*at));
                    now = next.into_iter().chain(until).min().expect("something to wait for");
                }
                Step::Done(verdict) => return Outcome { verdict, took, sent },
            }
        }
    }

    fn check(text: &str, script: Script) -> Outcome {
        play(Side::Client, text, script)
    }

    #[test]
    fn a_reply_that_differs_is_shown_whole() {
        let text = "C: a\nS: hello\nC: b\n";
        let played = check(text, &[(5, "h"), (10, "a"), (400, "llo\nmore\n")]);
        assert_eq!(played.gist(), (Headline::Differs, 1, "hallo\n"));
        assert_eq!(played.sent(), [(0, "a\n")], "nothing is sent after a mismatch");
        let Divergence { last_sent, end, limit, .. } = *played.divergence();
        assert_eq!((last_sent, end, limit), (Some(1), None, None));
        // A line that never ends is shown as far as it came.
        let played = check(text, &[(10, "hallo")]);
        assert_eq!((played.gist(), played.took), ((Headline::Differs, 1, "hallo"), 510));
        let played = check(text, &[(10, "hallo"), (20, "<EOF>")]);
        assert_eq!((played.gist(), played.took), ((Headline::Differs, 1, "hallo"), 20));
    }

    #[test]
    fn a_missing_reply_has_its_limit_and_the_part_that_came() {
        let text = "%timeout 2s\nC: a\nS: hello\n";
        for (script, received, took) in [(&[][..], "", 2000), (&[(1500, "hel")], "hel", 2000)] {
            let played = check(text, script);
            assert_eq!((played.gist(), played.took), ((Headline::Missing, 1, received), took));
            assert_eq!(played.divergence().limit, Some(ms(2000)));
        }
    }

    #[test]
    fn the_limit_runs_from_the_later_of_the_last_send_and_the_previous_match() {
        let text = "%timeout 1s\nS: a\nS: b\nC: c\nS: d\nS: e\n";
        let script = [(900, "a\n"), (1800, "b\n"), (2700, "d\n")];
        let played = check(text, &script);
        assert_eq!((played.gist(), played.took), ((Headline::Missing, 4, ""), 3700));
        let text = "%timeout 1s\nS: a\nC WAIT 800ms\nC: c\nS: d\n";
        let played = check(text, &[(900, "a\n")]);
        assert_eq!((played.sent(), played.took), (vec![(1700, "c\n")], 2700));
    }

    #[test]
    fn a_server_is_not_late_while_it_still_takes_what_is_sent() {
        let transcript = read(Path::new("t.chat"), b"%timeout 1s\nC: abc\nS: d\n").unwrap();
        let mut player = Player::new(Arc::new(transcript), Side::Client);
        assert_eq!(player.advance(START), Step::Send(b"abc\n".to_vec()));
        player.sent(1, START + ms(900));
        assert_eq!(player.advance(START + ms(1800)), Step::Wait(Some(START + ms(1900))));
    }

    #[test]
    fn output_that_nothing_asks_for_is_unexpected() {
        let said = "A\nmore\nand more\n";
        // At the next item it is what comes instead.
        let played = check("C: a\nS: A\nC: b\nS: B\n", &[(10, said)]);
        assert_eq!(played.gist(), (Headline::Differs, 3, "more\n"));
        let played = check("C: a\nS: A\nS EOF\n", &[(10, said)]);
        assert_eq!(played.gist(), (Headline::Unexpected, 2, "more\n"));
        let played = check("C: a\nS: A\n", &[(10, said)]);
        assert_eq!(played.gist(), (Headline::Unexpected, 2, "more\n"));
        let played = check("C: a\nS: A\n", &[(10, "A\n"), (400, "mo"), (500, "re"), (600, "<EOF>")]);
        assert_eq!(played.gist(), (Headline::Unexpected, 2, "more"));
        assert_eq!(played.sent(), [(0, "a\n"), (10, "<EOF>")], "the file's end ends our side");
        let played = check("C: a\nS: A\n", &[(10, "A\n"), (600, "late")]);
        assert_eq!((played.verdict, played.took), (Verdict::Followed, 510));
        let played = check("C: a\nS: A\n", &[(10, "A\n"), (20, "<EOF>")]);
        assert_eq!((played.verdict, played.took), (Verdict::Followed, 20));
    }

    #[test]
    fn ends_that_come_too_early_too_late_or_otherwise_are_told_apart() {
        let text = "C: a\nS: A\nS EOF\n";
        for (script, headline, index, end) in [
            (&[(10, "<EOF>")][..], Headline::ClosedEarly, 1, Some(End::Eof)),
            (&[(10, "A"), (20, "<EOF>")], Headline::ClosedEarly, 1, Some(End::Eof)),
            (&[(10, "<RST>")], Headline::Reset, 1, Some(End::Reset)),
            (&[(10, "A\n"), (20, "<RST>")], Headline::Reset, 2, Some(End::Reset)),
            (&[(10, "A\n")], Headline::NoEnd, 2, None),
        ] {
            let played = check(text, script);
            let divergence = played.divergence();
            assert_eq!((divergence.headline, divergence.index, divergence.end), (headline, index, end));
        }
        assert_eq!(check(text, &[(10, "A\n"), (20, "<EOF>")]).verdict, Verdict::Followed);
        let text = "C: a\nS: A\nS RST\n";
        assert_eq!(check(text, &[(10, "A\n"), (20, "<RST>")]).verdict, Verdict::Followed);
        let played = check(text, &[(10, "A\n"), (20, "<EOF>")]);
        assert_eq!((played.gist(), played.divergence().end), ((Headline::Differs, 2, ""), Some(End::Eof)));
        assert_eq!(check(text, &[(10, "A\n")]).gist(), (Headline::Missing, 2, ""));
        assert_eq!(check("C: a\nS: A\n", &[(10, "A\n"), (20, "<RST>")]).gist(), (Headline::Reset, 2, ""));
    }

    #[test]
    fn a_wrong_end_of_line_differs() {
        assert_eq!(check("%eol crlf\nS: a\n", &[(0, "a\n")]).gist(), (Headline::Differs, 0, "a\n"));
        assert_eq!(check("%eol crlf\nS~ a\n", &[(0, "a\n")]).gist(), (Headline::Differs, 0, "a\n"));
        assert_eq!(check("S: a\n", &[(0, "a\r\n")]).gist(), (Headline::Differs, 0, "a\r\n"));
        assert_eq!(check("S~ a\n", &[(0, "a\r\n")]).gist(), (Headline::Differs, 0, "a\r\n"));
    }

    #[test]
    fn lines_are_passed_over_until_the_next_item_matches() {
        let text = "C: a\nS ...\nS: end\nC: b\nS EOF\n";
        let followed = |text, script| check(text, script).verdict == Verdict::Followed;
        assert!(followed(text, &[(10, "x\ny\nen"), (20, "d\n"), (30, "<EOF>")]));
        assert!(followed(text, &[(10, "end\n"), (30, "<EOF>")]), "none are enough");
        assert_eq!(check(text, &[(10, "x\nend\nmore\n")]).gist(), (Headline::Unexpected, 4, "more\n"));
        assert_eq!(check(text, &[(10, "x\nthe end\n")]).gist(), (Headline::Missing, 2, ""));
        assert_eq!(check(text, &[(10, "x\ny"), (20, "<EOF>")]).gist(), (Headline::ClosedEarly, 2, "y"));
        // It matches at once, so what stands below it is sent.
        assert_eq!(check("S ...\nC: a\nS: b\n", &[(10, "x\nb\n"), (20, "<EOF>")]).sent()[0], (0, "a\n"));
        // At the end it takes whatever comes.
        assert!(followed("C: a\nS ...\nS EOF\n", &[(10, "x\ny"), (30, "<EOF>")]));
        assert!(followed("C: a\nS ...\n", &[(10, "x\ny"), (30, "<EOF>")]));
        assert!(followed("S ...\nC: a\nC EOF\n", &[(10, "x\ny"), (30, "z"), (40, "<EOF>")]));
        assert!(followed("S ...\nS~ a+\nS EOF\n", &[(10, "x\naa"), (30, "<EOF>")]));
    }

    #[test]
    fn a_pattern_needs_a_whole_line_or_the_end_of_the_stream() {
        let text = "%timeout 1s\nS~ 2\\d\\d( .*)?\nS EOF\n";
        assert_eq!(check(text, &[(0, "22"), (10, "0 x\n"), (20, "<EOF>")]).verdict, Verdict::Followed);
        assert_eq!(check(text, &[(0, "220"), (20, "<EOF>")]).verdict, Verdict::Followed);
        assert_eq!(check(text, &[(0, "220")]).gist(), (Headline::Missing, 0, "220"));
        assert_eq!(check(text, &[(0, "1220\n")]).gist(), (Headline::Differs, 0, "1220\n"));
        assert_eq!(check(text, &[(0, "22"), (20, "<EOF>")]).gist(), (Headline::Differs, 0, "22"));
        assert_eq!(check("S~ .*\n", &[(20, "<EOF>")]).gist(), (Headline::ClosedEarly, 0, ""));
    }

    #[test]
    fn a_prompt_matches_at_once() {
        let played = check("S\\ login: \\\nC: a\nS: hi\n", &[(10, "login: "), (20, "hi\n"), (30, "<EOF>")]);
        assert_eq!(
            (played.sent()[0], played.verdict.clone()),
            ((10, "a\n"), Verdict::Followed),
            "{played:?}"
        );
    }

    #[test]
    fn a_silence_is_broken_by_anything_and_passes_by_itself() {
        let text = "C: a\nS QUIET 100ms\nC: b\nS: B\n";
        let played = check(text, &[(99, "x\n")]);
        assert_eq!(played.gist(), (Headline::Unexpected, 1, "x\n"));
        let played = check(text, &[(110, "B\n"), (120, "<EOF>")]);
        assert_eq!(played.sent()[..2], [(0, "a\n"), (100, "b\n")]);
        assert_eq!(played.verdict, Verdict::Followed);
        // Behind `S ...` it begins with what came last.
        let played = check("S ...\nS QUIET 100ms\nC: b\n", &[(50, "x\n"), (140, "y"), (300, "<EOF>")]);
        assert_eq!((played.sent()[0], played.verdict.clone()), ((240, "b\n"), Verdict::Followed));
        // What a pause of the server's allows is for the line behind it.
        let text = "%timeout 1s\nS WAIT 2s\nS QUIET 100ms\nS: a\nS EOF\n";
        assert_eq!(check(text, &[(3000, "a\n"), (3010, "<EOF>")]).verdict, Verdict::Followed);
    }

    #[test]
    fn pauses() {
        let played = check("C: a\nC WAIT 300ms\nC WAIT 300ms\nC: b\nC EOF\nS EOF\n", &[(900, "<EOF>")]);
        assert_eq!(played.sent(), [(0, "a\n"), (600, "b\n"), (600, "<EOF>")]);
        assert_eq!(played.verdict, Verdict::Followed);
        let text = "%timeout 1s\nS: a\nS WAIT 2s\nS: b\nS: c\n";
        let played = check(text, &[(500, "a\n"), (3400, "b\n")]);
        assert_eq!((played.gist(), played.took), ((Headline::Missing, 3, ""), 4400));
        assert_eq!(played.divergence().limit, Some(ms(1000)));
        let played = check(text, &[(500, "a\n")]);
        assert_eq!((played.gist(), played.took), ((Headline::Missing, 2, ""), 3500));
        assert_eq!(played.divergence().limit, Some(ms(3000)));
    }

    #[test]
    fn a_mismatch_at_a_line_is_reported_at_that_line() {
        let is_client = |line: usize| line % 3 == 1;
        let item = |line| if is_client(line) { format!("C: {line}\n") } else { format!("S: {line}\n") };
        let text = (1..=200).map(item).collect::<Vec<_>>().concat();
        for wrong in (1..=200).filter(|&line| !is_client(line)) {
            let reply = |line| if line == wrong { format!("{line}!\n") } else { format!("{line}\n") };
            let said = (1..=200).filter(|&line| !is_client(line)).map(reply).collect::<Vec<_>>().concat();
            for script in
                [&[(0, &said[..])][..], &[(0, &said[..said.len() / 2]), (10, &said[said.len() / 2..])]]
            {
                let played = check(&text, script);
                let received = format!("{wrong}!\n");
                assert_eq!(played.gist(), (Headline::Differs, wrong - 1, &received[..]));
                let last_sent = (1..wrong).rev().find(|&line| is_client(line));
                assert_eq!(played.divergence().last_sent, last_sent);
            }
        }
    }

    #[test]
    fn a_mock_keeps_what_comes_early_until_its_turn() {
        let text =
            "S: hi\nS WAIT 100ms\nS\\ login: \\\nC: a\nS: A\nC: b\nS WAIT 1s\nS: B\nC EOF\nS: bye\nS EOF\n";
        let played = play(Side::Server, text, &[(0, "a\nb"), (10, "\n"), (20, "<EOF>")]);
        let expected =
            [(0, "hi\n"), (100, "login: "), (100, "A\n"), (1100, "B\n"), (1100, "bye\n"), (1100, "<EOF>")];
        assert_eq!(played.sent(), expected);
        assert_eq!(played.verdict, Verdict::Followed);
    }

    #[test]
    fn a_mock_waits_for_ever_and_its_client_may_end_when_it_has_said_all() {
        let mock = |text, script| play(Side::Server, text, script);
        let played = mock("C: a\nS: A\n", &[(3_600_000, "a\n"), (7_200_000, "<EOF>")]);
        assert_eq!((played.verdict, played.took), (Verdict::Followed, 7_200_000));
        assert_eq!(mock("C: a\nS: A\n", &[(0, "<EOF>")]).gist(), (Headline::ClosedEarly, 0, ""));
        assert_eq!(mock("C: a\nS: A\n", &[(0, "b\n")]).gist(), (Headline::Differs, 0, "b\n"));
        assert_eq!(mock("C: a\nS: A\n", &[(0, "a\nb\n")]).gist(), (Headline::Unexpected, 2, "b\n"));
        assert_eq!(mock("C: a\nS RST\n", &[(0, "a\nb\n")]).verdict, Verdict::Followed);
        assert_eq!(mock("C~ a+\nS: A\n", &[(0, "aa\n"), (10, "<EOF>")]).verdict, Verdict::Followed);
        let played = mock("C: a\nC WAIT 200ms\nS QUIET 100ms\nS: A\n", &[(0, "a\n"), (500, "<EOF>")]);
        assert_eq!(played.sent(), [(350, "A\n")], "the client's pause and some more");
    }

    #[test]
    fn a_mock_is_silent_after_all_is_sent() {
        let transcript = read(Path::new("t.chat"), b"S: a\nS QUIET 100ms\nS: b\n").unwrap();
        let mut player = Player::new(Arc::new(transcript), Side::Server);
        assert_eq!(player.advance(START), Step::Send(b"a\n".to_vec()));
        assert_eq!(player.advance(START), Step::Wait(None));
        player.sent(1, START + ms(500));
        assert_eq!(player.advance(START + ms(500)), Step::Wait(None));
        player.sent(1, START + ms(1000));
        assert_eq!(player.advance(START + ms(1000)), Step::Wait(Some(START + ms(1150))));
        assert_eq!(player.advance(START + ms(1150)), Step::Send(b"b\n".to_vec()));
    }

    #[test]
    fn a_long_last_send_leaves_the_server_its_grace() {
        let transcript = read(Path::new("t.chat"), b"C: a\nC EOF\n").unwrap();
        let mut player = Player::new(Arc::new(transcript), Side::Client);
        assert_eq!(player.advance(START), Step::Send(b"a\n".to_vec()));
        assert_eq!(player.advance(START), Step::End);
        assert_eq!(player.advance(START), Step::Wait(Some(START + ms(5000))));
        player.sent(2, START + ms(2000));
        assert_eq!(player.advance(START + ms(2000)), Step::Wait(Some(START + ms(2500))));
        player.receive(b"x\n", START + ms(2100));
        let Step::Done(Verdict::Diverged(divergence)) = player.advance(START + ms(2100)) else { panic!() };
        assert_eq!(divergence.headline, Headline::Unexpected);
    }

    #[test]
    fn more_is_not_taken_in_than_any_item_asks_for() {
        let transcript = read(Path::new("t.chat"), b"S ...\nS: end\n").unwrap();
        let mut player = Player::new(Arc::new(transcript), Side::Client);
        player.receive(&vec![b'x'; LONGEST_LINE], START);
        assert!(!player.wants_bytes());
        let Step::Done(Verdict::Diverged(divergence)) = player.advance(START) else { panic!() };
        assert_eq!((divergence.headline, divergence.index), (Headline::Differs, 1));
    }
}
