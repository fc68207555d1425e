//! Properties of all transcripts, on generated ones: two players talk to each other on a fake clock.

mod connections;
mod holes;
mod prologue;
mod secrets;
mod updates;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::format::{LineEnding, Pattern};
use super::testing::{self, Delivery, Event, Playing, ms, parse};
use super::writer::{literals, notation, pieces};
use super::*;

/// The outcome of a conversation.
#[derive(Clone, Debug)]
struct Outcome<T = ()> {
    check: Result<T, Divergence>,
    mock: Result<(), Divergence>,
    recording: String,
    ticks: usize,
}

/// Lets a check of `checked` talk to a mock of `played`.
fn converse(checked: &Transcript, played: &Transcript, delivery: Delivery) -> Outcome {
    converse_as(Follow::new(client(checked)), played, delivery)
}

/// Lets an update of `old` talk to a mock of `played`.
fn learn(old: &Transcript, played: &Transcript, delivery: Delivery) -> Outcome<Vec<Turn>> {
    let client = Playable::to_update(old.clone(), Variables::default()).unwrap();
    converse_as(Learn::new(client), played, delivery)
}

fn client(transcript: &Transcript) -> Playable {
    Playable::new(transcript.clone(), Side::Client, Variables::default()).unwrap()
}

fn converse_as<P: Player>(client: P, played: &Transcript, delivery: Delivery) -> Outcome<P::Outcome> {
    converse_with(&mut Playing::new(client), played, delivery)
}

fn converse_with<P: Player>(
    check: &mut Playing<P>,
    played: &Transcript,
    delivery: Delivery,
) -> Outcome<P::Outcome> {
    let mut mock =
        Playing::new(Follow::new(Playable::new(played.clone(), Side::Server, Variables::default()).unwrap()));
    let trace = testing::converse(check, &mut mock, delivery);
    let mut recorder = Recorder::default();
    let mut recording = String::new();
    for (_, side, event) in trace.events {
        recording += &match event {
            Event::Open(_) => String::new(),
            Event::Bytes(bytes) => recorder.say(side, &bytes),
            Event::End(End::Eof) => recorder.end(side),
            Event::End(End::Reset) => recorder.reset(),
        };
    }
    recording += &recorder.finish();
    let (_, check) = check.done.take().expect("the check is done");
    Outcome { check, mock: mock.result(), recording, ticks: trace.ticks }
}

fn name_of(eol: LineEnding) -> &'static str {
    match eol {
        LineEnding::Lf => "lf",
        LineEnding::Crlf => "crlf",
    }
}

fn text_of(items: &[Item], eol: LineEnding, decoration: &[u8]) -> String {
    let mut text = format!("# generated\n%eol {}\n", name_of(eol));
    for (index, item) in items.iter().enumerate() {
        text += match decoration.get(index) {
            Some(0) => "\n",
            Some(1) => "# a comment\n",
            Some(2) => "\t ",
            _ => "",
        };
        text += &notation(item, eol);
        text += if decoration.get(index) == Some(&3) { "\r\n" } else { "\n" };
    }
    text
}

fn any_eol() -> impl Strategy<Value = LineEnding> {
    prop_oneof![Just(LineEnding::Lf), Just(LineEnding::Crlf)]
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        Just(Delivery::Prompt),
        any::<u64>().prop_map(Delivery::Bytes),
        any::<u64>().prop_map(Delivery::Pieces)
    ]
}

/// The bytes of one item: lines, prompts, other line endings, several lines, nothing, anything.
fn any_bytes(eol: LineEnding) -> impl Strategy<Value = Vec<u8>> {
    let line = move |text: String| [text.as_bytes(), eol.bytes()].concat();
    prop_oneof![
        6 => "[ab ]{0,3}".prop_map(line),
        2 => "[ab]{0,2}".prop_map(String::into_bytes),
        1 => "[ab\r\n]{0,4}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => "\\PC{0,4}".prop_map(line),
        1 => "[\u{200e}\u{2028}\u{feff}\u{3000}\\\\\t #S:]{0,4}".prop_map(line),
    ]
}

fn any_item(eol: LineEnding) -> impl Strategy<Value = Item> {
    prop_oneof![
        5 => any_bytes(eol).prop_map(|bytes| Item::Literal(Side::Client, bytes)),
        6 => any_bytes(eol).prop_map(|bytes| Item::Literal(Side::Server, bytes)),
        1 => (0..60u64).prop_map(|time| Item::Wait(Side::Client, ms(time))),
        1 => (0..60u64).prop_map(|time| Item::Wait(Side::Server, ms(time))),
        1 => (0..120u64).prop_map(|time| Item::Quiet(ms(time))),
        1 => Just(Item::End(Side::Client)),
        1 => prop_oneof![Just(Item::End(Side::Server)), Just(Item::Reset)],
    ]
}

