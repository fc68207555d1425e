//! The report of a mismatch: a diff in the transcript's own notation, whose `+` lines can be pasted back.

use std::fmt;

use serde::Serialize;

use super::divergence::{Divergence, Fault};
use super::format::{Entry, Item, LineEnding, Side};
use super::playable::Playable;
use super::player::MOST_KEPT;
use super::variables::{Variables, is_name};
use super::writer::{duration, escaped, literals, notation};
use crate::text::printable;

/// How many items are shown before the one that failed.
const CONTEXT: usize = 2;

/// How many of the received bytes are shown.
const SHOWN: usize = 2000;

/// How many variables are shown.
const MOST_VALUES: usize = 20;

/// A divergence for people to read.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Diff {
    /// `smtp.chat:11: server reply differs (last sent: line 9)`
    pub(crate) headline: String,
    /// Whether an update would rewrite the item that failed.
    #[serde(skip)]
    pub(crate) can_be_updated: bool,
    pub(crate) lines: Vec<DiffLine>,
}

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DiffLine {
    /// Where the expected or the received lines are from.
    Label(String),
    Context(String),
    Expected(String),
    Received(String),
    /// Also the last line, which counts the items.
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
    /// The diff of what `playable` expected and what `peer` sent.
    pub(crate) fn new(playable: &Playable, divergence: &Divergence, peer: &str) -> Self {
        let (transcript, own) = (playable.transcript(), playable.own());
        let Divergence { index, fault, .. } = divergence;
        let entries = &transcript.entries;
        let entry = entries.get(*index);
        let path = printable(&transcript.path.display().to_string());
        let line = entry.map_or_else(|| transcript.end_line(), |entry| entry.line);
        let within = match fault {
            Fault::Missing { limit, .. } | Fault::NoEof { limit, .. } => {
                format!("within {}; ", duration(*limit))
            }
            Fault::Differs { .. }
            | Fault::EofForReset
            | Fault::NotSilent { .. }
            | Fault::TooLong
            | Fault::Unexpected { .. }
            | Fault::ClosedEarly { .. }
            | Fault::Reset { .. } => String::new(),
        };
        let sent = match playable.last_sent(*index) {
            Some(line) => format!("last sent: line {line}"),
            None => "nothing sent before".to_owned(),
        };
        let not_run = entries.len().saturating_sub(index + 1);
        let mut lines = vec![
            DiffLine::Label(format!("--- expected {path}")),
            DiffLine::Label(format!("+++ received {peer}")),
        ];
        lines.extend(compared(playable, divergence));
        lines.extend(
            notes(playable, divergence).into_iter().map(|note| DiffLine::Note(format!("note: {note}"))),
        );
        lines.push(DiffLine::Note(format!("{index} matched, 1 failed, {not_run} not run")));
        let is_literal = entry.is_none_or(|entry| {
            !matches!(entry.item, Item::Pattern(..) | Item::Template(..) | Item::Quiet(_))
        });
        let is_rewritten =
            matches!(fault, Fault::Differs { .. } | Fault::EofForReset | Fault::Unexpected { .. });
        Self {
            headline: format!("{path}:{line}: {} ({within}{sent})", headline(fault, own)),
            can_be_updated: is_literal && is_rewritten,
            lines,
        }
    }
}

/// The items before the one that failed, that one, and what arrived instead.
fn compared(playable: &Playable, divergence: &Divergence) -> Vec<DiffLine> {
    let (transcript, own) = (playable.transcript(), playable.own());
    let Divergence { index, fault, .. } = divergence;
    let text = |item: &Item| notation(item, transcript.eol);
    let context = transcript.entries[index.saturating_sub(CONTEXT)..*index].iter();
    let mut lines: Vec<_> = context.map(|entry| DiffLine::Context(text(&entry.item))).collect();
    let expected = transcript.entries.get(*index).map(|entry| text(&entry.item));
    let received = fault.received();
    let received = literals(own.other(), &received[..received.len().min(SHOWN)], transcript.eol);
    let received = received.into_iter().map(DiffLine::Received);
    match fault {
        // The item itself may still follow.
        Fault::Unexpected { .. } | Fault::NotSilent { .. } | Fault::TooLong => {
            lines.extend(received);
            lines.extend(expected.map(DiffLine::Context));
        }
        Fault::Differs { .. }
        | Fault::EofForReset
        | Fault::Missing { .. }
        | Fault::NoEof { .. }
        | Fault::ClosedEarly { .. }
        | Fault::Reset { .. } => {
            lines.extend(expected.map(DiffLine::Expected));
            lines.extend(received);
        }
    }
    let end = match (fault, own) {
        (Fault::EofForReset | Fault::ClosedEarly { .. }, _) => Some(Item::End(own.other())),
        (Fault::Reset { .. }, Side::Client) => Some(Item::Reset),
        // There is no notation for a reset by the client.
        (Fault::Reset { .. }, Side::Server)
        | (
            Fault::Differs { .. }
            | Fault::Missing { .. }
            | Fault::NoEof { .. }
            | Fault::NotSilent { .. }
            | Fault::TooLong
            | Fault::Unexpected { .. },
            _,
        ) => None,
    };
    lines.extend(end.map(|end| DiffLine::Received(text(&end))));
    lines
}

