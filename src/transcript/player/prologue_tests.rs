//! Prologues.

use super::*;
use crate::transcript::divergence::Fault;
use crate::transcript::player::prologue::Handover;
use crate::transcript::testing::{Delivery, Playing, Timetable, converse, parse};
use crate::transcript::{Playable, Variables};

/// What a prologue sends, and its outcome, if the server says this.
fn play(text: &str, mut server: Timetable) -> (String, Result<Handover, Fault>) {
    let playable = Playable::new(parse(text), Side::Client, Variables::default()).unwrap();
    let mut player = Playing::new(Prologue::new(playable));
    converse(&mut player, &mut server, Delivery::Prompt);
    let sent = player.steps.iter().map(|(_, _, event)| event.word()).collect();
    (sent, player.result().map_err(|divergence| divergence.fault))
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with a result")]
fn handover(unread: &str, is_servers_turn: bool) -> Result<Handover, Fault> {
    Ok(Handover { unread: unread.into(), is_servers_turn })
}

#[test]
fn it_ends_with_its_last_item() {
    for (text, sent, expected) in [
        ("S: hi\nC: a\nS: b\n", "a\n", handover("", false)),
        ("S: hi\nC: a\n", "a\n", handover("", true)),
        ("S: hi\nC: a\nC WAIT 1s\n", "a\n", handover("b\n", true)),
        ("S: hi\n", "", handover("", false)),
        ("", "", handover("", false)),
    ] {
        let server: Timetable = &[(0, "hi\n"), (100, "b\n")];
        assert_eq!(play(text, server), (sent.to_owned(), expected), "{text}");
    }
}

#[test]
fn what_the_server_says_beyond_it_is_handed_over() {
    for (text, unread) in [
        ("S: hi\n", "b\nc"),
        ("S\\ h\\\n", "i\nb\nc"),
        ("S ...\nS: b\n", "c"),
        ("S\\ \\{}\n", "b\nc"),
        // Nothing ends the skip.
        ("S ...\n", ""),
        ("S: hi\nS ...\n", "b\nc"),
    ] {
        assert_eq!(play(text, &[(0, "hi\nb\nc")]).1, handover(unread, false), "{text}");
    }
}

#[test]
fn the_servers_end_is_handed_over_but_a_reset_is_not() {
    let text = "S: hi\nC WAIT 1s\n";
    assert_eq!(play(text, &[(0, "hi\nb"), (10, "<EOF>")]).1, handover("b", false));
    assert_eq!(play(text, &[(0, "hi\nb"), (10, "<RST>")]).1, Err(Fault::Reset { received: b"b".to_vec() }));
}

#[test]
fn a_mismatch_is_that_of_a_check() {
    let differs = Fault::Differs { received: b"ho\n".to_vec() };
    assert_eq!(play("S: hi\nC: a\n", &[(0, "ho\n")]), (String::new(), Err(differs)));
    let early = Fault::ClosedEarly { received: Vec::new() };
    assert_eq!(play("S: hi\nS: ho\n", &[(0, "hi\n"), (0, "<EOF>")]).1, Err(early));
    let missing = Fault::Missing { received: Vec::new(), limit: Duration::from_secs(5) };
    assert_eq!(play("S: hi\n", &[]).1, Err(missing));
}

#[test]
fn a_server_that_takes_no_more_fails_it() {
    let playable = Playable::new(parse("C: a\n"), Side::Client, Variables::default()).unwrap();
    let mut player = Prologue::new(playable);
    let now = Duration::ZERO;
    assert_eq!(player.advance(now), Step::Send(Connection::FIRST, b"a\n".to_vec()));
    player.receive(Connection::FIRST, b"421 bye\n", now);
    player.refused(Connection::FIRST, now);
    assert!(matches!(player.advance(now), Step::Wait(Some(_))));
    player.end(Connection::FIRST, End::Eof, now);
    let Step::Done(Err(divergence)) = player.advance(now) else { panic!("not over") };
    assert_eq!(divergence.fault, Fault::ClosedEarly { received: b"421 bye\n".to_vec() });
}

#[test]
fn it_reads_and_keeps_what_no_item_has_taken() {
    let playable = Playable::new(parse("S: hi\n"), Side::Client, Variables::default()).unwrap();
    let mut player = Prologue::new(playable);
    assert!(player.wants_bytes(Connection::FIRST));
    assert_eq!(player.kept(), 0);
    player.receive(Connection::FIRST, b"h", Duration::ZERO);
    assert_eq!(player.kept(), 1);
}
