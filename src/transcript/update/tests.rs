//! Updates against servers that do not say what the transcript says.

use std::time::Duration;

use super::super::divergence::Fault;
use super::super::format::Connection;
use super::super::testing::{Delivery, Event, Party, Playing, converse, parse};
use super::super::{Learn, Playable, Secret};
use super::*;

/// Triggers and replies: once the client has sent the first (`<EOF>`: has ended), the server says the second,
/// which may end with `<EOF>` or `<RST>`.
type Replies<'s> = &'s [(&'s str, &'s str)];

const LATER: Duration = Duration::from_millis(10);

struct Server<'s> {
    replies: Replies<'s>,
    /// How long it waits before each piece of what it says.
    later: Duration,
    heard: String,
    pieces: Vec<(Duration, &'s str)>,
}

impl Party for Server<'_> {
    fn hear(&mut self, _connection: Connection, event: Event, _now: Duration) {
        self.heard += &event.word();
    }

    fn speak(&mut self, now: Duration) -> Vec<(Connection, Event)> {
        while let [(trigger, reply), rest @ ..] = self.replies
            && let Some((_, left)) = self.heard.split_once(trigger)
        {
            (self.heard, self.replies) = (left.to_owned(), rest);
            let (first, second) = reply.split_at(reply.find('<').unwrap_or(reply.len() / 2));
            let last = self.pieces.last().map_or(now, |(at, _)| *at);
            self.pieces.extend([(last + self.later, first), (last + 2 * self.later, second)]);
        }
        let due = self.pieces.iter().take_while(|(at, _)| *at <= now).count();
        self.pieces.drain(..due).map(|(_, piece)| (Connection::FIRST, Event::from_word(piece))).collect()
    }

    fn wake(&self) -> Option<Duration> {
        self.pieces.first().map(|(at, _)| *at)
    }

    fn is_done(&self) -> bool {
        true
    }
}

/// Updates a transcript from a server: the new text, or a word that says what happened.
fn update(text: &str, replies: Replies) -> String {
    update_from(text, replies, LATER)
}

fn update_from(text: &str, replies: Replies, later: Duration) -> String {
    update_with(&Variables::default(), text, replies, later)
}

fn update_with(given: &Variables, text: &str, replies: Replies, later: Duration) -> String {
    let playable = Playable::to_update(parse(text), given.clone()).unwrap();
    let mut player = Playing::new(Learn::new(playable.clone()));
    let mut server = Server { replies, later, heard: String::new(), pieces: Vec::new() };
    converse(&mut player, &mut server, Delivery::Prompt);
    let turns = match player.result() {
        Ok(turns) => turns,
        Err(divergence) => {
            let name = match divergence.fault {
                Fault::Missing { .. } => "Missing",
                Fault::ClosedEarly { .. } => "ClosedEarly",
                Fault::Reset { .. } => "Reset",
                fault => panic!("{fault:?}"),
            };
            return name.to_owned();
        }
    };
    match rewrite(playable.transcript(), &turns) {
        Ok(None) => "unchanged".to_owned(),
        Ok(Some(new)) => {
            assert_ne!(new.text, text);
            new.text
        }
        Err(conflict) => conflict.to_string(),
    }
}

#[test]
fn where_the_end_is_awaited_no_silence_ends_the_last_turn() {
    let server: Replies = &[("<EOF>", "one\ntwo\n<EOF>")];
    for text in ["C: hi\nC EOF\nS EOF\n", "C: hi\nC EOF\nS: two\nS EOF\n"] {
        let updated = update_from(text, server, Duration::from_millis(300));
        assert_eq!(updated, "C: hi\nC EOF\nS: one\nS: two\nS EOF\n");
    }
}

