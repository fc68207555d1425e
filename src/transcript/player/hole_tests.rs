//! Holes and variables, in a check and in a mock.

use super::*;
use crate::transcript::divergence::Fault;
use crate::transcript::testing::{Delivery, Playing, Timetable, converse, parse};
use crate::transcript::{Diff, Playable, Variables};

fn given(values: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in values {
        variables.bind(name, value.as_bytes());
    }
    variables
}

/// What happens to a side whose peer says all of `said` immediately: what it sends, and the report.
fn play_with(
    own: Side,
    text: &str,
    values: &[(&str, &str)],
    said: &str,
    delivery: Delivery,
) -> (String, Vec<String>) {
    let playable = Playable::new(parse(text), own, given(values)).unwrap();
    let mut player = Playing::new(Follow::new(playable.clone()));
    let mut peer: Timetable = &[(0, said), (0, "<EOF>")];
    match own {
        Side::Client => converse(&mut player, &mut peer, delivery),
        Side::Server => converse(&mut peer, &mut player, delivery),
    };
    let sent: String = player.steps.iter().map(|(_, _, event)| event.word()).collect();
    let report = match player.result() {
        Ok(()) => Vec::new(),
        Err(divergence) => {
            let Diff { headline, lines, .. } = Diff::new(&playable, &divergence, "peer");
            std::iter::once(headline).chain(lines.iter().map(ToString::to_string)).collect()
        }
    };
    (sent, report)
}

fn check(text: &str, said: &str) -> (String, Vec<String>) {
    play_with(Side::Client, text, &[], said, Delivery::Prompt)
}

#[track_caller]
fn passes(text: &str, said: &str) {
    for delivery in [Delivery::Prompt, Delivery::Bytes(1), Delivery::Pieces(2)] {
        let (_, report) = play_with(Side::Client, text, &[], said, delivery);
        assert!(report.is_empty(), "{text:?} of {said:?}: {report:#?}");
    }
}

#[track_caller]
fn fails(text: &str, said: &str) {
    for delivery in [Delivery::Prompt, Delivery::Bytes(1), Delivery::Pieces(2)] {
        let (_, report) = play_with(Side::Client, text, &[], said, delivery);
        assert!(!report.is_empty(), "{text:?} of {said:?} passes");
    }
}

#[test]
fn what_a_hole_matches_is_sent_later() {
    let text = "C: put\nS\\ INSERTED \\{id=9}\nC\\ delete \\{id}\nS: DELETED\nS EOF\n";
    let (sent, report) = check(text, "INSERTED 1234\nDELETED\n");
    assert_eq!((sent.as_str(), report.len()), ("put\ndelete 1234\n", 0));
    // Played, the sides are swapped, and the sample is sent.
    let (sent, report) = play_with(Side::Server, text, &[], "put\ndelete 9\n", Delivery::Prompt);
    assert_eq!((sent.as_str(), report.len()), ("INSERTED 9\nDELETED\n<EOF>", 0));
    let (_, report) = play_with(Side::Server, text, &[], "put\ndelete 8\n", Delivery::Prompt);
    assert_eq!(report[0], "t.chat:3: client message differs (last sent: line 2)");
    assert_eq!(
        report[3..],
        [
            " C: put",
            r" S\ INSERTED \{id=9}",
            r"-C\ delete \{id}",
            "+C: delete 8",
            "note: id = 9",
            "2 matched, 1 failed, 2 not run"
        ]
    );
}

#[test]
fn a_hole_is_the_shortest_run_that_lets_the_rest_match() {
    passes("S\\ a\\{x}b\nS\\ \\{x}\nS EOF\n", "axbxb\nxbx\n");
    fails("S\\ a\\{x}b\nS\\ \\{x}\nS EOF\n", "axbxb\nx\n");
    passes("S\\ \\{x} \\{y} z\nS\\ \\{y}.\\{x}\nS EOF\n", "1 2 3 z\n2 3.1\n");
    // A prompt matches as soon as it has arrived.
    passes("S\\ \\{x}> \\\nC\\ \\{x}\nS EOF\n", "a> ");
    // At least a byte, and no CR or LF.
    for said in ["<>\n", "<\n>\n", "<a\rb>\n", "<a", "<a>", "<a> \n"] {
        fails("S\\ <\\{x}>\nS EOF\n", said);
    }
    // A text of several lines: the hole ends where the first of them does.
    passes("S\\ \\{x} a\\nb\\{y}c\nS EOF\n", "1 a a\nb2c\n");
    fails("S\\ \\{x} a\\nb\\{y}c\nS EOF\n", "1 a b\nb2c\n");
    passes("%eol crlf\nS\\ \\{x}\nS EOF\n", "a\r\n");
    fails("%eol crlf\nS\\ \\{x}\nS EOF\n", "a\n");
}

#[test]
fn a_name_that_is_bound_must_be_equal() {
    passes("S\\ \\{a} \\{b}\nS\\ \\{b}\\{=x}\\{a}\nS EOF\n".replace("\\{=x}", "-").as_str(), "1 2\n2-1\n");
    fails("S\\ \\{a}\nS\\ \\{a}\nS EOF\n", "1\n2\n");
    fails("S\\ \\{a}\nS\\ \\{a}\nS EOF\n", "1\n12\n");
    // A bound name is text, also for where the hole before it ends.
    passes("S\\ \\{b}\nS\\ \\{a} \\{b} z\nS\\ \\{a}\nS EOF\n", "y\nx x y z\nx x\n");
    let (_, report) = play_with(Side::Client, "S\\ \\{a}\nS EOF\n", &[("a", "1")], "2\n", Delivery::Prompt);
    assert_eq!(report[3..6], [r"-S\ \{a}", "+S: 2", "note: a = 1"]);
}