/// Drops items that may not follow an earlier one.
fn in_order(items: Vec<Item>) -> Vec<Item> {
    let mut ended = Vec::new();
    let mut kept = Vec::new();
    for item in items {
        let last = kept.iter().rfind(|item| !matches!(item, Item::Wait(..)));
        let is_repeated = matches!(
            (last, &item), (Some(Item::Skip(side, _)), Item::Skip(again, _)) if side == again
        );
        if is_repeated || ended.contains(&item.side()) {
            continue;
        }
        match item {
            Item::End(side) => ended.push(side),
            Item::Reset => ended.extend([Side::Client, Side::Server]),
            _ => {}
        }
        kept.push(item);
    }
    kept
}

#[derive(Clone, Debug)]
struct Case {
    eol: LineEnding,
    items: Vec<Item>,
    text: String,
}

impl Case {
    fn new(eol: LineEnding, items: Vec<Item>, decoration: &[u8]) -> Self {
        let items = in_order(items);
        Self { eol, text: text_of(&items, eol, decoration), items }
    }

    fn transcript(&self) -> Transcript {
        parse(&self.text)
    }
}

/// A transcript without patterns.
fn any_case() -> impl Strategy<Value = Case> {
    let decoration = prop::collection::vec(0..12u8, 0..12);
    any_eol().prop_flat_map(move |eol| {
        (prop::collection::vec(any_item(eol), 0..12), decoration.clone())
            .prop_map(move |(items, decoration)| Case::new(eol, items, &decoration))
    })
}

/// The items that the recorder writes: the bytes of one side joined and split at line feeds, without pauses, and
/// with the ending that the client saw.
fn normal_form(items: &[Item]) -> Vec<Item> {
    let mut normal = Vec::new();
    let mut run: Option<(Side, Vec<u8>)> = None;
    let flush = |run: &mut Option<(Side, Vec<u8>)>, normal: &mut Vec<Item>| {
        if let Some((side, bytes)) = run.take() {
            normal.extend(pieces(&bytes).map(|piece| Item::Literal(side, piece.to_vec())));
        }
    };
    for item in items {
        match item {
            Item::Literal(_, bytes) if bytes.is_empty() => {}
            Item::Literal(side, bytes) => match &mut run {
                Some((same, said)) if same == side => said.extend_from_slice(bytes),
                _ => {
                    flush(&mut run, &mut normal);
                    run = Some((*side, bytes.clone()));
                }
            },
            Item::End(_) | Item::Reset => {
                flush(&mut run, &mut normal);
                normal.push(item.clone());
            }
            _ => {}
        }
    }
    flush(&mut run, &mut normal);
    let has = |item: &Item| normal.contains(item);
    let (client_end, server_end) = (Item::End(Side::Client), Item::End(Side::Server));
    if let Some(at) = normal.iter().position(|item| *item == server_end) {
        // The client's end counts after the server's only if the client said more before it.
        if !normal[at..].iter().any(|item| matches!(item, Item::Literal(..))) {
            normal.truncate(at + 1);
        } else if !has(&client_end) {
            normal.push(client_end);
        }
    } else if !has(&Item::Reset) {
        // The check closes its sending side if the transcript does not, and then so does the mock.
        if !has(&client_end) {
            normal.push(client_end);
        }
        normal.push(server_end);
    }
    normal
}

fn items_of(transcript: &Transcript) -> Vec<Item> {
    transcript.entries.iter().map(|entry| entry.item.clone()).collect()
}

fn said_by(side: Side, items: &[Item]) -> Vec<u8> {
    let said = items.iter().filter_map(|item| match item {
        Item::Literal(same, bytes) if *same == side => Some(&bytes[..]),
        _ => None,
    });
    said.collect::<Vec<_>>().concat()
}

fn line_of(result: &Result<(), Divergence>, transcript: &Transcript) -> Option<usize> {
    let index = result.as_ref().err()?.index;
    Some(transcript.entries.get(index).map_or_else(|| transcript.end_line(), |entry| entry.line))
}

/// What the server sends after an item before it waits for the client.
fn follows(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        match item {
            Item::Literal(Side::Server, more) => bytes.extend_from_slice(more),
            Item::Literal(Side::Client, said) if said.is_empty() => {}
            Item::Wait(..) | Item::Quiet(_) => {}
            _ => break,
        }
    }
    bytes
}

/// Replaces some client lines with what a mock can skip or match.
fn blur_client(items: &[Item], vague: &[u8]) -> Vec<Item> {
    let blurred = items.iter().zip(vague.iter().cycle()).map(|(item, how)| match (item, how) {
        (Item::Literal(Side::Client, bytes), 0) if bytes.ends_with(b"\n") => {
            Item::Pattern(Side::Client, Pattern::new("[ab ]*").unwrap())
        }
        (Item::Literal(Side::Client, _), 1) => Item::Skip(Side::Client, None),
        _ => item.clone(),
    });
    blurred.collect()
}

