//! What a report shows.

use std::path::Path;

use super::super::testing::{Delivery, Playing, Timetable, converse};
use super::super::{Follow, read};
use super::*;

/// The diff of what `own` saw of a peer that says `said` immediately, and then nothing more or the end.
fn diff(path: &str, text: &str, own: Side, said: &str, end: &str) -> Vec<String> {
    let transcript = read(Path::new(path), text.as_bytes()).unwrap();
    let playable = Playable::new(transcript, own, Variables::default()).unwrap();
    let mut player = Playing::new(Follow::new(playable.clone()));
    let mut peer: Timetable = &[(0, said), (0, end)];
    match own {
        Side::Client => converse(&mut player, &mut peer, Delivery::Prompt),
        Side::Server => converse(&mut peer, &mut player, Delivery::Prompt),
    };
    let Err(divergence) = player.result() else { return Vec::new() };
    let Diff { headline, lines, .. } = Diff::new(&playable, &divergence, "127.0.0.1:2525");
    let lines = lines.iter().map(ToString::to_string);
    std::iter::once(headline).chain(lines).collect()
}

#[test]
fn is_what_the_specification_shows() {
    let text = "%eol crlf\n\n# A mail for nobody\n\nS~ 220 .*\nC: MAIL FROM:<Smith@bar.com>\nS: 250 OK\n\n\
                C: RCPT TO:<Green@foo.com>\n# unknown\nS: 550 No such user here\nC: QUIT\nS~ 221 .*\nS EOF\n";
    let said = "220 foo.com ready\r\n250 OK\r\n250 OK\n";
    let expected = r"smtp.chat:11: server reply differs (last sent: line 9)
--- expected smtp.chat
+++ received 127.0.0.1:2525
 S: 250 OK
 C: RCPT TO:<Green@foo.com>
-S: 550 No such user here
+S\ 250 OK\n\
note: the received line ends in LF; %eol is crlf
4 matched, 1 failed, 3 not run";
    assert_eq!(diff("smtp.chat", text, Side::Client, said, "").join("\n"), expected);
}

#[test]
fn shows_each_headline() {
    let text = "C: a\nS: A\nS EOF\n";
    let label = ["--- expected t", "+++ received 127.0.0.1:2525", " C: a"];
    for (said, end, headline, rest) in [
        ("B\nC\n", "", "t:2: server reply differs (last sent: line 1)", &["-S: A", "+S: B"][..]),
        (
            "",
            "",
            "t:2: server reply missing (within 5s; last sent: line 1)",
            &["-S: A", "note: no data for 5s"],
        ),
        (
            "A",
            "",
            "t:2: server reply missing (within 5s; last sent: line 1)",
            &["-S: A", "+S\\ A\\", "note: incomplete after 5s"],
        ),
        ("A", "<EOF>", "t:2: server closed early (last sent: line 1)", &["-S: A", "+S\\ A\\", "+S EOF"]),
        (
            "",
            "<RST>",
            "t:2: connection reset (last sent: line 1)",
            &["-S: A", "+S RST", "note: if this is expected, use 'S RST'"],
        ),
        (
            "A\r\n",
            "",
            "t:2: server reply differs (last sent: line 1)",
            &["-S: A", "+S\\ A\\r", "note: the received line ends in CRLF; %eol is lf"],
        ),
    ] {
        let diff = diff("t", text, Side::Client, said, end);
        assert_eq!(diff[0], headline);
        assert_eq!(diff[1..4], label);
        assert_eq!(diff[4..diff.len() - 1], *rest);
        assert_eq!(diff.last().unwrap(), "1 matched, 1 failed, 1 not run");
    }
}

#[test]
fn shows_what_is_too_much_before_what_was_expected() {
    let shown = diff("t", "C: a\nS EOF\n", Side::Client, "more\nand more\n", "");
    assert_eq!(shown[0], "t:2: unexpected output (last sent: line 1)");
    assert_eq!(shown[3..], [" C: a", "+S: more", " S EOF", "1 matched, 1 failed, 0 not run"]);
    let shown = diff("t", "# c\nC: a\n\n\n", Side::Client, "more", "");
    assert_eq!(shown[0], "t:3: unexpected output (last sent: line 2)");
    let end = "note: end of transcript";
    assert_eq!(shown[3..], [" C: a", "+S\\ more\\", end, "1 matched, 1 failed, 0 not run"]);
    let shown = diff("t", "S EOF\n", Side::Client, "", "");
    assert_eq!(shown[0], "t:1: expected EOF (within 5s; nothing sent before)");
    assert_eq!(shown[3..], ["-S EOF", "note: no data for 5s", "0 matched, 1 failed, 0 not run"]);
}

