//! The old player against the new one, step by step. Goes with the old one.

#![allow(clippy::pedantic, clippy::print_stderr, clippy::match_same_arms, clippy::manual_assert)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Duration;

use super::divergence::Fault;
use super::format::{LineEnding, Pattern};
use super::old::Adapter;
use super::testing::{START, ms};
use super::writer::notation;
use super::*;

/// Both players. Panics where they disagree in a way that is not wanted.
#[derive(Debug)]
pub(super) struct Both<P: Player> {
    old: Adapter,
    new: P,
    unsent: usize,
    is_refused: bool,
    end: Option<End>,
    /// The wanted difference that was found: from there on the old one is not asked.
    class: Option<&'static str>,
    tolerated: Option<&'static str>,
    log: Vec<String>,
    steps: usize,
    total_sent: usize,
    refused_at: Duration,
    /// The bytes of each literal of our side.
    lengths: Vec<(usize, usize)>,
}

impl<P: Player> Both<P> {
    pub(super) fn new(new: impl Fn(Playable) -> P, playable: &Playable, updates: bool) -> Self {
        Self {
            old: Adapter::new(playable, updates),
            new: new(playable.clone()),
            unsent: 0,
            is_refused: false,
            end: None,
            class: None,
            tolerated: None,
            log: Vec::new(),
            steps: 0,
            total_sent: 0,
            refused_at: Duration::ZERO,
            lengths: playable
                .transcript()
                .entries
                .iter()
                .enumerate()
                .filter_map(|(index, entry)| match &entry.item {
                    Item::Literal(side, bytes) if *side == playable.own() => Some((index, bytes.len())),
                    _ => None,
                })
                .collect(),
        }
    }

    /// The index must be that of the first item that was not sent in full.
    fn check_gone(&self, step: &Step<P::Outcome>) {
        let Step::Done(Err(Divergence { index, fault })) = step else {
            panic!("no divergence\n{}", self.log.join("\n"));
        };
        assert!(
            matches!(
                (fault, self.end),
                (Fault::Reset { .. }, Some(End::Reset)) | (Fault::ClosedEarly { .. }, None | Some(End::Eof))
            ),
            "{}",
            self.log.join("\n")
        );
        assert!(fault.received().is_empty());
        let mut left = self.total_sent;
        let first = self.lengths.iter().find(|(_, length)| {
            let is_unsent = *length > left;
            left = left.saturating_sub(*length);
            is_unsent
        });
        assert_eq!(first.map(|(index, _)| *index), Some(*index), "{}", self.log.join("\n"));
    }

    fn note(&mut self, text: String) {
        self.log.push(text);
    }
}

pub(super) trait Outcome: Debug + PartialEq + Clone {
    fn from_turns(turns: Vec<Turn>) -> Self;
}

impl Outcome for () {
    fn from_turns(_: Vec<Turn>) {}
}

impl Outcome for Vec<Turn> {
    fn from_turns(turns: Vec<Turn>) -> Self {
        turns
    }
}