#[test]
fn a_named_group_binds() {
    let text = "S~ \\+OK (?<stamp><.*>)\nC\\ APOP \\{stamp}\nS~ (?<stamp>.*)\nS EOF\n";
    let (sent, report) = check(text, "+OK <1@b>\n<1@b>\n");
    assert_eq!((sent.as_str(), report.len()), ("APOP <1@b>\n", 0));
    fails(text, "+OK <1@b>\n<2@b>\n");
    // A group that takes no part is a mismatch.
    passes("S~ a(?<x>b)?\nS EOF\n", "ab\n");
    fails("S~ a(?<x>b)?\nS EOF\n", "a\n");
}

#[test]
fn a_hole_after_skipped_lines() {
    let text = "S ...\nS\\ \\{tag} OK\nC\\ \\{tag}\nS EOF\n";
    let (sent, report) = check(text, "one\nOK\n OK\ntwo\na1 OK\n");
    assert_eq!((sent.as_str(), report.len()), ("a1\n", 0));
}

#[test]
fn what_cannot_be_played_or_compared_is_an_error() {
    let error = |own, text: &str, values: &[(&str, &str)]| {
        Playable::new(parse(text), own, given(values)).map(|_| ()).map_err(|error| error.to_string())
    };
    for (text, message) in [
        ("S\\ \\{a}\\{b}", "t.chat:1: expected text between two holes, found none"),
        ("S\\ a\\{a}\\", "t.chat:1: expected text after the last hole, found the end of the item"),
        ("S\\ \\{a} \\{a}", r"t.chat:1: expected each name once in an item, found '\{a}' twice"),
        ("C\\ \\{}", r"t.chat:1: expected a sample for the client to send ('\{=sample}'), found '\{}'"),
        ("C\\ \\{a}\nS\\ \\{a}", "t.chat:1: expected a value for the client to send"),
    ] {
        let found = error(Side::Client, text, &[]).unwrap_err();
        assert!(found.starts_with(message), "{found}");
    }
    for text in ["C\\ \\{a=1}\nC\\ \\{a}", "C\\ \\{a=1}\\{a}\\{=2}\\", "S~ (?<a>.)\nC\\ \\{a}"] {
        assert_eq!(error(Side::Client, text, &[]), Ok(()));
    }
    assert_eq!(error(Side::Client, "C\\ \\{a}", &[("a", "1")]), Ok(()));
    assert!(error(Side::Server, "S\\ \\{a}", &[]).is_err());
    assert!(error(Side::Server, "C\\ \\{a}\nS\\ \\{a}", &[]).is_ok());
}

#[test]
fn a_hole_in_plain_text_is_text_and_the_report_says_so() {
    let (_, report) = check("S: id \\{id}\n", "id 1\n");
    let note = r"note: '\{id}' is text here; a hole needs 'S\' in place of 'S:'";
    assert!(report.iter().any(|line| line == note), "{report:#?}");
}

#[test]
fn a_hole_over_a_long_line_costs_linear_time() {
    let playable = |text: &str| Playable::new(parse(text), Side::Client, Variables::default()).unwrap();
    // The end of the line, a text in it, and one that nearly occurs everywhere.
    let almost = format!("S\\ \\{{x}}{}b\\{{y}}\nS EOF\n", "a".repeat(1000));
    for text in ["S\\ <\\{x}>\nS EOF\n", "S\\ <\\{x} \\{y}\\{=z}>\n".replace("\\{=z}", "q").as_str(), &almost]
    {
        let mut player = Follow::new(playable(text));
        let start = std::time::Instant::now();
        let piece = vec![b'a'; 1460];
        player.receive(Connection::FIRST, b"<", Duration::ZERO);
        for _ in 0..(16 << 20) / piece.len() - 1 {
            player.receive(Connection::FIRST, &piece, Duration::ZERO);
            assert!(matches!(player.advance(Duration::ZERO), Step::Wait(_)));
        }
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{text}: {took:?}");
    }
}

#[test]
fn thirty_thousand_lines_with_a_hole_each() {
    let lines = |each: fn(usize) -> String| (0..30_000).map(each).collect::<String>();
    let text = lines(|line| format!("C: put\nS\\ INSERTED \\{{id{line}=9}}\n")) + "S EOF\n";
    let said = lines(|line| format!("INSERTED {line}\n"));
    let start = std::time::Instant::now();
    let (_, report) = check(&text, &said);
    assert!(report.is_empty(), "{report:#?}");
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_mock_whose_client_is_gone_names_the_item_with_a_hole() {
    let playable =
        Playable::new(parse("C: a\nS\\ \\{x=1}\nS: b\n"), Side::Server, Variables::default()).unwrap();
    let mut player = Follow::new(playable);
    player.receive(Connection::FIRST, b"a\n", Duration::ZERO);
    assert_eq!(player.advance(Duration::ZERO), Step::Send(Connection::FIRST, b"1\nb\n".to_vec()));
    player.sent(Connection::FIRST, 1, Duration::ZERO);
    player.end(Connection::FIRST, End::Reset, Duration::ZERO);
    let Step::Done(Err(divergence)) = player.advance(Duration::ZERO) else { panic!("it goes on") };
    assert_eq!((divergence.index, divergence.fault), (1, Fault::Reset { received: Vec::new() }));
}