#[test]
fn what_is_the_same_is_left() {
    for text in [
        "S: hi\nC: a\n# why\nS: A\nC: quit\nS: bye\nS EOF\n",
        "S: hi\nC: a\nS: A\nC: quit\nS: bye\n",
        "S\\ h\\\nS: i\nC: a\nS~ [A]\nC: quit\nS ...\nS EOF",
        "S ...\nC: a\nS: A\nC: quit\nC EOF\nS: bye\nS EOF\n",
        "S ...\nC: a\nC WAIT 50ms\nS: A\nC WAIT 300ms\nC: quit\nS WAIT 1s\nS: bye\nS EOF\n",
        "S: hi\nS QUIET 50ms\nC: a\nC WAIT 1s\nS: A\nC: quit\nS: bye\nC WAIT 1s\nC EOF\nS EOF\n",
        "S: hi\nC: a\nC: quit\nS: A\nC WAIT 200ms\nS: bye\nS EOF\n",
    ] {
        let server = [("", "hi\n"), ("a\n", "A\n"), ("quit\n", "bye\n<EOF>")];
        assert_eq!(update(text, &server), "unchanged", "{text}");
    }
}

#[test]
fn replies_that_are_changed_added_or_removed_are_rewritten_and_comments_stay() {
    let text = "S: hi\nC: a\n# before\nS: one\n\n# between\nS: two\n# behind\nC: b\nS: B\n";
    for (reply, expected) in [
        ("one\ntwo\n", text.to_owned()),
        ("one\n2\n", text.replace("S: two", "S: 2")),
        ("1\ntwo\n", text.replace("S: one", "S: 1")),
        ("1\n2\n", text.replace("S: one", "S: 1").replace("S: two", "S: 2")),
        ("one\ntwo\nthree\n", text.replace("S: two\n", "S: two\nS: three\n")),
        ("zero\none\ntwo\n", text.replace("# before\n", "S: zero\n# before\n")),
        ("one\nhalf\ntwo\n", text.replace("S: one\n", "S: one\nS: half\n")),
        ("one\n", text.replace("S: two\n", "")),
        ("two\n", text.replace("S: one\n", "")),
        ("one\ntwo", text.replace("S: two", "S\\ two\\")),
        ("one\r\ntwo\n", text.replace("S: one", "S\\ one\\r")),
    ] {
        let server = [("", "hi\n"), ("a\n", reply), ("b\n", "B\n")];
        let expected = if expected == text { "unchanged".to_owned() } else { expected };
        assert_eq!(update(text, &server), expected, "{reply:?}");
    }
}

#[test]
fn a_reply_is_inserted_where_there_is_none() {
    let server = [("", "hi\n"), ("a\n", "A\n"), ("b\n", "B\n<EOF>")];
    for (text, expected) in [
        ("C: a\nC EOF\n", "S: hi\nC: a\nC EOF\nS: A\n"),
        ("# top\n\n  C: a\n  C: b\n", "# top\n\nS: hi\n  C: a\n  C: b\n  S: A\n  S: B\n  S EOF\n"),
        ("S: hi\nC: a\nS: A\nC: b\n", "S: hi\nC: a\nS: A\nC: b\nS: B\nS EOF\n"),
        ("S: hi\nC: a\n# c\nC: b\nS: B", "S: hi\nC: a\n# c\nC: b\nS: A\nS: B\nS EOF\n"),
        ("# nothing\n", "# nothing\nS: hi\n"),
        ("%eol lf\n", "%eol lf\nS: hi\n"),
    ] {
        assert_eq!(update(text, &server), expected, "{text}");
    }
}

#[test]
fn what_is_inserted_can_be_checked() {
    // Only the end of the transcript ends the client's side, so the server's EOF is not news.
    let server = [("a\n", "A\n"), ("<EOF>", "<EOF>")];
    assert_eq!(update("C: a\nS: B\n", &server), "C: a\nS: A\n");
    assert_eq!(update("C: a\nS: A\n", &server), "unchanged");
    assert_eq!(update("C: a\nS: B\nC EOF\n", &server), "C: a\nS: A\nC EOF\n");
}