impl<P: Player> Player for Both<P>
where
    P::Outcome: Outcome,
{
    type Outcome = P::Outcome;

    fn advance(&mut self, now: Duration) -> Step<P::Outcome> {
        self.steps += 1;
        let new = self.new.advance(now);
        self.note(format!("advance {:?} {new:?}", now.saturating_sub(START)));
        if let Step::Send(bytes) = &new {
            self.unsent += bytes.len();
        }
        if let Some(class) = self.class {
            if class.starts_with("client gone") && matches!(new, Step::Done(_)) {
                self.check_gone(&new);
            }
            return new;
        }
        let old = match self.old.advance(now) {
            Step::Send(bytes) => Step::Send(bytes),
            Step::End => Step::End,
            Step::Reset => Step::Reset,
            Step::Wait(until) => Step::Wait(until),
            Step::Done(result) => Step::Done(result.map(P::Outcome::from_turns)),
        };
        if old == new {
            return new;
        }
        let gone = self.is_refused || self.end == Some(End::Reset);
        if self.own() == Side::Server {
            match (&old, &new) {
                (_, Step::Done(Err(_))) if gone => {
                    self.check_gone(&new);
                    self.class = Some("client gone before it was sent everything");
                    return new;
                }
                (_, Step::Wait(Some(until))) if self.is_refused && self.end.is_none() => {
                    assert_eq!(*until, self.refused_at + ms(500));
                    self.class = Some("client gone before it was sent everything");
                    return new;
                }
                (_, Step::Wait(None)) if self.unsent > 0 && self.end == Some(End::Eof) => {
                    self.class = Some(
                        "a client that ended its side is sent everything before a pause, reset or the end",
                    );
                    return new;
                }
                (Step::Wait(Some(_)), Step::Wait(None)) if self.unsent > 0 => {
                    self.tolerated = Some("a mock's last bytes have no time limit");
                    return new;
                }
                (Step::Done(Ok(_)), Step::Wait(None)) if self.unsent > 0 => {
                    self.class = Some("a mock that ended its side does not give up on bytes not sent yet");
                    return new;
                }
                _ => {}
            }
        }
        panic!("old {old:?}\nnew {new:?}\nunsent {}\n{}", self.unsent, self.log.join("\n"));
    }

    fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.note(format!("receive {:?} {:?}", now.saturating_sub(START), String::from_utf8_lossy(bytes)));
        self.old.player.receive(bytes, now);
        self.new.receive(bytes, now);
    }

    fn end(&mut self, end: End, now: Duration) {
        self.note(format!("end {:?} {end:?}", now.saturating_sub(START)));
        self.end.get_or_insert(end);
        self.old.player.end(end, now);
        self.new.end(end, now);
    }

    fn sent(&mut self, bytes: usize, now: Duration) {
        self.note(format!("sent {:?} {bytes}", now.saturating_sub(START)));
        self.unsent -= bytes;
        self.total_sent += bytes;
        if self.class.is_none() {
            self.old.player.sent(bytes, now);
        }
        self.new.sent(bytes, now);
    }

    fn refused(&mut self, now: Duration) {
        self.note(format!("refused {:?}", now.saturating_sub(START)));
        self.is_refused = true;
        self.refused_at = now;
        self.unsent = 0;
        if self.class.is_none() {
            self.old.refused(now);
        }
        self.new.refused(now);
    }

    fn wants_bytes(&self) -> bool {
        let new = self.new.wants_bytes();
        if self.class.is_none() && !(self.own() == Side::Server && self.is_refused) {
            assert_eq!(self.old.player.wants_bytes(), new);
        }
        new
    }

    fn own(&self) -> Side {
        assert_eq!(self.old.player.own(), self.new.own());
        self.new.own()
    }
}

static CLASSES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn count(what: &str) {
    *CLASSES.lock().unwrap().entry(what.to_owned()).or_default() += 1;
}

impl<P: Player> Drop for Both<P> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            count("players compared");
            *CLASSES.lock().unwrap().entry("steps compared".to_owned()).or_default() += self.steps as u64;
            if let Some(class) = self.class {
                count(class);
            }
            if let Some(class) = self.tolerated {
                count(class);
            }
        }
    }
}

pub(super) fn report() {
    for (what, count) in &*CLASSES.lock().unwrap() {
        eprintln!("{count:>12} {what}");
    }
}

/// A small generator (splitmix64).
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn index(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.index(of.len())]
    }

    fn time(&mut self) -> Duration {
        let times = [0, 1, 10, 49, 50, 51, 99, 100, 101, 200, 499, 500, 501, 1000, 3000, 5000, 12000];
        ms(times[self.index(times.len())])
    }
}

const PATTERNS: [&str; 5] = ["a*", "[ab]b?", ".*", "(?s).*b", "2\\d"];

fn text(random: &mut Random, eol: LineEnding) -> Vec<u8> {
    let texts: [&str; 12] = ["a", "b", "ab", "", "aa", "22", "abc", "a b", "a\nb", "\r", "b\n", "aab"];
    let mut bytes = random.pick(&texts).as_bytes().to_vec();
    if !random.one_in(4) {
        bytes.extend_from_slice(eol.bytes());
    }
    bytes
}

fn item(random: &mut Random, own: Side, eol: LineEnding) -> Item {
    let other = own.other();
    match random.below(24) {
        0..=6 => Item::Literal(own, text(random, eol)),
        7..=13 => Item::Literal(other, text(random, eol)),
        14..=15 => Item::Pattern(other, Pattern::new(random.pick(&PATTERNS)).unwrap()),
        16 if own == Side::Client => Item::Any,
        17 => Item::Wait(own, random.time()),
        18 => Item::Wait(other, random.time()),
        19 => Item::Quiet(random.time()),
        20 => Item::End(own),
        21 => Item::End(other),
        22 if random.one_in(2) => Item::Reset,
        _ => Item::Literal(other, text(random, eol)),
    }
}

