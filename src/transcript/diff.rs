//! What a person reads where the other side has left a transcript: a diff in its own notation, whose `+` lines
//! can be pasted back.

use std::fmt;

use serde::Serialize;

use super::divergence::{Divergence, Fault};
use super::format::{Item, LineEnding, Side, Transcript};
use super::playable::Playable;
use super::writer::{duration, literals, notation};
use crate::text::printable;

/// How many items before the one that is wrong are shown.
const CONTEXT: usize = 2;

/// How much of what was received is shown, in bytes.
const SHOWN: usize = 2000;

/// Where and how the other side left a transcript, for people to read.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Diff {
    /// `smtp.chat:11: server reply differs (last sent: line 9)`
    pub(crate) headline: String,
    /// Whether an update would change the item that is wrong.
    #[serde(skip)]
    pub(crate) can_be_updated: bool,
    /// What stands below it.
    pub(crate) lines: Vec<DiffLine>,
}

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DiffLine {
    /// Where the two sides are from.
    Label(String),
    /// An item that both have.
    Context(String),
    /// What the transcript has.
    Expected(String),
    /// What came.
    Received(String),
    /// What helps to understand it.
    Note(String),
}

impl fmt::Display for DiffLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(text) | Self::Note(text) => f.write_str(text),
            Self::Context(text) => write!(f, " {text}"),
            Self::Expected(text) => write!(f, "-{text}"),
            Self::Received(text) => write!(f, "+{text}"),
        }
    }
}

impl Diff {
    /// The diff of a playable's expectations and what it saw of `peer`.
    #[must_use]
    pub(crate) fn new(playable: &Playable, divergence: &Divergence, peer: &str) -> Self {
        let (transcript, own) = (playable.transcript(), playable.own());
        let Divergence { index, fault } = divergence;
        let entries = &transcript.entries;
        let entry = entries.get(*index);
        let path = printable(&transcript.path.display().to_string());
        let line = entry.map_or_else(|| transcript.end_line(), |entry| entry.line);
        let within =
            divergence.limit().map(|limit| format!("within {}; ", duration(limit))).unwrap_or_default();
        let sent = playable
            .last_sent(*index)
            .map_or_else(|| "nothing sent before".to_owned(), |line| format!("last sent: line {line}"));

        let eol = transcript.eol;
        let text = |item: &Item| notation(item, eol);
        let mut lines = vec![
            DiffLine::Label(format!("--- expected {path}")),
            DiffLine::Label(format!("+++ received {peer}")),
        ];
        let context = &entries[index.saturating_sub(CONTEXT)..*index];
        lines.extend(context.iter().map(|entry| DiffLine::Context(text(&entry.item))));
        let expected = entry.map(|entry| text(&entry.item));
        let is_surplus = matches!(fault, Fault::Unexpected { .. });
        if !is_surplus {
            lines.extend(expected.clone().map(DiffLine::Expected));
        }
        let received = fault.received();
        let shown = &received[..received.len().min(SHOWN)];
        lines.extend(literals(own.other(), shown, eol).into_iter().map(DiffLine::Received));
        match (fault, own) {
            (Fault::EofForReset | Fault::ClosedEarly { .. }, _) => {
                lines.push(DiffLine::Received(text(&Item::End(own.other()))));
            }
            (Fault::Reset { .. }, Side::Client) => lines.push(DiffLine::Received(text(&Item::Reset))),
            _ => {}
        }
        if is_surplus {
            lines.extend(expected.map(DiffLine::Context));
        }
        lines.extend(
            notes(transcript, divergence).into_iter().map(|note| DiffLine::Note(format!("note: {note}"))),
        );
        let not_run = entries.len().saturating_sub(index + 1);
        lines.push(DiffLine::Note(format!(
            "{index} item{} matched, {not_run} not run",
            if *index == 1 { "" } else { "s" }
        )));
        let is_literal = entry.is_none_or(|entry| !matches!(entry.item, Item::Pattern(..) | Item::Quiet(_)));
        Self {
            headline: format!("{path}:{line}: {} ({within}{sent})", headline(fault, own)),
            can_be_updated: is_literal
                && matches!(fault, Fault::Differs { .. } | Fault::EofForReset | Fault::Unexpected { .. }),
            lines,
        }
    }
}

fn headline(fault: &Fault, own: Side) -> &'static str {
    match (fault, own) {
        (Fault::Differs { .. } | Fault::EofForReset, Side::Client) => "server reply differs",
        (Fault::Differs { .. } | Fault::EofForReset, Side::Server) => "client message differs",
        // A mock waits for ever.
        (Fault::Missing { .. }, _) => "server reply missing",
        (Fault::Unexpected { .. }, Side::Client) => "unexpected output",
        (Fault::Unexpected { .. }, Side::Server) => "unexpected input",
        (Fault::ClosedEarly { .. }, Side::Client) => "server closed early",
        (Fault::ClosedEarly { .. }, Side::Server) => "client closed early",
        (Fault::NoEof { .. }, _) => "expected EOF",
        (Fault::Reset { .. }, _) => "connection reset",
    }
}

