//! Players against another side that says things at given times.

use super::*;
use crate::transcript::compare::LONGEST_LINE;
use crate::transcript::divergence::Fault;
use crate::transcript::format::Connection;
use crate::transcript::skipped::Skipped;
use crate::transcript::testing::{Delivery, Playing, START, Timetable, converse, ms, parse};
use crate::transcript::{Playable, Variables};

#[derive(Debug)]
struct Outcome {
    result: Result<(), Divergence>,
    /// When it was known, in milliseconds.
    took: u128,
    /// What was sent, and when.
    sent: Vec<(u128, String)>,
}

impl Outcome {
    fn sent(&self) -> Vec<(u128, &str)> {
        self.sent.iter().map(|(at, text)| (*at, text.as_str())).collect()
    }
}

fn differs(index: usize, received: &str) -> Result<(), Divergence> {
    Err(Divergence {
        index,
        connection: Connection::FIRST,
        skipped: None,
        variables: Box::default(),
        fault: Fault::Differs { received: received.into() },
    })
}

fn unexpected(index: usize, received: &str) -> Result<(), Divergence> {
    Err(Divergence {
        index,
        connection: Connection::FIRST,
        skipped: None,
        variables: Box::default(),
        fault: Fault::Unexpected { received: received.into() },
    })
}

fn missing(index: usize, received: &str, milliseconds: u64) -> Result<(), Divergence> {
    let limit = ms(milliseconds);
    Err(Divergence {
        index,
        connection: Connection::FIRST,
        skipped: None,
        variables: Box::default(),
        fault: Fault::Missing { received: received.into(), limit },
    })
}

fn closed_early(index: usize, received: &str) -> Result<(), Divergence> {
    Err(Divergence {
        index,
        connection: Connection::FIRST,
        skipped: None,
        variables: Box::default(),
        fault: Fault::ClosedEarly { received: received.into() },
    })
}

fn reset(index: usize) -> Result<(), Divergence> {
    Err(Divergence {
        index,
        connection: Connection::FIRST,
        skipped: None,
        variables: Box::default(),
        fault: Fault::Reset { received: Vec::new() },
    })
}

/// The same after an `S ...` that took these lines.
fn skipping(result: Result<(), Divergence>, lines: &str) -> Result<(), Divergence> {
    let mut skipped = Skipped::default();
    skipped.take(lines.as_bytes());
    result.map_err(|divergence| Divergence { skipped: Some(Box::new(skipped)), ..divergence })
}

fn follow(text: &str, own: Side) -> Follow {
    Follow::new(Playable::new(parse(text), own, Variables::default()).unwrap())
}

/// Plays `own` against a script that says words at given times.
fn play(own: Side, text: &str, script: Timetable) -> Outcome {
    let mut player = Playing::new(follow(text, own));
    let mut script = script;
    match own {
        Side::Client => converse(&mut player, &mut script, Delivery::Prompt),
        Side::Server => converse(&mut script, &mut player, Delivery::Prompt),
    };
    let since = |at: Duration| at.saturating_sub(START).as_millis();
    let sent = player.steps.iter().map(|(at, _, event)| (since(*at), event.word())).collect();
    let (at, result) = player.done.unwrap();
    Outcome { result, took: since(at), sent }
}

fn check(text: &str, script: Timetable) -> Outcome {
    play(Side::Client, text, script)
}

#[test]
fn a_reply_that_differs_is_shown_whole() {
    let text = "C: a\nS: hello\nC: b\n";
    let played = check(text, &[(5, "h"), (10, "a"), (400, "llo\nmore\n")]);
    assert_eq!(played.result, differs(1, "hallo\n"));
    assert_eq!(played.sent(), [(0, "a\n")], "nothing is sent after a mismatch");
    // A server that drips does not stretch it.
    let drips: Vec<(u64, &str)> = (0..20).map(|drip| (10 + 300 * drip, "x")).collect();
    let played = check(text, &drips);
    assert_eq!((played.result, played.took), (differs(1, "xxxx"), 1010));
    // A line without an end is shown as far as it arrived.
    let played = check(text, &[(10, "hallo")]);
    assert_eq!((played.result, played.took), (differs(1, "hallo"), 510));
    let played = check(text, &[(10, "hallo"), (20, "<EOF>")]);
    assert_eq!((played.result, played.took), (differs(1, "hallo"), 20));
}