#[test]
fn patterns_stay_where_they_match_and_are_conflicts_where_not() {
    let text = "S~ 2\\d+ .*\nC: a\nS: one\nS ...\nS: end\nC: b\nS: B\n";
    let with = |greeting, reply, last| update(text, &[("", greeting), ("a\n", reply), ("b\n", last)]);
    assert_eq!(with("220 x\n", "one\nx\ny\nend\n", "B\n"), "unchanged");
    assert_eq!(with("220 x\n", "one\nend\n", "C\n"), text.replace("S: B", "S: C"));
    assert_eq!(with("220 x\n", "1\nx\nend\n", "B\n"), text.replace("S: one", "S: 1"));
    assert_eq!(with("220 x\nmore\n", "one\nend\n", "B\n"), text.replace("C: a", "S: more\nC: a"));
    let conflict =
        |line, item| format!("t.chat:{line}: '{item}' no longer matches; edit it by hand (file unchanged)");
    assert_eq!(with("xxx\n", "one\nend\n", "B\n"), conflict(1, "S~ 2\\d+ .*"));
    assert_eq!(with("220 x\n", "one\nx\n", "B\n"), conflict(4, "S ..."));
    let quiet = "C: a\nS QUIET 50ms\nC: b\n";
    assert_eq!(update(quiet, &[("a\n", "A\n")]), conflict(2, "S QUIET 50ms"));
}

#[test]
fn what_is_passed_over_is_compared_with_the_next_turn_too() {
    let server = |greeting, reply| [("", greeting), ("a\n", reply)];
    let text = "S ...\nC: a\nS~ .*\n";
    assert_eq!(update(text, &server("hi\n", "A\n")), "S ...\nC: a\nS~ .*\nS: A\n");
    let text = "S ...\nC: a\nS: A\n";
    assert_eq!(update(text, &server("hi\n", "A\n")), "unchanged");
    let conflict = "t.chat:3: 'S: A' no longer matches; edit it by hand (file unchanged)";
    assert_eq!(update(text, &server("hi\n> ", "A\n")), conflict);
    let text = "S ...\nS\\ > \\\nC: a\nS: A\n";
    assert_eq!(update(text, &server("hi\n> ", "A\n")), "unchanged");
}

#[test]
fn endings_are_rewritten() {
    let text = "C: a\nS: A\nS EOF\n";
    assert_eq!(update(text, &[("a\n", "A\n<RST>")]), "C: a\nS: A\nS RST\n");
    assert_eq!(update("C: a\nS: A\nS RST\n", &[("a\n", "A\n<EOF>")]), text);
    assert_eq!(update(text, &[("a\n", "A\n")]), "C: a\nS: A\n");
    assert_eq!(update(text, &[("a\n", "B\n<EOF>")]), "C: a\nS: B\nS EOF\n");
    assert_eq!(update(text, &[("a\n", "A\nmore\n<EOF>")]), "C: a\nS: A\nS: more\nS EOF\n");
    assert_eq!(update("C: a\nS: A\n", &[("a\n", "A\n<RST>")]), "C: a\nS: A\nS RST\n");
    assert_eq!(update("C: a\nS: B\n", &[("a\n", "A\n<RST>")]), "C: a\nS: A\nS RST\n");
    assert_eq!(update("C: a\n", &[("a\n", "<RST>")]), "C: a\nS RST\n");
}

#[test]
fn an_ending_goes_after_the_pauses_and_the_client_s_end() {
    let reset = "C: a\nS: A\nC EOF\nS RST\n";
    for (old, server, new) in [
        ("S WAIT 10ms\n", &[("", "<RST>")][..], "S WAIT 10ms\nS RST\n"),
        ("S: ho\nS WAIT 1s\n", &[("", "hi\n<EOF>")], "S: hi\nS WAIT 1s\nS EOF\n"),
        ("C: a\nS: A\nC WAIT 1s\n", &[("a\n", "A\n<RST>")], "C: a\nS: A\nC WAIT 1s\nS RST\n"),
        ("C: a\nS: A\nS EOF\nC EOF\n", &[("a\n", "A\n<RST>")], reset),
        ("C: a\nS: A\nC EOF\nS EOF\n", &[("a\n", "A\n"), ("<EOF>", "<RST>")], reset),
        ("C: a\nS: B\nS EOF\nC WAIT 1s\n", &[("a\n", "A\n<RST>")], "C: a\nS: A\nC WAIT 1s\nS RST\n"),
        ("C: a\nS: B\nS EOF\nC EOF\n", &[("a\n", "A\n<EOF>")], "C: a\nS: A\nS EOF\nC EOF\n"),
    ] {
        assert_eq!(update(old, server), new, "{old}");
        assert_eq!(update(new, server), "unchanged", "{old}");
    }
}