fn transcript(random: &mut Random, own: Side) -> Transcript {
    let eol = if random.one_in(3) { LineEnding::Crlf } else { LineEnding::Lf };
    let mut text = format!("%eol {}\n", if eol == LineEnding::Lf { "lf" } else { "crlf" });
    if !random.one_in(3) {
        text += random.pick(&["%timeout 1s\n", "%timeout 120ms\n", "%timeout 10ms\n", "%timeout 20s\n"]);
    }
    let mut ended = Vec::new();
    let most = [3, 10, 30][random.index(3)];
    for _ in 0..random.below(most) {
        let item = item(random, own, eol);
        if ended.contains(&item.side()) {
            continue;
        }
        match item {
            Item::End(side) => ended.push(side),
            Item::Reset => ended.extend([Side::Client, Side::Server]),
            _ => {}
        }
        text += &notation(&item, eol);
        text += "\n";
    }
    testing::parse(&text)
}

#[derive(Debug)]
enum Input {
    Bytes(Vec<u8>),
    End(End),
}

/// What the other side says: what the transcript has, more or less.
fn input(random: &mut Random, transcript: &Transcript, own: Side) -> Vec<Input> {
    let eol = transcript.eol;
    let fidelity = [3, 20, 100, 1000][random.index(4)];
    let mut input = Vec::new();
    for entry in &transcript.entries {
        if random.one_in(fidelity) {
            match random.below(6) {
                0 => continue,
                1 => input.push(Input::Bytes(text(random, eol))),
                2 => input.push(Input::End(End::Eof)),
                3 => input.push(Input::End(End::Reset)),
                4 => input.push(Input::Bytes(b"x".to_vec())),
                _ => input.push(Input::Bytes(b"x\n".to_vec())),
            }
        }
        if entry.item.side() == own {
            continue;
        }
        match &entry.item {
            Item::Literal(_, bytes) => input.push(Input::Bytes(bytes.clone())),
            Item::Pattern(..) => {
                let mut line = random.pick(&["a", "b", "ab", "22", "aa"]).as_bytes().to_vec();
                if !random.one_in(6) {
                    line.extend_from_slice(eol.bytes());
                }
                input.push(Input::Bytes(line));
            }
            Item::Any => {
                for _ in 0..random.below(3) {
                    input.push(Input::Bytes(text(random, eol)));
                }
            }
            Item::End(_) => input.push(Input::End(End::Eof)),
            Item::Reset => input.push(Input::End(End::Reset)),
            Item::Wait(..) | Item::Quiet(_) => {}
        }
    }
    if random.one_in(fidelity) {
        input.push(Input::Bytes(text(random, eol)));
    }
    if random.one_in(2) {
        input.push(Input::End(if random.one_in(4) { End::Reset } else { End::Eof }));
    }
    if let Some(end) = input.iter().position(|input| matches!(input, Input::End(_))) {
        input.truncate(end + 1);
    }
    // Cut and join.
    let mut pieces = Vec::new();
    for event in input {
        match event {
            Input::Bytes(bytes) if bytes.is_empty() => {}
            Input::Bytes(bytes) => match pieces.last_mut() {
                Some(Input::Bytes(last)) if random.one_in(2) => last.extend(bytes),
                _ if random.one_in(3) => pieces.extend(bytes.iter().map(|&byte| Input::Bytes(vec![byte]))),
                _ => pieces.push(Input::Bytes(bytes)),
            },
            end @ Input::End(_) => pieces.push(end),
        }
    }
    pieces
}