#[test]
fn a_missing_reply_has_its_limit_and_the_part_that_came() {
    let text = "%timeout 2s\nC: a\nS: hello\n";
    for (script, received, took) in [(&[][..], "", 2000), (&[(1500, "hel")], "hel", 2000)] {
        let played = check(text, script);
        assert_eq!((played.result, played.took), (missing(1, received, 2000), took));
    }
}

/// Says `word` every `every` milliseconds, for a minute.
fn ticks(word: &str, every: u64) -> Vec<(u64, &str)> {
    (0..60_000 / every).map(|tick| (tick * every, word)).collect()
}

#[test]
fn a_server_that_drips_does_not_stretch_a_limit() {
    let line = format!("S: {}\n", "x".repeat(100_000));
    for (text, word, took) in [
        (line.as_str(), "x", 1000),
        ("S~ x+\n", "x", 1000),
        ("S ...\nS: end\n", "x", 1000),
        ("S ...\nS: end\n", "x\n", 1000),
        ("S ...\nS EOF\n", "x\n", 1000),
        ("S ...\nS RST\n", "x\n", 1000),
        ("S WAIT 2s\nS~ x+\n", "x", 3000),
    ] {
        for every in [1, 50, 300, 999] {
            let played = check(&format!("%timeout 1s\n{text}"), &ticks(word, every));
            let limit = played.result.clone().unwrap_err().limit();
            let limit = limit.map(|limit| limit.as_millis());
            assert_eq!((played.took, limit), (took, Some(took)), "{text}");
        }
    }
}

#[test]
fn a_silence_that_never_comes_has_a_limit() {
    for (every, lines) in [(50, 22), (99, 12)] {
        let played = check("%timeout 1s\nS ...\nS QUIET 100ms\n", &ticks("tick\n", every));
        let fault = Fault::NotSilent { limit: ms(1100) };
        assert_eq!(
            (played.result, played.took),
            (
                skipping(
                    Err(Divergence {
                        index: 1,
                        connection: Connection::FIRST,
                        skipped: None,
                        variables: Box::default(),
                        fault
                    }),
                    &"tick\n".repeat(lines)
                ),
                1100
            )
        );
    }
    let played = check("%timeout 1s\nS ...\nS WAIT 1s\nS QUIET 100ms\n", &ticks("tick\n", 50));
    assert_eq!(played.took, 2100, "a pause may be filled");
    let played = check("%timeout 1s\nS ...\nS QUIET 100ms\n", &ticks("tick\n", 50)[..20]);
    assert_eq!((played.result, played.took), (Ok(()), 1550));
}

/// What an update learns from a script, and when, in milliseconds.
fn learn(text: &str, script: Timetable) -> (Result<Vec<Turn>, Divergence>, u128) {
    let mut player =
        Playing::new(Learn::new(Playable::new(parse(text), Side::Client, Variables::default()).unwrap()));
    let mut script = script;
    converse(&mut player, &mut script, Delivery::Prompt);
    let (at, result) = player.done.unwrap();
    (result, at.saturating_sub(START).as_millis())
}

#[test]
fn a_turn_that_does_not_end_has_a_limit() {
    let not_silent = |index, milliseconds| {
        Err(Divergence {
            index,
            connection: Connection::FIRST,
            skipped: None,
            variables: Box::default(),
            fault: Fault::NotSilent { limit: ms(milliseconds) },
        })
    };
    let with = |text: &str, every| learn(&format!("%timeout 1s\n{text}"), &ticks("tick\n", every));
    // One that matches so far, one that does not, one whose end is awaited, and the last one.
    assert_eq!(with("S: tick\nC: a\n", 50), (not_silent(1, 1100), 1100));
    assert_eq!(with("S: hi\nC: a\n", 50), (not_silent(0, 1100), 1100));
    assert_eq!(with("S: hi\nS EOF\nC EOF\n", 500), (not_silent(0, 2000), 2000));
    let later: Vec<_> = ticks("tick\n", 50).iter().map(|(at, word)| (at + 200, *word)).collect();
    assert_eq!(learn("%timeout 1s\nC: a\nS: tick\n", &later), (not_silent(2, 1100), 1300));
    // An `S ...` takes it all, and says so.
    let (turns, took) = with("S ...\nC: a\nS ...\n", 50);
    assert_eq!((turns, took), (Ok(Vec::new()), 2700));
}