/// Turns a server into another one: a reply changes, is missing or is repeated, or the ending differs.
fn change(items: &mut Vec<Item>, at: usize, how: u8) {
    if items.is_empty() {
        return;
    }
    let at = at % items.len();
    match (how, &mut items[at]) {
        (0, _) => {
            items.remove(at);
        }
        (1, _) => items.insert(at, items[at].clone()),
        (2, Item::Literal(_, bytes)) => bytes.insert(bytes.len() / 2, b'x'),
        (3, _) => items.truncate(at),
        (4, _) => items.insert(at, Item::End(Side::Server)),
        (5, _) => items.insert(at, Item::Reset),
        _ => {}
    }
}

/// Replaces some server lines with patterns and skips.
fn blur(items: &[Item], vague: &[u8]) -> Vec<Item> {
    let blurred = items.iter().enumerate().map(|(index, item)| match (item, vague.get(index)) {
        (Item::Literal(Side::Server, bytes), Some(0)) if bytes.ends_with(b"\n") => {
            let pattern = if bytes.len() % 2 == 0 { "[ab]?.*" } else { "(?s).*b" };
            Item::Pattern(Side::Server, Pattern::new(pattern).unwrap())
        }
        (Item::Literal(Side::Server, _), Some(1)) => Item::Skip(Side::Server, None),
        (Item::Literal(Side::Server, _), Some(2)) => {
            Item::Skip(Side::Server, Some(Pattern::new("[ab ]*").unwrap()))
        }
        _ => item.clone(),
    });
    blurred.collect()
}

/// A transcript with patterns, and that of a server that follows it more or less.
fn any_conversation() -> impl Strategy<Value = (Case, Case)> {
    let vague = prop::collection::vec(0..8u8, 12);
    let changes = prop::collection::vec((0..12usize, 0..8u8), 0..3);
    (any_case(), vague.clone(), vague, changes).prop_map(|(case, vague, client_vague, changes)| {
        let mut played: Vec<Item> =
            case.items.iter().filter(|item| !matches!(item, Item::Quiet(_))).cloned().collect();
        for item in &mut played {
            if let Item::Wait(_, time) = item {
                *time /= 10;
            }
        }
        let checked = Case::new(case.eol, blur(&played, &vague), &[]);
        for (at, how) in changes {
            change(&mut played, at, how);
        }
        (checked, Case::new(case.eol, blur_client(&played, &client_vague), &[]))
    })
}