fn headline(fault: &Fault, own: Side) -> &'static str {
    match (fault, own) {
        (Fault::Differs { .. } | Fault::EofForReset, Side::Client) => "server reply differs",
        (Fault::Differs { .. } | Fault::EofForReset, Side::Server) => "client message differs",
        // A mock has no time limits.
        (Fault::Missing { .. }, _) => "server reply missing",
        (Fault::NoEof { .. }, _) => "expected EOF",
        (Fault::TooLong, _) => "server reply too long",
        (Fault::Unexpected { .. }, Side::Client) | (Fault::NotSilent { .. }, _) => "unexpected output",
        (Fault::Unexpected { .. }, Side::Server) => "unexpected input",
        (Fault::ClosedEarly { .. }, Side::Client) => "server closed early",
        (Fault::ClosedEarly { .. }, Side::Server) => "client closed early",
        (Fault::Reset { .. }, _) => "connection reset",
    }
}

/// Points out what the compared lines do not show.
fn notes(playable: &Playable, divergence: &Divergence) -> Vec<String> {
    let (transcript, own) = (playable.transcript(), playable.own());
    let Divergence { index, fault, variables } = divergence;
    let received = fault.received();
    let item = transcript.entries.get(*index).map(|entry| &entry.item);
    let mut notes = Vec::new();
    let is_crlf = received.ends_with(b"\r\n");
    match transcript.eol {
        LineEnding::Crlf if received.ends_with(b"\n") && !is_crlf => {
            notes.push("the received line ends in LF; %eol is crlf".to_owned());
        }
        LineEnding::Lf if is_crlf => notes.push("the received line ends in CRLF; %eol is lf".to_owned()),
        LineEnding::Crlf | LineEnding::Lf => {}
    }
    match (item, fault) {
        (None, _) => notes.push("end of transcript".to_owned()),
        (Some(Item::Pattern(..)), Fault::Differs { .. }) => {
            notes.push("the expression must match the line in full, without its line ending".to_owned());
        }
        (Some(Item::Pattern(..)), Fault::Missing { .. }) if !received.is_empty() => {
            notes.push("the expression waits for the end of the line".to_owned());
        }
        (Some(Item::Literal(_, literal)), Fault::Differs { .. }) if received.len() > SHOWN => {
            let same = literal.iter().zip(received).take_while(|(a, b)| a == b).count();
            notes.push(format!("the line differs from byte {} on", same + 1));
        }
        _ => {}
    }
    if received.len() > SHOWN {
        notes.push(format!("{} more bytes received", received.len() - SHOWN));
    }
    if let Some(name) = hole_in_text(playable, *index) {
        notes.push(format!(
            "'\\{{{name}}}' is text here; a hole needs '{0}\\' in place of '{0}:'",
            own.other().letter()
        ));
    }
    notes.extend(note_of(fault, own, is_skipping(&transcript.entries[..*index])));
    notes.extend(values(variables));
    notes
}

/// What looks like the name of a hole in a line without holes.
fn hole_in_text(playable: &Playable, index: usize) -> Option<&str> {
    let transcript = playable.transcript();
    let line = transcript.source.get(transcript.entries.get(index)?.line - 1)?;
    let text = line.trim_start_matches(['\u{feff}', ' ', '\t'])[1..].strip_prefix(':')?;
    let mut starts = text.match_indices(r"\{").map(|(at, _)| &text[at + 2..]);
    starts.find_map(|rest| rest[..rest.find('}')?].split('=').next().filter(|name| is_name(name)))
}

/// The variables that are bound, the latest ones if there are many.
fn values(variables: &Variables) -> Vec<String> {
    let all = variables.iter();
    let hidden = all.len().saturating_sub(MOST_VALUES);
    let mut notes: Vec<_> = all
        .skip(hidden)
        .map(|(name, value)| {
            let text = escaped(&value[..value.len().min(SHOWN)]);
            format!("{name} = {text}{}", if value.len() > SHOWN { "..." } else { "" })
        })
        .collect();
    if hidden > 0 {
        notes.insert(0, format!("{hidden} more variables are bound"));
    }
    notes
}

/// Whether an `S ...` takes lines after these items.
fn is_skipping(entries: &[Entry]) -> bool {
    let is_server = |item: &&Item| item.side() == Side::Server && !matches!(item, Item::Wait(..));
    entries.iter().rev().map(|entry| &entry.item).find(is_server) == Some(&Item::Any)
}

fn note_of(fault: &Fault, own: Side, is_skipping: bool) -> Option<String> {
    match fault {
        Fault::Missing { received, limit } if !received.is_empty() => {
            Some(format!("incomplete after {}", duration(*limit)))
        }
        // What an `S ...` took has arrived meanwhile.
        Fault::Missing { limit, .. } | Fault::NoEof { limit } if !is_skipping => {
            Some(format!("no data for {}", duration(*limit)))
        }
        Fault::NotSilent { limit } => Some(format!("data still arrived after {}", duration(*limit))),
        Fault::TooLong => Some(format!("an update keeps at most {} MiB of new replies", MOST_KEPT >> 20)),
        Fault::Reset { .. } if own == Side::Client => Some("if this is expected, use 'S RST'".to_owned()),
        Fault::Missing { .. }
        | Fault::NoEof { .. }
        | Fault::Differs { .. }
        | Fault::EofForReset
        | Fault::Unexpected { .. }
        | Fault::ClosedEarly { .. }
        | Fault::Reset { .. } => None,
    }
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
}