#[test]
fn an_update_keeps_only_what_may_be_rewritten_and_no_more_than_16_mib() {
    let long = "x".repeat(99) + "\n";
    let megabytes = |count: usize| long.repeat(count * 1_000_000 / long.len());
    let lines = megabytes(10);
    // What matches is not kept, however much.
    let mut text = String::new();
    let mut script = Vec::new();
    for turn in 0..20 {
        text += "S ...\nS: end\nC: next\n";
        script.extend([
            (200 * turn, lines.as_str()),
            (200 * turn + 1, lines.as_str()),
            (200 * turn + 2, "end\n"),
        ]);
    }
    script.push((4000, "<EOF>"));
    assert_eq!(learn(&text, &script).0, Ok(Vec::new()));
    // What does not match is.
    let too_long = |index| {
        Err(Divergence {
            index,
            connection: Connection::FIRST,
            skipped: None,
            variables: Box::default(),
            fault: Fault::TooLong,
        })
    };
    let more = megabytes(17);
    assert_eq!(learn("S: hi\nC: a\n", &[(0, &more)]).0, too_long(0));
    assert_eq!(learn("S: hi\nC: a\n", &[(0, "hi\n"), (1, &more)]).0, too_long(1));
    assert_eq!(learn("S: hi\nC: a\nS: A\n", &[(0, "hi\n"), (150, &more)]).0, too_long(2));
    assert_eq!(learn("S: hi\nC: a\n", &[(0, "hi\n"), (150, &more)]).0, too_long(2));
    // All turns together.
    let script = [(0, lines.as_str()), (200, lines.as_str()), (300, "<EOF>")];
    assert_eq!(learn("S: hi\nC: a\nS: A\nS EOF\n", &script).0, too_long(4));
    let turns = learn("S: hi\nC: a\nS: A\nS EOF\n", &script[1..]).0.unwrap();
    assert_eq!(turns.iter().map(|turn| turn.received.len()).sum::<usize>(), lines.len());
}