/// What the two lines do not show by themselves.
fn notes(transcript: &Transcript, divergence: &Divergence) -> Vec<String> {
    let Divergence { index, fault } = divergence;
    let received = fault.received();
    let differs = matches!(fault, Fault::Differs { .. } | Fault::EofForReset);
    let item = transcript.entries.get(*index).map(|entry| &entry.item);
    let mut notes = Vec::new();
    let is_cr_lf = received.ends_with(b"\r\n");
    match transcript.eol {
        LineEnding::Crlf if received.ends_with(b"\n") && !is_cr_lf => {
            notes.push("the received line ends in LF; %eol is crlf".to_owned());
        }
        LineEnding::Lf if is_cr_lf => notes.push("the received line ends in CR LF; %eol is lf".to_owned()),
        _ => {}
    }
    match item {
        None => notes.push("the transcript ends here".to_owned()),
        Some(Item::Pattern(..)) if differs => {
            notes.push("the expression must match the whole line, without its end".to_owned());
        }
        Some(Item::Literal(_, literal)) if received.len() > SHOWN && differs => {
            let same = literal.iter().zip(received).take_while(|(a, b)| a == b).count();
            notes.push(format!("they differ from byte {} of the line on", same + 1));
        }
        _ => {}
    }
    if received.len() > SHOWN {
        notes.push(format!("{} more bytes were received", received.len() - SHOWN));
    }
    if let Some(limit) = divergence.limit() {
        let limit = duration(limit);
        notes.push(match received.last() {
            None => format!("nothing came for {limit}"),
            Some(_) => format!("nothing more came for {limit}"),
        });
    }
    if matches!(fault, Fault::Reset { .. }) {
        notes.push("where this is right, write 'S RST'".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::{Delivery, Playing, Timetable, converse};
    use super::super::{Follow, read};
    use super::*;

    /// The diff of what `own` saw of a peer that says `said` immediately, and then nothing more or the end.
    fn diff(path: &str, text: &str, own: Side, said: &str, end: &str) -> Vec<String> {
        let transcript = read(Path::new(path), text.as_bytes()).unwrap();
        let playable = Playable::new(transcript, own).unwrap();
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
4 items matched, 3 not run";
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
                &["-S: A", "note: nothing came for 5s"],
            ),
            (
                "A",
                "",
                "t:2: server reply missing (within 5s; last sent: line 1)",
                &["-S: A", "+S\\ A\\", "note: nothing more came for 5s"],
            ),
            ("A", "<EOF>", "t:2: server closed early (last sent: line 1)", &["-S: A", "+S\\ A\\", "+S EOF"]),
            (
                "",
                "<RST>",
                "t:2: connection reset (last sent: line 1)",
                &["-S: A", "+S RST", "note: where this is right, write 'S RST'"],
            ),
            (
                "A\r\n",
                "",
                "t:2: server reply differs (last sent: line 1)",
                &["-S: A", "+S\\ A\\r", "note: the received line ends in CR LF; %eol is lf"],
            ),
        ] {
            let diff = diff("t", text, Side::Client, said, end);
            assert_eq!(diff[0], headline);
            assert_eq!(diff[1..4], label);
            assert_eq!(diff[4..diff.len() - 1], *rest);
            assert_eq!(diff.last().unwrap(), "1 item matched, 1 not run");
        }
    }

    #[test]
    fn shows_what_is_too_much_before_what_was_expected() {
        let shown = diff("t", "C: a\nS EOF\n", Side::Client, "more\nand more\n", "");
        assert_eq!(shown[0], "t:2: unexpected output (last sent: line 1)");
        assert_eq!(shown[3..], [" C: a", "+S: more", " S EOF", "1 item matched, 0 not run"]);
        let shown = diff("t", "# c\nC: a\n\n\n", Side::Client, "more", "");
        assert_eq!(shown[0], "t:3: unexpected output (last sent: line 2)");
        let end = "note: the transcript ends here";
        assert_eq!(shown[3..], [" C: a", "+S\\ more\\", end, "1 item matched, 0 not run"]);
        let shown = diff("t", "S EOF\n", Side::Client, "", "");
        assert_eq!(shown[0], "t:1: expected EOF (within 5s; nothing sent before)");
        assert_eq!(shown[3..], ["-S EOF", "note: nothing came for 5s", "0 items matched, 0 not run"]);
    }

    #[test]
    fn a_mock_says_the_same_of_its_client() {
        let shown = diff("t", "S: hi\nC: a\n", Side::Server, "b\n", "");
        assert_eq!(shown[0], "t:2: client message differs (last sent: line 1)");
        assert_eq!(shown[3..], [" S: hi", "-C: a", "+C: b", "1 item matched, 0 not run"]);
        let shown = diff("t", "S: hi\nC: a\n", Side::Server, "", "<EOF>");
        assert_eq!(shown[0], "t:2: client closed early (last sent: line 1)");
        assert_eq!(shown[3..], [" S: hi", "-C: a", "+C EOF", "1 item matched, 0 not run"]);
        let shown = diff("t", "C: a\n", Side::Server, "a\nb\n", "");
        assert_eq!(shown[0], "t:2: unexpected input (nothing sent before)");
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let said = "x".repeat(5000) + "\n";
        let text = format!("S: {}y\n", "x".repeat(2999));
        let shown = diff("t", &text, Side::Client, &said, "");
        let notes: Vec<&String> = shown.iter().filter(|line| line.starts_with("note: ")).collect();
        assert_eq!(
            notes,
            ["note: they differ from byte 3000 of the line on", "note: 3001 more bytes were received"]
        );
    }
}
