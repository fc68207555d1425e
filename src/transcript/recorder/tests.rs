use super::*;
use crate::transcript::Secret;

#[test]
fn joins_and_cuts_what_was_said_and_writes_the_ending() {
    let mut recorder = Recorder::default();
    let text = [
        recorder.say(Side::Server, b"login: "),
        recorder.say(Side::Client, b"an"),
        recorder.say(Side::Client, b"na\r\nquit\r\nre"),
        recorder.say(Side::Server, b"hello\n"),
        recorder.end(Side::Client),
        recorder.say(Side::Client, b"no more"),
        recorder.end(Side::Server),
        recorder.say(Side::Server, b"no more"),
        recorder.reset(),
        recorder.finish(),
    ];
    let expected = "%eol crlf\nS\\ login: \\\nC: anna\nC: quit\nC\\ re\\\nS\\ hello\\n\\\nC EOF\nS EOF\n";
    assert_eq!(text.concat(), expected);
    assert!(text[2].starts_with("%eol crlf"), "what is certain is written at once");
}

#[test]
fn a_client_that_goes_on_after_the_server_s_end_is_recorded() {
    let mut recorder = Recorder::default();
    let text = [
        recorder.end(Side::Server),
        recorder.say(Side::Client, b"one\r\ntw"),
        recorder.say(Side::Server, b"no more"),
        recorder.say(Side::Client, b"o"),
        recorder.end(Side::Client),
        recorder.say(Side::Client, b"no more"),
        recorder.finish(),
    ];
    assert_eq!(text.concat(), "%eol crlf\nS EOF\nC: one\nC\\ two\\\nC EOF\n");
    // An end alone is not worth an item.
    let mut recorder = Recorder::default();
    assert_eq!(recorder.end(Side::Server) + &recorder.end(Side::Client), "S EOF\n");
    // A server that has ended cannot reset as well.
    let mut recorder = Recorder::default();
    let text = recorder.end(Side::Server) + &recorder.say(Side::Client, b"one\n") + &recorder.reset();
    assert_eq!(text, "S EOF\nC: one\n");
}

#[test]
fn keeps_what_was_said_before_an_interruption() {
    let mut recorder = Recorder::default();
    assert_eq!(recorder.say(Side::Client, b"half"), "");
    assert_eq!(recorder.finish(), "C\\ half\\\n");
}

#[test]
fn does_not_wait_forever_for_a_line() {
    let mut recorder = Recorder::default();
    let prompt = vec![b'a'; 30_000];
    let mut written = 0;
    for round in 0..100 {
        written += recorder.say(Side::Client, &prompt).len() + recorder.say(Side::Server, &prompt).len();
        let said = (round + 1) * 2 * prompt.len();
        assert!(said < written + 2 * LONGEST_PIECE, "{said} bytes said, {written} written");
    }
    assert_eq!(recorder.say(Side::Client, b"\r\n"), format!("S\\ {}\\\nC\\ \\r\n", "a".repeat(30_000)));
}

fn hiding(values: &[(&str, &str)]) -> Recorder {
    let secret = |(name, value): &(&str, &str)| Secret::new(name, value.as_bytes()).unwrap();
    Recorder::default().masking(values.iter().map(secret).collect())
}

#[test]
fn writes_holes_in_place_of_secrets() {
    let mut recorder = hiding(&[("pw", "hunter2"), ("user", "anna")]);
    let text = [
        recorder.say(Side::Server, b"login: "),
        recorder.say(Side::Client, b"an"),
        recorder.say(Side::Client, b"na\nhunt"),
        recorder.say(Side::Client, b"er"),
        recorder.say(Side::Client, b"2\nto be hu"),
        recorder.say(Side::Server, b"h"),
        recorder.say(Side::Server, b"unter2anna, hi"),
        recorder.end(Side::Client),
        recorder.say(Side::Server, b"hunte"),
        recorder.finish(),
    ];
    assert_eq!(
        text.concat(),
        "S\\ login: \\\nC\\ \\{user}\nC\\ \\{pw}\nC\\ to be hu\\\nS\\ \\{pw}\\{user}, hi\\\nC EOF\nS\\ hunte\\\n"
    );
}

#[test]
fn a_secret_in_a_long_line_is_not_cut() {
    for before in LONGEST_PIECE - 8..=LONGEST_PIECE + 1 {
        for pieces in [7, 40_000] {
            let line = ["x".repeat(before), "hunter2".to_owned(), "y".repeat(10), "\n".to_owned()].concat();
            let mut recorder = hiding(&[("pw", "hunter2")]);
            let mut text: String =
                line.as_bytes().chunks(pieces).map(|piece| recorder.say(Side::Client, piece)).collect();
            text += &recorder.finish();
            assert_eq!(text.matches(r"\{pw}").count(), 1);
            assert!(!text.contains("hunter2"), "{before} {pieces}");
        }
    }
}

#[test]
fn ends_at_tls_however_it_arrives_and_only_there() {
    let start = "S: 220 ready\nC: STARTTLS\nS: 220 go ahead\n";
    let hello = b"\x16\x03\x01\x02\x0a\x01\x00\x01\n";
    let record = |turn: &[u8], cut: usize, is_ended_at_tls: bool| {
        let mut recorder = Recorder::default();
        if is_ended_at_tls {
            recorder.end_at_tls();
        }
        let (first, second) = turn.split_at(cut);
        [
            recorder.say(Side::Server, b"220 ready\n"),
            recorder.say(Side::Client, b"STARTTLS\n"),
            recorder.say(Side::Server, b"220 go ahead\n"),
            recorder.say(Side::Client, first),
            recorder.say(Side::Client, second),
            recorder.say(Side::Server, b"\x16\x03\x03\n"),
            recorder.end(Side::Client),
        ]
        .concat()
    };
    for cut in 0..hello.len() {
        assert_eq!(record(hello, cut, true), format!("{start}{TLS_COMMENT}"), "{cut}");
        assert!(record(hello, cut, false).ends_with("C EOF\n"));
        // Not at the start of a turn.
        assert!(record(&[b"x\n", &hello[..]].concat(), cut, true).contains("C: x\nC\\ \\x16"), "{cut}");
    }
    for cut in 0..6 {
        // Too little.
        let expected = record(&hello[..5], 5, false);
        assert_eq!(record(&hello[..5], cut.min(5), true), expected, "{cut}");
    }
    let mut recorder = Recorder::default();
    recorder.end_at_tls();
    assert_eq!(recorder.say(Side::Client, hello), TLS_COMMENT);
    let mut recorder = Recorder::default();
    recorder.end_at_tls();
    assert_eq!(recorder.say(Side::Client, b"\x16") + &recorder.reset(), "C\\ \\x16\\\nS RST\n");
}

#[test]
fn knows_a_reset() {
    let mut recorder = Recorder::default();
    assert_eq!(recorder.say(Side::Client, b"x\n") + &recorder.reset(), "C: x\nS RST\n");
    assert_eq!(Recorder::default().reset(), "S RST\n");
}