#[test]
fn an_unfinished_line_is_searched_once() {
    let start = std::time::Instant::now();
    for text in ["C~ x+y\n", "C: end\n", "S: hi\n"] {
        let mut mock = follow(text, Side::Server);
        while mock.wants_bytes(Connection::FIRST) && !matches!(mock.advance(START), Step::Done(_)) {
            mock.receive(Connection::FIRST, &[b'x'; 256], START);
        }
    }
    let mut check = follow("S ...\nS: end\n", Side::Client);
    while check.wants_bytes(Connection::FIRST) {
        assert!(matches!(check.advance(START), Step::Wait(_)));
        check.receive(Connection::FIRST, &[b'x'; 256], START);
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_mock_keeps_no_more_than_its_client_has_to_say() {
    let mut mock = follow("S WAIT 1h\nC: hello\nC\\ you\\\nS: a\n", Side::Server);
    assert!(matches!(mock.advance(START), Step::Wait(_)));
    let mut kept = 0;
    while mock.wants_bytes(Connection::FIRST) {
        kept += 1000;
        mock.receive(Connection::FIRST, &[b'x'; 1000], START);
    }
    assert!((64 * 1024..=66 * 1024).contains(&kept), "{kept}");
    let mut mock = follow("S WAIT 1h\nC~ .*\n", Side::Server);
    assert!(matches!(mock.advance(START), Step::Wait(_)));
    mock.receive(Connection::FIRST, &vec![b'x'; LONGEST_LINE - 1], START);
    assert!(mock.wants_bytes(Connection::FIRST));
}

#[test]
fn the_limit_runs_from_the_later_of_the_last_send_and_the_previous_match() {
    let text = "%timeout 1s\nS: a\nS: b\nC: c\nS: d\nS: e\n";
    let script = [(900, "a\n"), (1800, "b\n"), (2700, "d\n")];
    let played = check(text, &script);
    assert_eq!((played.result, played.took), (missing(4, "", 1000), 3700));
    let text = "%timeout 1s\nS: a\nC WAIT 800ms\nC: c\nS: d\n";
    let played = check(text, &[(900, "a\n")]);
    assert_eq!((played.sent(), played.took), (vec![(1700, "c\n")], 2700));
}

#[test]
fn a_server_is_not_late_while_it_still_takes_what_is_sent() {
    let mut player = follow("%timeout 1s\nC: abc\nS: d\n", Side::Client);
    assert_eq!(player.advance(START), Step::Send(Connection::FIRST, b"abc\n".to_vec()));
    player.sent(Connection::FIRST, 1, START + ms(900));
    assert_eq!(player.advance(START + ms(1800)), Step::Wait(Some(START + ms(1900))));
}

#[test]
fn output_that_nothing_asks_for_is_unexpected() {
    let said = "A\nmore\nand more\n";
    // The next item is compared with it.
    let played = check("C: a\nS: A\nC: b\nS: B\n", &[(10, said)]);
    assert_eq!(played.result, differs(3, "more\n"));
    let played = check("C: a\nS: A\nS EOF\n", &[(10, said)]);
    assert_eq!(played.result, unexpected(2, "more\n"));
    let played = check("C: a\nS: A\n", &[(10, said)]);
    assert_eq!(played.result, unexpected(2, "more\n"));
    let played = check("C: a\nS: A\n", &[(10, "A\n"), (400, "mo"), (500, "re"), (600, "<EOF>")]);
    assert_eq!(played.result, unexpected(2, "more"));
    assert_eq!(played.sent(), [(0, "a\n"), (10, "<EOF>")], "the file's end ends our side");
    let played = check("C: a\nS: A\n", &[(10, "A\n"), (600, "late")]);
    assert_eq!((played.result, played.took), (Ok(()), 510));
    let played = check("C: a\nS: A\n", &[(10, "A\n"), (20, "<EOF>")]);
    assert_eq!((played.result, played.took), (Ok(()), 20));
}

#[test]
fn ends_that_come_too_early_too_late_or_otherwise_are_told_apart() {
    let text = "C: a\nS: A\nS EOF\n";
    for (script, result) in [
        (&[(10, "<EOF>")][..], closed_early(1, "")),
        (&[(10, "A"), (20, "<EOF>")], closed_early(1, "A")),
        (&[(10, "<RST>")], reset(1)),
        (&[(10, "A\n"), (20, "<RST>")], reset(2)),
        (
            &[(10, "A\n")],
            Err(Divergence {
                index: 2,
                connection: Connection::FIRST,
                skipped: None,
                variables: Box::default(),
                fault: Fault::NoEof { limit: ms(5000) },
            }),
        ),
    ] {
        assert_eq!(check(text, script).result, result);
    }
    assert_eq!(check(text, &[(10, "A\n"), (20, "<EOF>")]).result, Ok(()));
    let text = "C: a\nS: A\nS RST\n";
    assert_eq!(check(text, &[(10, "A\n"), (20, "<RST>")]).result, Ok(()));
    let eof_for_reset = Err(Divergence {
        index: 2,
        connection: Connection::FIRST,
        skipped: None,
        variables: Box::default(),
        fault: Fault::EofForReset,
    });
    assert_eq!(check(text, &[(10, "A\n"), (20, "<EOF>")]).result, eof_for_reset);
    assert_eq!(check(text, &[(10, "A\n")]).result, missing(2, "", 5000));
    assert_eq!(check("C: a\nS: A\n", &[(10, "A\n"), (20, "<RST>")]).result, reset(2));
}

#[test]
fn a_wrong_end_of_line_differs() {
    assert_eq!(check("%eol crlf\nS: a\n", &[(0, "a\n")]).result, differs(0, "a\n"));
    assert_eq!(check("%eol crlf\nS~ a\n", &[(0, "a\n")]).result, differs(0, "a\n"));
    assert_eq!(check("S: a\n", &[(0, "a\r\n")]).result, differs(0, "a\r\n"));
    assert_eq!(check("S~ a\n", &[(0, "a\r\n")]).result, differs(0, "a\r\n"));
}

#[test]
fn lines_are_passed_over_until_the_next_item_matches() {
    let text = "C: a\nS ...\nS: end\nC: b\nS EOF\n";
    let followed = |text, script| check(text, script).result == Ok(());
    assert!(followed(text, &[(10, "x\ny\nen"), (20, "d\n"), (30, "<EOF>")]));
    assert!(followed(text, &[(10, "end\n"), (30, "<EOF>")]), "none are enough");
    assert_eq!(check(text, &[(10, "x\nend\nmore\n")]).result, unexpected(4, "more\n"));
    let missing = skipping(missing(2, "", 5000), "x\nthe end\n");
    assert_eq!(check(text, &[(10, "x\nthe end\n")]).result, missing);
    let closed_early = skipping(closed_early(2, "y"), "x\n");
    assert_eq!(check(text, &[(10, "x\ny"), (20, "<EOF>")]).result, closed_early);
    // It matches immediately, so the items below it are sent.
    assert_eq!(check("S ...\nC: a\nS: b\n", &[(10, "x\nb\n"), (20, "<EOF>")]).sent()[0], (0, "a\n"));
    // At the end it takes everything.
    assert!(followed("C: a\nS ...\nS EOF\n", &[(10, "x\ny"), (30, "<EOF>")]));
    assert!(followed("C: a\nS ...\n", &[(10, "x\ny"), (30, "<EOF>")]));
    assert!(followed("S ...\nC: a\nC EOF\n", &[(10, "x\ny"), (30, "z"), (40, "<EOF>")]));
    assert!(followed("S ...\nS~ a+\nS EOF\n", &[(10, "x\naa"), (30, "<EOF>")]));
}

#[test]
fn a_pattern_needs_a_whole_line_or_the_end_of_the_stream() {
    let text = "%timeout 1s\nS~ 2\\d\\d( .*)?\nS EOF\n";
    assert_eq!(check(text, &[(0, "22"), (10, "0 x\n"), (20, "<EOF>")]).result, Ok(()));
    assert_eq!(check(text, &[(0, "220"), (20, "<EOF>")]).result, Ok(()));
    assert_eq!(check(text, &[(0, "220")]).result, missing(0, "220", 1000));
    assert_eq!(check(text, &[(0, "1220\n")]).result, differs(0, "1220\n"));
    assert_eq!(check(text, &[(0, "22"), (20, "<EOF>")]).result, differs(0, "22"));
    assert_eq!(check("S~ .*\n", &[(20, "<EOF>")]).result, closed_early(0, ""));
}

#[test]
fn a_prompt_matches_at_once() {
    let played = check("S\\ login: \\\nC: a\nS: hi\n", &[(10, "login: "), (20, "hi\n"), (30, "<EOF>")]);
    assert_eq!((played.sent()[0], played.result.clone()), ((10, "a\n"), Ok(())), "{played:?}");
}

#[test]
fn a_silence_is_broken_by_anything_and_passes_by_itself() {
    let text = "C: a\nS QUIET 100ms\nC: b\nS: B\n";
    let played = check(text, &[(99, "x\n")]);
    assert_eq!(played.result, unexpected(1, "x\n"));
    let played = check(text, &[(110, "B\n"), (120, "<EOF>")]);
    assert_eq!(played.sent()[..2], [(0, "a\n"), (100, "b\n")]);
    assert_eq!(played.result, Ok(()));
    // After `S ...`, it starts with the last byte.
    let played = check("S ...\nS QUIET 100ms\nC: b\n", &[(50, "x\n"), (140, "y"), (300, "<EOF>")]);
    assert_eq!((played.sent()[0], played.result.clone()), ((240, "b\n"), Ok(())));
    // The time that a server's pause adds is for the next line, not for the silence.
    let text = "%timeout 1s\nS WAIT 2s\nS QUIET 100ms\nS: a\nS EOF\n";
    assert_eq!(check(text, &[(3000, "a\n"), (3010, "<EOF>")]).result, Ok(()));
}

#[test]
fn pauses() {
    let played = check("C: a\nC WAIT 300ms\nC WAIT 300ms\nC: b\nC EOF\nS EOF\n", &[(900, "<EOF>")]);
    assert_eq!(played.sent(), [(0, "a\n"), (600, "b\n"), (600, "<EOF>")]);
    assert_eq!(played.result, Ok(()));
    let text = "%timeout 1s\nS: a\nS WAIT 2s\nS: b\nS: c\n";
    let played = check(text, &[(500, "a\n"), (3400, "b\n")]);
    assert_eq!((played.result, played.took), (missing(3, "", 1000), 4400));
    let played = check(text, &[(500, "a\n")]);
    assert_eq!((played.result, played.took), (missing(2, "", 3000), 3500));
}

#[test]
fn a_mismatch_at_a_line_is_reported_at_that_line() {
    let is_client = |line: usize| line % 3 == 1;
    let item = |line| if is_client(line) { format!("C: {line}\n") } else { format!("S: {line}\n") };
    let text = (1..=200).map(item).collect::<Vec<_>>().concat();
    for wrong in (1..=200).filter(|&line| !is_client(line)) {
        let reply = |line| if line == wrong { format!("{line}!\n") } else { format!("{line}\n") };
        let said = (1..=200).filter(|&line| !is_client(line)).map(reply).collect::<Vec<_>>().concat();
        for script in [&[(0, &said[..])][..], &[(0, &said[..said.len() / 2]), (10, &said[said.len() / 2..])]]
        {
            let played = check(&text, script);
            let received = format!("{wrong}!\n");
            assert_eq!(played.result, differs(wrong - 1, &received[..]));
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
    assert_eq!(played.result, Ok(()));
}

#[test]
fn a_mock_waits_for_ever_and_its_client_may_end_when_it_has_said_all() {
    let mock = |text, script| play(Side::Server, text, script);
    let played = mock("C: a\nS: A\n", &[(3_600_000, "a\n"), (7_200_000, "<EOF>")]);
    assert_eq!((played.result, played.took), (Ok(()), 7_200_000));
    assert_eq!(mock("C: a\nS: A\n", &[(0, "<EOF>")]).result, closed_early(0, ""));
    assert_eq!(mock("C: a\nS: A\n", &[(0, "b\n")]).result, differs(0, "b\n"));
    assert_eq!(mock("C: a\nS: A\n", &[(0, "a\nb\n")]).result, unexpected(2, "b\n"));
    assert_eq!(mock("C: a\nS RST\n", &[(0, "a\nb\n")]).result, Ok(()));
    assert_eq!(mock("C~ a+\nS: A\n", &[(0, "aa\n"), (10, "<EOF>")]).result, Ok(()));
    let played = mock("C: a\nC WAIT 200ms\nS QUIET 100ms\nS: A\n", &[(0, "a\n"), (500, "<EOF>")]);
    assert_eq!(played.sent(), [(350, "A\n")], "the client's pause and some more");
}

#[test]
fn a_mock_is_silent_after_all_is_sent() {
    let mut player = follow("S: a\nS QUIET 100ms\nS: b\n", Side::Server);
    assert_eq!(player.advance(START), Step::Send(Connection::FIRST, b"a\n".to_vec()));
    assert_eq!(player.advance(START), Step::Wait(None));
    player.sent(Connection::FIRST, 1, START + ms(500));
    assert_eq!(player.advance(START + ms(500)), Step::Wait(None));
    player.sent(Connection::FIRST, 1, START + ms(1000));
    assert_eq!(player.advance(START + ms(1000)), Step::Wait(Some(START + ms(1150))));
    assert_eq!(player.advance(START + ms(1150)), Step::Send(Connection::FIRST, b"b\n".to_vec()));
}

#[test]
fn a_long_last_send_leaves_the_server_its_grace() {
    let mut player = follow("C: a\nC EOF\n", Side::Client);
    assert_eq!(player.advance(START), Step::Send(Connection::FIRST, b"a\n".to_vec()));
    assert_eq!(player.advance(START), Step::End(Connection::FIRST));
    assert_eq!(player.advance(START), Step::Wait(Some(START + ms(5000))));
    player.sent(Connection::FIRST, 2, START + ms(2000));
    assert_eq!(player.advance(START + ms(2000)), Step::Wait(Some(START + ms(2500))));
    player.receive(Connection::FIRST, b"x\n", START + ms(2100));
    assert_eq!(player.advance(START + ms(2100)), Step::Done(unexpected(2, "x\n")));
}

#[test]
fn more_is_not_taken_in_than_any_item_asks_for() {
    let mut player = follow("S ...\nS: end\n", Side::Client);
    player.receive(Connection::FIRST, &vec![b'x'; LONGEST_LINE], START);
    assert!(!player.wants_bytes(Connection::FIRST));
    let Step::Done(Err(divergence)) = player.advance(START) else { panic!() };
    assert_eq!((divergence.index, divergence.fault.received().len()), (1, LONGEST_LINE));
    assert!(matches!(divergence.fault, Fault::Differs { .. }));
}

/// What a player says after the calls that `events` stand for, all at the start: `<EOF>` and `<RST>` are ends,
/// `<sent N>` and `<refused>` are calls of that name, everything else is received.
fn after(player: &mut Follow, events: &[&str]) -> Step<()> {
    while !matches!(player.advance(START), Step::Wait(_)) {}
    for event in events {
        let sent = event.strip_prefix("<sent ").and_then(|event| event.strip_suffix('>'));
        match (sent, *event) {
            (Some(bytes), _) => player.sent(Connection::FIRST, bytes.parse().unwrap(), START),
            (None, "<EOF>") => player.end(Connection::FIRST, End::Eof, START),
            (None, "<RST>") => player.end(Connection::FIRST, End::Reset, START),
            (None, "<refused>") => player.refused(Connection::FIRST, START),
            (None, text) => player.receive(Connection::FIRST, text.as_bytes(), START),
        }
    }
    player.advance(START)
}

#[test]
fn a_client_that_is_gone_before_it_was_sent_everything_has_not_followed() {
    let text = "S: a\nS: b\nS: c\n";
    for (events, expected) in [
        (&["<RST>"][..], reset(0)),
        (&["<sent 2>", "<RST>"], reset(1)),
        (&["<sent 3>", "<RST>"], reset(1)),
        (&["<sent 6>", "<RST>"], Ok(())),
        (&["<sent 3>", "<EOF>", "<refused>"], closed_early(1, "")),
        (&["<sent 5>", "<refused>", "<RST>"], reset(2)),
        (&["<sent 5>", "<refused>", "<EOF>"], closed_early(2, "")),
        (&["<refused>", "lost", "<RST>"], reset(0)),
    ] {
        assert_eq!(after(&mut follow(text, Side::Server), events), Step::Done(expected), "{events:?}");
    }
    // Reading tells how the client ended, but not always.
    let mut mock = follow(text, Side::Server);
    assert_eq!(after(&mut mock, &["<sent 3>", "<refused>"]), Step::Wait(Some(START + ms(500))));
    assert!(mock.wants_bytes(Connection::FIRST));
    assert_eq!(mock.advance(START + ms(500)), Step::Done(closed_early(1, "")));
    // Items that were not handed out yet.
    let mut mock = follow("S: a\nS WAIT 1s\nS\\ \\\nS: b\nS EOF\n", Side::Server);
    assert_eq!(after(&mut mock, &["<sent 2>", "<RST>"]), Step::Wait(Some(START + ms(1000))));
    assert_eq!(mock.advance(START + ms(1000)), Step::Done(reset(3)));
    // Only bytes count.
    assert_eq!(after(&mut follow("S: a\nS EOF\n", Side::Server), &["<sent 2>", "<RST>"]), Step::Done(Ok(())));
}

#[test]
fn a_client_that_has_only_shut_down_its_side_is_sent_everything() {
    let played = play(Side::Server, "C: a\nS WAIT 1s\nS: b\n", &[(0, "a\n"), (1, "<EOF>")]);
    assert_eq!(played.sent(), [(1000, "b\n")]);
    assert_eq!(played.result, Ok(()));
    // However slowly it reads.
    let mut mock = follow("S: abc\n", Side::Server);
    assert_eq!(after(&mut mock, &["<sent 1>", "<EOF>"]), Step::Wait(None));
    mock.sent(Connection::FIRST, 1, START + ms(60_000));
    assert_eq!(mock.advance(START + ms(60_000)), Step::Wait(None));
    mock.sent(Connection::FIRST, 2, START + ms(120_000));
    assert_eq!(mock.advance(START + ms(120_000)), Step::Done(Ok(())));
    // Neither a reset nor a silence overtakes its bytes.
    let mut mock = follow("S: abc\nS RST\n", Side::Server);
    assert_eq!(after(&mut mock, &["<EOF>", "<sent 3>"]), Step::Wait(None));
    mock.sent(Connection::FIRST, 1, START);
    assert_eq!(mock.advance(START), Step::Reset);
    let mut mock = follow("S: abc\nS QUIET 100ms\nS: d\n", Side::Server);
    assert_eq!(after(&mut mock, &["<EOF>", "<sent 3>"]), Step::Wait(None));
    mock.sent(Connection::FIRST, 1, START + ms(500));
    assert_eq!(mock.advance(START + ms(500)), Step::Wait(Some(START + ms(650))));
}

#[test]
fn bytes_that_are_refused_for_no_reason_are_a_failure() {
    let text = "C: a\nS: b\nC: c\n";
    let mut check = follow(text, Side::Client);
    assert_eq!(after(&mut check, &["<sent 2>", "b\n"]), Step::Send(Connection::FIRST, b"c\n".to_vec()));
    check.refused(Connection::FIRST, START);
    assert_eq!(check.advance(START), Step::End(Connection::FIRST));
    assert_eq!(check.advance(START), Step::Wait(Some(START + ms(500))));
    assert_eq!(check.advance(START + ms(500)), Step::Done(closed_early(3, "")));
    // An update must not take the silence for what the server says now.
    let mut update =
        Learn::new(Playable::new(parse("C: c\nS EOF\n"), Side::Client, Variables::default()).unwrap());
    let mut now = START;
    let result = loop {
        match update.advance(now) {
            Step::Wait(Some(until)) => now = until,
            Step::Send(connection, _) => update.refused(connection, now),
            Step::Done(result) => break result,
            Step::Open(..) | Step::End(_) | Step::Reset | Step::ReceiveAll | Step::Wait(None) => {}
        }
    };
    assert_eq!(result, Err(closed_early(2, "").unwrap_err()));
}

#[test]
fn a_check_learns_from_reading_why_its_bytes_are_refused() {
    let text = "C: a\nS: b\nC: c\nS: d\n";
    let mut check = follow(text, Side::Client);
    assert_eq!(after(&mut check, &["<sent 1>", "<refused>", "b\n"]), Step::Wait(Some(START + ms(5000))));
    check.receive(Connection::FIRST, b"d\n", START + ms(10));
    assert_eq!(check.advance(START + ms(10)), Step::End(Connection::FIRST), "nothing is sent any more");
    assert_eq!(after(&mut follow(text, Side::Client), &["<refused>", "<RST>"]), Step::Done(reset(1)));
    assert_eq!(
        after(&mut follow(text, Side::Client), &["<refused>", "<EOF>"]),
        Step::Done(closed_early(1, ""))
    );
}