fn check_literal(bytes: &[u8], side: Side, eol: LineEnding) -> Result<(), TestCaseError> {
    // As one item, and as the recorder splits it.
    let one = notation(&Item::Literal(side, bytes.to_vec()), eol);
    for lines in [vec![one], literals(side, bytes, eol)] {
        let text = format!("%eol {}\n{}\n", name_of(eol), lines.join("\n"));
        for line in &lines {
            prop_assert!(!line.ends_with([' ', '\t', '\r', '\u{a0}', '\u{3000}']), "{line:?}");
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let mut again = Vec::new();
        for item in items_of(&parse(&text)) {
            match item {
                Item::Literal(same, bytes) if same == side => again.extend(bytes),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(&again[..], bytes, "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn what_is_written_is_read_back(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(prop::sample::select(b"ab \\\r\n\t\0x{:~\xc3\xa9\x85\xe2\x80\xae".to_vec()), 0..12),
            "\\PC{0,10}".prop_map(String::into_bytes),
        ],
        eol in any_eol(),
    ) {
        check_literal(&bytes, Side::Client, eol)?;
        check_literal(&bytes, Side::Server, eol)?;
    }

    #[test]
    fn items_are_read_as_they_were_written(case in any_case()) {
        prop_assert_eq!(items_of(&case.transcript()), case.items);
    }

    #[test]
    fn a_check_of_what_is_played_passes(case in any_case(), delivery in any_delivery()) {
        let transcript = case.transcript();
        let outcome = converse(&transcript, &transcript, delivery);
        prop_assert_eq!(outcome.check, Ok(()), "{}", case.text);
        prop_assert_eq!(outcome.mock, Ok(()), "{}", case.text);
    }

    #[test]
    fn a_recording_of_what_is_played_is_its_normal_form(case in any_case(), delivery in any_delivery()) {
        let transcript = case.transcript();
        let recording = converse(&transcript, &transcript, delivery).recording;
        let recorded = parse(&recording);
        prop_assert_eq!(items_of(&recorded), normal_form(&case.items), "{}\n{}", case.text, recording);
        // The normal form of a normal form is itself, to the byte.
        let again = converse(&recorded, &recorded, delivery);
        prop_assert_eq!(again.recording, recording);
        prop_assert_eq!((again.check, again.mock), (Ok(()), Ok(())));
    }

    #[test]
    fn a_client_that_says_all_at_once_is_kept_to_its_turn(case in any_case(), delivery in any_delivery()) {
        let played = case.transcript();
        let is_said = |item: &&Item| matches!(item, Item::Literal(Side::Client, _) | Item::End(Side::Client));
        let is_server = |item: &&Item| item.side() == Side::Server && !matches!(item, Item::Quiet(_));
        let items = case.items.iter().filter(is_said).chain(case.items.iter().filter(is_server));
        let checked = Case::new(case.eol, items.cloned().collect(), &[]);
        let outcome = converse(&checked.transcript(), &played, delivery);
        prop_assert_eq!((outcome.check, outcome.mock), (Ok(()), Ok(())), "{}", case.text);
        // The recording has the same bytes, but not in the same order.
        let recorded = items_of(&parse(&outcome.recording));
        prop_assert_eq!(said_by(Side::Server, &recorded), said_by(Side::Server, &case.items), "{}", case.text);
        prop_assert_eq!(said_by(Side::Client, &recorded), said_by(Side::Client, &case.items), "{}", case.text);
    }

    #[test]
    fn text_added_to_a_line_fails_at_that_line(
        case in any_case(), at in any::<prop::sample::Index>(), text in "[abx]{1,2}", delivery in any_delivery(),
    ) {
        let is_literal = |item: &Item| matches!(item, Item::Literal(Side::Server, _));
        let places: Vec<usize> = (0..case.items.len()).filter(|&index| is_literal(&case.items[index])).collect();
        if places.is_empty() {
            return Ok(());
        }
        let index = places[at.index(places.len())];
        let mut items = case.items.clone();
        let Item::Literal(_, bytes) = &mut items[index] else { unreachable!() };
        let is_terminated = bytes.ends_with(case.eol.bytes());
        let end = bytes.len() - if is_terminated { case.eol.bytes().len() } else { 0 };
        bytes.splice(end..end, text.bytes());
        let played = case.transcript();
        let added = parse(&text_of(&items, case.eol, &[]));
        let outcome = converse(&added, &played, delivery);
        let line = line_of(&outcome.check, &added);
        let own_line = added.entries[index].line;
        // After an unterminated item, that text may happen to follow: then the check fails later.
        if !is_terminated && follows(&case.items[index + 1..]).starts_with(text.as_bytes()) {
            prop_assert!(line.is_some_and(|line| line > own_line), "{:?}\n{}", outcome.check, case.text);
        } else {
            prop_assert_eq!(line, Some(own_line), "{:?}\n{}", outcome.check, case.text);
        }
        // If the server says more than the transcript: at that line, or after an unterminated item.
        let outcome = converse(&played, &added, delivery);
        let line = line_of(&outcome.check, &played);
        let own_line = played.entries[index].line;
        if is_terminated {
            prop_assert_eq!(line, Some(own_line), "{:?}\n{}", outcome.check, case.text);
        } else {
            prop_assert!(line.is_some_and(|line| line > own_line), "{:?}\n{}", outcome.check, case.text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_verdict_does_not_depend_on_how_bytes_are_cut_and_delayed(
        (checked, played) in any_conversation(), seed in any::<u64>(),
    ) {
        let (checked, played) = (checked.transcript(), played.transcript());
        let outcomes = [Delivery::Prompt, Delivery::Bytes(seed), Delivery::Pieces(seed)]
            .map(|delivery| converse(&checked, &played, delivery));
        let diff = |outcome: &Outcome| {
            let divergence = outcome.check.as_ref().err()?;
            let Diff { headline, lines, .. } = Diff::new(&client(&checked), divergence, "server");
            Some((headline, lines))
        };
        for outcome in &outcomes[1..] {
            prop_assert_eq!(&outcomes[0].check, &outcome.check);
            prop_assert_eq!(&outcomes[0].mock, &outcome.mock);
            prop_assert_eq!(diff(&outcomes[0]), diff(outcome));
        }
    }
}

#[test]
fn thirty_thousand_pipelined_lines_are_linear() {
    let steps = |lines: usize| {
        let text = "C: hello\n".repeat(lines) + &"S: HELLO\n".repeat(lines) + "C EOF\nS EOF\n";
        let transcript = parse(&text);
        let outcome = converse(&transcript, &transcript, Delivery::Pieces(1));
        assert_eq!((outcome.check, outcome.mock), (Ok(()), Ok(())));
        assert_eq!(outcome.recording, text);
        outcome.ticks
    };
    assert!(steps(30_000) < 3 * steps(15_000));
}