#[test]
fn what_could_not_be_read_back_is_a_conflict() {
    let transcript = parse("S EOF\nC: a\n");
    let turn = Turn { items: (2, 2), matched: false, received: b"x\n".to_vec(), ..Turn::default() };
    let error = rewrite(&transcript, &[turn]).unwrap_err().to_string();
    assert!(error.starts_with("t.chat:3: ") && error.ends_with("(file unchanged)"), "{error}");
}

#[test]
fn nothing_is_truncated() {
    let text = "C: a\nS: A\nC: b\nS: B\nS EOF\n";
    assert_eq!(update(text, &[("a\n", "X\n<EOF>")]), "ClosedEarly");
    assert_eq!(update(text, &[("a\n", "A\n<EOF>")]), "ClosedEarly");
    assert_eq!(update(text, &[("a\n", "A\n<RST>")]), "Reset");
    assert_eq!(update(text, &[("a\n", "<EOF>")]), "ClosedEarly");
    assert_eq!(update(text, &[]), "Missing");
    assert_eq!(update(text, &[("a\n", "A\n")]), "Missing");
    // Everything was sent but the client's EOF.
    let text = "C: a\nS: A\nC EOF\nS EOF\n";
    assert_eq!(update(text, &[("a\n", "X\n<EOF>")]), "C: a\nS: X\nC EOF\nS EOF\n");
}

#[test]
fn pauses_are_no_turns() {
    let text = "C: a\nS: A\nC WAIT 300ms\nS: B\nC: c\nS: C\n";
    assert_eq!(update(text, &[("a\n", "A\nX\n"), ("c\n", "C\n")]), text.replace("S: B", "S: X"));
    assert_eq!(update(text, &[("a\n", "X\nB\n"), ("c\n", "C\n")]), text.replace("S: A", "S: X"));
    assert_eq!(update(text, &[("a\n", "A\nB\n"), ("c\n", "X\n")]), text.replace("S: C", "S: X"));
}

#[test]
fn indentation_and_ends_of_lines_stay() {
    let server = [("a\n", "A\nB\n")];
    assert_eq!(update("\u{feff}  C: a\r\n\tS: X\r\n", &server), "\u{feff}  C: a\r\n\tS: A\r\n\tS: B\r\n");
    assert_eq!(update("C: a\nS: X", &server), "C: a\nS: A\nS: B\n");
    assert_eq!(update("C: a\r\n", &server), "C: a\r\nS: A\r\nS: B\r\n");
    assert_eq!(update("%eol crlf\n C: a\n S: A\n", &[("a\r\n", "B\r\n")]), "%eol crlf\n C: a\n S: B\n");
    assert_eq!(update("C: a\nS\\ \\x41\nS: X\n", &server), "C: a\nS\\ \\x41\nS: B\n");
}