fn play<P: Player>(mut both: Both<P>, random: &mut Random, input: Vec<Input>)
where
    P::Outcome: Outcome,
{
    let mut now = START;
    let mut input = input.into_iter().peekable();
    let mut has_ended = false;
    let mut prompt = [1, 2, 10][random.index(3)];
    let haste = [4, 10, 40][random.index(3)];
    let refuses = [30, 300, 100_000][random.index(3)];
    loop {
        match both.advance(now) {
            Step::Send(_) => {
                if random.one_in(prompt) {
                    let unsent = both.unsent;
                    both.sent(unsent, now);
                }
            }
            Step::End | Step::Reset => {}
            Step::Done(result) => {
                count(match result {
                    Ok(_) => "followed",
                    Err(divergence) => match divergence.fault {
                        Fault::Differs { .. } => "differs",
                        Fault::EofForReset => "EOF for reset",
                        Fault::Missing { .. } => "missing",
                        Fault::NoEof { .. } => "no EOF",
                        Fault::Unexpected { .. } => "unexpected",
                        Fault::ClosedEarly { .. } => "closed early",
                        Fault::Reset { .. } => "reset",
                    },
                });
                return;
            }
            Step::Wait(until) => {
                assert!(until.is_none_or(|until| until > now));
                both.wants_bytes();
                if both.steps > 400 {
                    // Sooner or later all is sent and said.
                    prompt = 1;
                }
                // Time passes, or not.
                match random.below(haste) {
                    4.. => {}
                    0 => {}
                    1 => now += random.time() / 7,
                    2 => now = until.unwrap_or(now).max(now),
                    3 => now = until.unwrap_or(now).max(now) + random.time() / 5,
                }
                match random.below(5) {
                    0 if !both.is_refused
                        && (both.unsent > 0 || random.one_in(20))
                        && random.one_in(refuses) =>
                    {
                        both.refused(now);
                    }
                    0 | 1 if both.unsent > 0 => {
                        let bytes = 1 + random.index(both.unsent);
                        both.sent(bytes, now);
                    }
                    2 | 3 if input.peek().is_some() => match input.next().unwrap() {
                        Input::Bytes(bytes) => both.receive(&bytes, now),
                        Input::End(end) => {
                            has_ended = true;
                            both.end(end, now);
                        }
                    },
                    _ if until.is_none() && input.peek().is_none() && both.unsent == 0 => {
                        if has_ended {
                            panic!("waits forever after the end\n{}", both.log.join("\n"));
                        }
                        has_ended = true;
                        both.end(End::Eof, now);
                    }
                    _ => {}
                }
            }
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn old_and_new_take_the_same_steps() {
    let first = number("VERSUS_SEED", 1);
    let cases = number("VERSUS_CASES", 20_000);
    for seed in first..first + cases {
        let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95));
        let kind = random.below(3);
        let own = if kind == 1 { Side::Server } else { Side::Client };
        let transcript = transcript(&mut random, own);
        let input = input(&mut random, &transcript, own);
        let source = transcript.source.join("\n");
        let playable = Playable::new(transcript, own).unwrap();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if kind == 2 {
                play(Both::new(Learn::new, &playable, true), &mut random, input);
            } else {
                play(Both::new(Follow::new, &playable, false), &mut random, input);
            }
        }));
        if let Err(panic) = result {
            eprintln!("seed {seed} kind {kind}:\n{source}");
            std::panic::resume_unwind(panic);
        }
    }
    report();
}

/// Conversations of the properties, with both players at both ends.
#[test]
fn old_and_new_converse_alike() {
    use super::properties::*;
    use super::testing::{Playing, converse};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let cases = u32::try_from(number("VERSUS_CASES", 20_000)).unwrap() / 3;
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let mut runner = TestRunner::new(config);
    let strategy = (
        prop_oneof![
            any_case().prop_map(|case| (case.clone(), case, false)),
            any_conversation().prop_map(|(checked, played)| (checked, played, false)),
            any_old_transcript().prop_map(|(old, now)| (old, now, true)),
        ],
        any_delivery(),
    );
    runner
        .run(&strategy, |((client, server, updates), delivery)| {
            let client = Playable::new(client.transcript(), Side::Client).unwrap();
            let server = Playable::new(server.transcript(), Side::Server).unwrap();
            let mut mock = Playing::new(Both::new(Follow::new, &server, false));
            count("conversations");
            if updates {
                let mut update = Playing::new(Both::new(Learn::new, &client, true));
                converse(&mut update, &mut mock, delivery);
                count(if update.result().is_ok() { "updates learned" } else { "updates failed" });
            } else {
                let mut check = Playing::new(Both::new(Follow::new, &client, false));
                converse(&mut check, &mut mock, delivery);
                count(if check.result().is_ok() { "checks followed" } else { "checks diverged" });
            }
            count(if mock.result().is_ok() { "mocks followed" } else { "mocks diverged" });
            Ok(())
        })
        .unwrap();
    report();
}
