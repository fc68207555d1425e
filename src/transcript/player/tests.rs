//! The player against scripts of what the other side says, on a clock of their own.

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
    assert_eq!((played.sent()[0], played.verdict.clone()), ((10, "a\n"), Verdict::Followed), "{played:?}");
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
        for script in [&[(0, &said[..])][..], &[(0, &said[..said.len() / 2]), (10, &said[said.len() / 2..])]]
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