#[test]
fn a_hole_that_still_matches_stays_and_its_value_is_sent() {
    let server: Replies =
        &[("put\n", "hello\nINSERTED 12\nbye\n"), ("delete 12\n", "DELETED\n"), ("<EOF>", "<EOF>")];
    let old = "C: put\nS: hi\nS\\ INSERTED \\{id=9}\nC\\ delete \\{id}\nS: x\nC EOF\nS EOF\n";
    let new =
        "C: put\nS: hello\nS\\ INSERTED \\{id=9}\nS: bye\nC\\ delete \\{id}\nS: DELETED\nC EOF\nS EOF\n";
    assert_eq!(update(old, server), new);
    assert_eq!(update(new, server), "unchanged");
    // One that does not is a conflict, although its value is to be sent.
    let old = old.replace("INSERTED", "OK");
    let conflict = update(&old, server);
    assert!(conflict.starts_with(r"t.chat:3: 'S\ OK \{id=9}' no longer matches"), "{conflict}");
    // A group binds as a hole does.
    let old = new.replace("S\\ INSERTED \\{id=9}", "S~ INSERTED (?<id>\\d+)").replace("hello", "hi");
    assert_eq!(update(&old, server), old.replace("hi", "hello"));
    let conflict = update(&new.replace("DELETED", "\\{id}").replace("S: \\", "S\\ \\"), server);
    assert!(conflict.starts_with(r"t.chat:6: 'S\ \{id}' no longer matches"), "{conflict}");
}

#[test]
fn skipped_lines_that_still_match_stay() {
    let server: Replies = &[("a\n", "1-x\n1-y\n1 z\n"), ("<EOF>", "2-x\n<EOF>")];
    let old = "C: a\nS: 1-q\nS ... 1-.*\nS: 1 z\nC EOF\nS ... 2-.*\nS EOF\n";
    assert_eq!(update(&old.replace("S: 1-q\n", ""), server), "unchanged");
    assert_eq!(update(old, server), old.replace("1-q", "1-x"));
    for (old, line) in [(old.replace("S ... 1", "S ... 3"), 3), (old.replace("S ... 2", "S ... 3"), 6)] {
        let conflict = update(&old, server);
        assert!(
            conflict.starts_with(&format!("t.chat:{line}: 'S ... 3-.*' no longer matches")),
            "{conflict}"
        );
    }
}

#[test]
fn a_turn_ends_after_as_much_silence_as_the_transcript_says() {
    let server: Replies = &[("a\n", "1\n2\n"), ("<EOF>", "<EOF>")];
    let later = Duration::from_millis(400);
    let old = "C: a\nS: 1\nC EOF\nS EOF\n";
    let new = "C: a\nS: 1\nS: 2\nC EOF\nS EOF\n";
    assert_eq!(update_from(&format!("%gap 500ms\n{old}"), server, later), format!("%gap 500ms\n{new}"));
}

#[test]
fn no_secret_is_written() {
    let secret = Secret::new("pw", b"hunter2").unwrap();
    let given = Variables::with_secrets(&Secrets::from_iter([secret]));
    let by_hand = "; edit it by hand (file unchanged)";
    let new = format!(r"the new reply contains the secret '\{{pw}}'{by_hand}");
    for (text, reply, expected) in [
        ("C: a\nS: old\n", "my hunter2\n", format!("t.chat:2: {new}")),
        ("C: a\nS: old\n", "old\nand\nhunter2", format!("t.chat:2: {new}")),
        ("# c\nC: a\n", "hunter2\n", format!("t.chat:2: {new}")),
        ("C: a\nS\\ my \\{pw}\nS: b\n", "my hunter2\nB\n", "C: a\nS\\ my \\{pw}\nS: B\n".to_owned()),
        // Somebody has written it already.
        ("C: a\nS: x\nS: hunter2\nS: y\n", "1\nhunter2\n2\n", "C: a\nS: 1\nS: hunter2\nS: 2\n".to_owned()),
        (
            "C: a\nS\\ my \\{pw}\n",
            "your hunter2\n",
            format!(r"t.chat:2: 'S\ my \{{pw}}' no longer matches{by_hand}"),
        ),
        ("C: a\nS~ hunter2.\n", "hunter2\n", format!(r"t.chat:2: 'S~ \{{pw}}.' no longer matches{by_hand}")),
    ] {
        assert_eq!(update_with(&given, text, &[("a\n", reply)], LATER), expected, "{text}");
    }
}