#[test]
fn an_expression_is_explained() {
    let notes = |said| {
        let shown = diff("t", "S~ a+\n", Side::Client, said, "");
        shown.into_iter().filter(|line| line.starts_with("note: ")).collect::<Vec<_>>()
    };
    let in_full = "note: the expression must match the line in full, without its line ending";
    assert_eq!(notes("ab\n"), [in_full]);
    assert_eq!(
        notes("a"),
        ["note: the expression waits for the end of the line", "note: incomplete after 5s"]
    );
    assert_eq!(notes(""), ["note: no data for 5s"]);
}

#[test]
fn a_mock_says_the_same_of_its_client() {
    let shown = diff("t", "S: hi\nC: a\n", Side::Server, "b\n", "");
    assert_eq!(shown[0], "t:2: client message differs (last sent: line 1)");
    assert_eq!(shown[3..], [" S: hi", "-C: a", "+C: b", "1 matched, 1 failed, 0 not run"]);
    let shown = diff("t", "S: hi\nC: a\n", Side::Server, "", "<EOF>");
    assert_eq!(shown[0], "t:2: client closed early (last sent: line 1)");
    assert_eq!(shown[3..], [" S: hi", "-C: a", "+C EOF", "1 matched, 1 failed, 0 not run"]);
    let shown = diff("t", "S: hi\nC: a\n", Side::Server, "", "<RST>");
    assert_eq!(shown[0], "t:2: connection reset (last sent: line 1)");
    assert_eq!(shown[3..], [" S: hi", "-C: a", "1 matched, 1 failed, 0 not run"]);
    let shown = diff("t", "C: a\n", Side::Server, "a\nb\n", "");
    assert_eq!(shown[0], "t:2: unexpected input (nothing sent before)");
}

#[test]
fn a_long_line_is_shown_in_part() {
    let said = "x".repeat(5000) + "\n";
    let text = format!("S: {}y\n", "x".repeat(2999));
    let shown = diff("t", &text, Side::Client, &said, "");
    let notes: Vec<&String> = shown.iter().filter(|line| line.starts_with("note: ")).collect();
    assert_eq!(notes, ["note: the line differs from byte 3000 on", "note: 3001 more bytes received"]);
}

#[test]
fn shows_what_a_skip_took() {
    let shown = |text, said| diff("t", text, Side::Client, said, "<EOF>")[3..].to_vec();
    let text = "C: a\nS ...\nS: end\n";
    let rest = [" S ...", "-S: end", "+S EOF"];
    let closed = |said| shown(text, said)[1..].to_vec();
    let counts = "2 matched, 1 failed, 0 not run";
    assert_eq!(closed(""), [&rest[..], &["note: 'S ...' took no lines", counts]].concat());
    assert_eq!(closed("x\n"), [&rest[..], &["note: 'S ...' took 1 line:", "note: S: x", counts]].concat());
    let notes = [
        "note: 'S ...' took 5 lines, the last 3 of them:",
        "note: S: 3",
        "note: S\\ \\x1b",
        "note: S: 5",
        counts,
    ];
    assert_eq!(closed("1\n2\n3\n\x1b\n5\n"), [&rest[..], &notes].concat());
    let text = text.replace("...", "... [1-3]");
    let notes = ["note: 'S ... [1-3]' took 2 lines:", "note: S: 1", "note: S: 2", counts];
    assert_eq!(shown(&text, "1\n2\n4\n")[1..], [&[" S ... [1-3]", "-S: end", "+S: 4"][..], &notes].concat());
    // Once an item has matched, it does not matter any more.
    assert!(!shown("S ...\nS: 1\nS: 2\n", "0\n1\nx\n").iter().any(|line| line.contains("took")));
}

#[test]
fn a_mock_shows_the_items_in_the_order_of_the_file() {
    let text = "C: DATA\nS: 354\nC ...\nS: 250\nC: .\nS: end\n";
    let shown = diff("t", text, Side::Server, "DATA\na\n", "<EOF>");
    assert_eq!(shown[0], "t:5: client closed early (last sent: line 2)");
    let notes = ["note: 'C ...' took 1 line:", "note: C: a", "3 matched, 1 failed, 2 not run"];
    assert_eq!(shown[3..], [&[" C ...", " S: 250", "-C: .", "+C EOF"][..], &notes].concat());
    let shown = diff("t", "C ...\nS: ok\n", Side::Server, "a\n", "<RST>");
    assert_eq!(shown[0], "t:1: connection reset (nothing sent before)");
    let notes = ["note: 'C ...' took 1 line:", "note: C: a", "0 matched, 1 failed, 1 not run"];
    assert_eq!(shown[3..], [&["-C ..."][..], &notes].concat());
}
