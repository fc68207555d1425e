//! `S ...`, `S ... regex` and `C ...`.

use super::*;
use crate::transcript::divergence::Fault;
use crate::transcript::testing::{Delivery, Playing, Timetable, converse, parse};
use crate::transcript::{Playable, Variables};

/// What a side sends to a peer that says all of `said` immediately and ends, and what is wrong with that.
fn play(own: Side, text: &str, said: &str) -> (String, Option<(usize, Fault)>) {
    let mut results = Vec::new();
    for delivery in [Delivery::Prompt, Delivery::Bytes(1), Delivery::Pieces(2)] {
        let playable = Playable::new(parse(text), own, Variables::default()).unwrap();
        let line = |index: usize| playable.transcript().entries.get(index).map_or(0, |entry| entry.line);
        let mut player = Playing::new(Follow::new(playable.clone()));
        let mut peer: Timetable = &[(0, said), (0, "<EOF>")];
        match own {
            Side::Client => converse(&mut player, &mut peer, delivery),
            Side::Server => converse(&mut peer, &mut player, delivery),
        };
        let sent: String = player.steps.iter().map(|(_, _, event)| event.word()).collect();
        let fault = player.result().err().map(|divergence| (line(divergence.index), divergence.fault));
        results.push((sent, fault));
    }
    assert_eq!(results[0], results[1], "{text}");
    assert_eq!(results[0], results[2], "{text}");
    results.swap_remove(0)
}

fn differs(line: usize, received: &str) -> (usize, Fault) {
    (line, Fault::Differs { received: received.into() })
}

fn unexpected(line: usize, received: &str) -> (usize, Fault) {
    (line, Fault::Unexpected { received: received.into() })
}

#[test]
fn each_line_that_is_skipped_matches_the_expression() {
    let check = |text: &str, said: &str| play(Side::Client, text, said).1;
    let text = "S ... 250-.*\nS: 250 HELP\nS EOF\n";
    assert_eq!(check(text, "250 HELP\n"), None);
    assert_eq!(check(text, "250-a\n250-b\n250 HELP\n"), None);
    assert_eq!(check(text, "250-a\n500 b\n250 HELP\n"), Some(differs(2, "500 b\n")));
    assert_eq!(check(text, "250-a"), Some((2, Fault::ClosedEarly { received: b"250-a".to_vec() })));
    // Without an item after it: until the end, which ends a line.
    for text in ["S ... a+\nS EOF\n", "S ... a+\n"] {
        assert_eq!(check(text, ""), None);
        assert_eq!(check(text, "a\naa\n"), None);
        assert_eq!(check(text, "a\naa"), None);
        assert_eq!(
            check(text, "a\nab\na\n"),
            Some(unexpected(if text.contains("EOF") { 2 } else { 0 }, "ab\n"))
        );
        assert_eq!(check(text, "a\nab"), Some(unexpected(if text.contains("EOF") { 2 } else { 0 }, "ab")));
    }
    // A line ending is no part of the line, and has to be the file's.
    assert_eq!(check("%eol crlf\nS ... a\nS: b\nS EOF\n", "a\r\nb\r\n"), None);
    assert_eq!(check("%eol crlf\nS ... a\nS: b\nS EOF\n", "a\nb\r\n"), Some(differs(3, "a\n")));
    assert_eq!(check("S ... a\nS QUIET 100ms\nS EOF\n", "a\na\n"), None);
    assert_eq!(check("S ... a\nS QUIET 100ms\nS EOF\n", "a\nb\n"), Some(unexpected(2, "b\n")));
}

#[test]
fn what_a_server_skips_is_played_as_no_lines() {
    let (sent, fault) =
        play(Side::Server, "C: EHLO\nS ...\nS: 250 HELP\nS ... x\nC: QUIT\nS EOF\n", "EHLO\nQUIT\n");
    assert_eq!((sent.as_str(), fault), ("250 HELP\n<EOF>", None));
}

#[test]
fn a_mock_skips_lines_of_its_client() {
    let text = "C: DATA\nS: 354\nC ...\nC: .\nS: 250\nC: QUIT\nS EOF\n";
    let mock = |text: &str, said: &str| play(Side::Server, text, said);
    for body in ["", "a\n", "a\n..\n\nb\n"] {
        let (sent, fault) = mock(text, &format!("DATA\n{body}.\nQUIT\n"));
        assert_eq!((sent.as_str(), fault), ("354\n250\n<EOF>", None));
    }
    assert_eq!(mock(text, "DATA\na\n").1, Some((4, Fault::ClosedEarly { received: Vec::new() })));
    // What is between the skipped lines and the one after them waits for it.
    let (sent, fault) = mock("C ...\nS: ok\nC: end\nS EOF\n", "a\n");
    assert_eq!((sent.as_str(), fault.map(|fault| fault.0)), ("", Some(3)));
    assert_eq!(mock("C ...\nS: ok\nC: end\nS EOF\n", "a\nend\n"), ("ok\n<EOF>".to_owned(), None));
    // As the last client item: until the client's end.
    assert_eq!(mock("C: a\nC ...\nS: ok\nS EOF\n", "a\nb\nc"), ("ok\n<EOF>".to_owned(), None));
    assert_eq!(mock("C: a\nC ...\n", "a\nb\nc"), (String::new(), None));
    assert_eq!(mock("C ...\nC EOF\nS EOF\n", "a\nb\nc"), ("<EOF>".to_owned(), None));
    // Skipped lines may be many.
    let many = "x".repeat(99) + "\n";
    let (_, fault) = mock("C ...\nC: .\nS EOF\n", &(many.repeat(10_000) + ".\n"));
    assert_eq!(fault, None);
    let error = Playable::new(parse("C ..."), Side::Client, Variables::default()).unwrap_err().to_string();
    assert_eq!(error, "t.chat:1: expected text for the client to send ('C: text'), found 'C ...'");
}

#[test]
fn an_expression_over_a_long_line_costs_linear_time() {
    let playable = Playable::new(parse("S ... a*\nS: b\n"), Side::Client, Variables::default()).unwrap();
    let mut player = Follow::new(playable);
    let start = std::time::Instant::now();
    let piece = [b'a'; 1460];
    for _ in 0..(16 << 20) / piece.len() - 1 {
        player.receive(Connection::FIRST, &piece, Duration::ZERO);
        assert!(matches!(player.advance(Duration::ZERO), Step::Wait(_)));
    }
    player.receive(Connection::FIRST, b"\nb\n", Duration::ZERO);
    assert_eq!(player.advance(Duration::ZERO), Step::End(Connection::FIRST));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
