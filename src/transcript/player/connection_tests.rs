//! Checks on several connections.

use super::*;
use crate::transcript::divergence::Fault;
use crate::transcript::testing::{Delivery, Event, Party, Playing, START, converse, ms, parse};
use crate::transcript::{Diff, Playable, Variables};

fn connection(digit: char) -> Connection {
    Connection::from_digit(digit).unwrap_or(Connection::FIRST)
}

/// Says words at fixed times, in milliseconds since the start, on connections.
struct Timetable<'s>(&'s [(u64, char, &'s str)]);

impl Party for Timetable<'_> {
    fn hear(&mut self, _connection: Connection, _event: Event, _now: Duration) {}

    fn speak(&mut self, now: Duration) -> Vec<(Connection, Event)> {
        let due = self.0.iter().take_while(|(at, ..)| START + ms(*at) <= now).count();
        let (words, rest) = self.0.split_at(due);
        self.0 = rest;
        words.iter().map(|(_, digit, word)| (connection(*digit), Event::from_word(word))).collect()
    }

    fn wake(&self) -> Option<Duration> {
        self.0.first().map(|(at, ..)| START + ms(*at))
    }

    fn is_done(&self) -> bool {
        true
    }
}

fn playable(text: &str) -> Playable {
    Playable::new(parse(text), Side::Client, Variables::default()).unwrap()
}

struct Outcome {
    result: Result<(), Divergence>,
    /// When it was known, in milliseconds.
    took: u128,
    sent: String,
}

impl Outcome {
    /// The first line of the report, the connection, and what was received.
    fn report(&self, text: &str) -> String {
        match &self.result {
            Ok(()) => "passed".to_owned(),
            Err(divergence) => {
                let Diff { headline, .. } = Diff::new(&playable(text), divergence, "server");
                let (line, _) = headline.split_once(" (").unwrap();
                let received = String::from_utf8_lossy(divergence.fault.received());
                format!("{line}; {}: {received:?}", divergence.connection.letter(Side::Server))
            }
        }
    }
}

fn check(text: &str, words: &[(u64, char, &str)]) -> Outcome {
    let mut player = Playing::new(Follow::new(playable(text)));
    converse(&mut player, &mut Timetable(words), Delivery::Prompt);
    let since = |at: Duration| at.saturating_sub(START).as_millis();
    let sent = player.steps.iter().map(|(at, connection, event)| {
        format!("{} {} {}|", since(*at), connection.letter(Side::Client), event.word().trim_end())
    });
    let sent = sent.collect();
    let (at, result) = player.done.unwrap();
    Outcome { result, took: since(at), sent }
}

#[track_caller]
fn reports(text: &str, words: &[(u64, char, &str)], expected: &str) {
    assert_eq!(check(text, words).report(text), expected, "{text}");
}

const ENDS: &str = "S EOF\nS2 EOF\n";

#[test]
fn one_order_holds_over_all_connections() {
    let text = format!("C: a\nC2: b\nC: c\nS2: B\nC9 CONNECT h:\\{{p=7}}\nS: A\nC9: d\n{ENDS}");
    // What arrives early is kept, on each connection.
    let words = [(10, '1', "A\n"), (20, '2', "B\n"), (30, '2', "<EOF>"), (40, '1', "<EOF>")];
    let outcome = check(&text, &words);
    assert_eq!(
        outcome.sent,
        "0 C a|0 C2 <OPEN None>|0 C2 b|0 C c|20 C9 <OPEN Some(\"h:7\")>|20 C9 d|40 C <EOF>|40 C2 <EOF>|40 C9 <EOF>|"
    );
    assert_eq!(outcome.result, Ok(()));
}

#[test]
fn each_connection_is_opened_at_its_first_item_even_the_first() {
    let outcome = check("C2: a\nS2: A\nS: hi\n", &[(5, '2', "A\n"), (9, '1', "hi\n"), (10, '1', "<EOF>")]);
    assert!(outcome.sent.starts_with("0 C2 <OPEN None>|0 C2 a|5 C <OPEN None>|"), "{}", outcome.sent);
    assert_eq!(outcome.result, Ok(()));
}

#[test]
fn what_differs_is_reported_with_its_connection() {
    reports("C: a\nS2: B\n", &[(5, '2', "X\n")], "t.chat:2: server reply differs; S2: \"X\\n\"");
    reports(
        "S: A\nS2: B\n",
        &[(5, '2', "B\n"), (9, '2', "<EOF>")],
        "t.chat:1: server reply missing; S: \"\"",
    );
    reports(
        "C2: a\nS2: B\n",
        &[(5, '2', "B"), (9, '2', "<EOF>")],
        "t.chat:2: server closed early; S2: \"B\"",
    );
    reports("C2: a\nS2 EOF\n", &[(5, '2', "<RST>")], "t.chat:2: connection reset; S2: \"\"");
    reports("C2: a\nC: a\nS2 RST\n", &[(5, '2', "<RST>")], "passed");
}

#[test]
fn a_limit_runs_from_the_last_send_or_match_on_any_connection() {
    let text = format!("%timeout 100ms\nC2: a\nS: A\nS2: B\n{ENDS}");
    let ends = [(170, '1', "<EOF>"), (170, '2', "<EOF>")];
    let on_time = [&[(90, '1', "A\n"), (170, '2', "B\n")][..], &ends].concat();
    assert_eq!(check(&text, &on_time).result, Ok(()));
    // What arrives on another connection, and is not asked for, does not count.
    let outcome = check(&text, &[(50, '2', "B\n"), (120, '1', "A\n")]);
    assert_eq!(
        (outcome.report(&text), outcome.took),
        ("t.chat:3: server reply missing; S: \"\"".into(), 100)
    );
}

#[test]
fn a_silence_is_that_of_its_connection_and_a_pause_that_of_all() {
    let text = "C: a\nC2: a\nS QUIET 100ms\nC WAIT 50ms\nC2: b\nS2: B\n";
    let outcome = check(text, &[(60, '2', "B\n")]);
    assert_eq!(outcome.result, Ok(()));
    assert!(outcome.sent.contains("|150 C2 b|"), "{}", outcome.sent);
    reports(text, &[(60, '1', "x\n")], "t.chat:3: unexpected output; S: \"x\\n\"");
}

#[test]
fn what_is_left_is_judged_at_the_end_and_not_what_arrives_later() {
    let text = "C: a\nS: A\nC2: b\nS2: B\n";
    let matched = [(5, '1', "A\n"), (9, '2', "B\n")];
    let then = |more: &[(u64, char, &'static str)]| [&matched[..], more].concat();
    assert_eq!(check(text, &then(&[])).took, 509, "after a grace for the ends");
    let ends = [(11, '2', "<EOF>"), (12, '1', "<EOF>")];
    assert_eq!(check(text, &then(&ends)).took, 12);
    assert_eq!(check(text, &then(&[(10, '1', "late\n"), (10, '2', "late\n")])).result, Ok(()));
    reports(text, &[(5, '1', "A\nmore\n"), (9, '2', "B\n")], "t.chat:5: unexpected output; S: \"more\\n\"");
    reports(text, &[(5, '1', "A\n"), (9, '2', "B\nmo")], "t.chat:5: unexpected output; S2: \"mo\"");
    reports(
        text,
        &[(5, '1', "A\n"), (6, '1', "<RST>"), (9, '2', "B\n")],
        "t.chat:5: connection reset; S: \"\"",
    );
    reports("C: a\nS ...\nC2: b\nS2: B\n", &[(5, '1', "x\ny"), (9, '2', "B\n")], "passed");
}

#[test]
fn nothing_awaits_what_the_server_says_to_the_last_items_of_the_client() {
    let text = "C: a\nS: A\nC2: b\nC: c\nC2 EOF\n";
    let outcome = check(text, &[(5, '1', "A\n"), (6, '2', "B\n"), (6, '1', "C\n")]);
    assert_eq!(outcome.sent, "0 C a|5 C2 <OPEN None>|5 C2 b|5 C c|5 C2 <EOF>|5 C <EOF>|");
    assert_eq!(outcome.result, Ok(()));
    reports(text, &[(5, '1', "A\nA\n")], "t.chat:3: unexpected output; S: \"A\\n\"");
    // A pause, even at the end, waits for what arrives.
    reports(
        &format!("{text}C WAIT 10ms\n"),
        &[(5, '1', "A\n"), (8, '1', "C\n")],
        "t.chat:7: unexpected output; S: \"C\\n\"",
    );
}

#[test]
fn a_connection_that_cannot_be_opened_ends_the_check() {
    let mut player = Follow::new(playable("S\\ \\{port}\nC2 CONNECT :\\{port}\nC2: x\nC: y\n"));
    player.receive(Connection::FIRST, b"70\n", START);
    let two = connection('2');
    assert_eq!(player.advance(START), Step::ReceiveAll);
    assert_eq!(player.advance(START), Step::Open(two, Some(b":70".to_vec())));
    assert_eq!(player.advance(START), Step::Wait(None));
    player.not_opened(two, "no way".to_owned(), START);
    let Step::Done(Err(divergence)) = player.advance(START) else { panic!("it goes on") };
    assert_eq!((divergence.index, divergence.connection), (1, two));
    assert_eq!(divergence.fault, Fault::NotConnected { error: "no way".to_owned() });
}

#[test]
fn what_waits_on_one_connection_does_not_stop_another() {
    let mut player = Follow::new(playable("C: a\nC2: b\nS2: B\nS: A\n"));
    let two = connection('2');
    while !matches!(player.advance(START), Step::Wait(_)) {
        player.opened(two, START);
    }
    let most = crate::transcript::compare::LONGEST_LINE;
    player.receive(Connection::FIRST, &vec![b'x'; most], START);
    assert!(!player.wants_bytes(Connection::FIRST) && player.wants_bytes(two));
    assert_eq!(player.kept(), most);
}
