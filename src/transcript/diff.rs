//! The report of a mismatch: a diff in the transcript's own notation, whose `+` lines can be pasted back.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::divergence::{Divergence, Fault};
use super::format::{Connection, Entry, Item, LineEnding, Side};
use super::playable::Playable;
use super::player::MOST_KEPT;
use super::secrets::Secrets;
use super::skipped::Skipped;
use super::variables::{Variables, is_name};
use super::writer::{duration, escaped, line_of, masked, masked_literals};
use crate::text::printable;

/// How many items are shown before the one that failed.
pub(super) const CONTEXT: usize = 2;

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
        let (entries, place) = playable.in_file(*index);
        let entry = entries.get(place);
        let path = printable(&transcript.path.display().to_string());
        let line = entry.map_or_else(|| transcript.end_line(), |entry| entry.line);
        let within = match fault {
            Fault::Missing { limit, .. } | Fault::NoEof { limit, .. } => {
                format!("within {}; ", duration(*limit))
            }
            Fault::Differs { .. }
            | Fault::EofForReset
            | Fault::NotSilent { .. }
            | Fault::NotConnected { .. }
            | Fault::TooLong
            | Fault::Unexpected { .. }
            | Fault::ClosedEarly { .. }
            | Fault::Reset { .. } => String::new(),
        };
        let sent = match playable.last_sent(*index) {
            Some(line) => format!("last sent: line {line}"),
            None => "nothing sent before".to_owned(),
        };
        let matched = playable.count(*index);
        let not_run = entries.len().saturating_sub(matched + 1);
        let mut lines = Vec::from(labels(playable, peer));
        lines.extend(compared(playable, divergence));
        lines.extend(
            notes(playable, divergence).into_iter().map(|note| DiffLine::Note(format!("note: {note}"))),
        );
        lines.push(DiffLine::Note(format!("{matched} matched, 1 failed, {not_run} not run")));
        // An update does not take several connections.
        let is_single = playable.connections().len() == 1;
        let is_literal = entry.is_none_or(|entry| {
            !matches!(entry.item, Item::Pattern(..) | Item::Template(..) | Item::Quiet(_))
        });
        let is_rewritten =
            matches!(fault, Fault::Differs { .. } | Fault::EofForReset | Fault::Unexpected { .. });
        Self {
            headline: format!("{path}:{line}: {} ({within}{sent})", headline(fault, own, playable.secrets())),
            can_be_updated: is_single && is_literal && is_rewritten,
            lines,
        }
    }
}

impl Diff {
    /// Adds what was learned, and written, before something went wrong.
    pub(crate) fn append(&mut self, learned: Vec<DiffLine>) {
        self.lines.push(DiffLine::Note("note: the replies that were learned are in the file now".to_owned()));
        self.lines.extend(learned);
    }
}

/// The two lines that say what is compared.
pub(super) fn labels(playable: &Playable, peer: &str) -> [DiffLine; 2] {
    let path = printable(&playable.transcript().path.display().to_string());
    [
        DiffLine::Label(format!("--- expected {path}")),
        DiffLine::Label(format!("+++ received {}", playable.secrets().mask_text(peer))),
    ]
}

/// The items before one of them.
pub(super) fn context(playable: &Playable, entries: &[Entry], index: usize) -> Vec<DiffLine> {
    let text = |entry| line_of(entry, playable.transcript().eol, playable.secrets());
    entries[index.saturating_sub(CONTEXT)..index].iter().map(text).map(DiffLine::Context).collect()
}

/// The start of what a side said.
pub(super) fn shown(playable: &Playable, side: Side, bytes: &[u8]) -> Vec<String> {
    let secrets = playable.secrets();
    masked_literals(side, &bytes[..secrets.cut(bytes, SHOWN)], playable.transcript().eol, secrets)
}

/// The items before the one that failed, that one, and what arrived instead.
fn compared(playable: &Playable, divergence: &Divergence) -> Vec<DiffLine> {
    let (transcript, own) = (playable.transcript(), playable.own());
    let Divergence { index, connection, fault, .. } = divergence;
    let secrets = playable.secrets();
    let text = |entry: &Entry| line_of(entry, transcript.eol, secrets);
    let (entries, place) = playable.in_file(*index);
    let mut lines = context(playable, entries, place);
    let expected = entries.get(place).map(text);
    let received = shown(playable, own.other(), fault.received());
    let received = received.into_iter().map(|line| DiffLine::Received(connection.number(line)));
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
        | Fault::NotConnected { .. }
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
            | Fault::NotConnected { .. }
            | Fault::TooLong
            | Fault::Unexpected { .. },
            _,
        ) => None,
    };
    lines.extend(end.map(|end| DiffLine::Received(connection.number(masked(&end, transcript.eol, secrets)))));
    lines
}

fn headline<'f>(fault: &'f Fault, own: Side, secrets: &Secrets) -> Cow<'f, str> {
    let headline = match (fault, own) {
        // The address may have holes.
        (Fault::NotConnected { error }, _) => return secrets.mask_text(error).into(),
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
    };
    headline.into()
}

/// Points out what the compared lines do not show.
fn notes(playable: &Playable, divergence: &Divergence) -> Vec<String> {
    let (transcript, own) = (playable.transcript(), playable.own());
    let Divergence { index, connection, fault, skipped, variables } = divergence;
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
            connection.letter(own.other())
        ));
    }
    notes.extend(note_of(fault, own, skipped.is_some()));
    if let Some(skipped) = skipped {
        notes.extend(taken(playable, &transcript.entries[..*index], skipped, *connection));
    }
    notes.extend(values(variables, playable.secrets()));
    notes
}

/// What looks like the name of a hole in a line without holes.
fn hole_in_text(playable: &Playable, index: usize) -> Option<&str> {
    let transcript = playable.transcript();
    let entry = transcript.entries.get(index).filter(|entry| entry.item.side() != playable.own())?;
    let line = transcript.source.get(entry.line - 1)?;
    let text = &line.trim_start_matches(['\u{feff}', ' ', '\t'])[1..];
    let text = text.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix(':')?;
    let mut starts = text.match_indices(r"\{").map(|(at, _)| &text[at + 2..]);
    starts.find_map(|rest| rest[..rest.find('}')?].split('=').next().filter(|name| is_name(name)))
}

/// The variables that are bound, but for secrets; the latest ones if there are many.
pub(super) fn values(variables: &Variables, secrets: &Secrets) -> Vec<String> {
    let all: Vec<_> = variables.iter().filter(|(name, _)| !secrets.is_name(name)).collect();
    let hidden = all.len().saturating_sub(MOST_VALUES);
    let mut notes: Vec<_> = all
        .into_iter()
        .skip(hidden)
        .map(|(name, value)| {
            let shown = secrets.cut(value, SHOWN);
            let text = escaped(&value[..shown], secrets);
            format!("{name} = {text}{}", if value.len() > shown { "..." } else { "" })
        })
        .collect();
    if hidden > 0 {
        notes.insert(0, format!("{hidden} more variables are bound"));
    }
    notes
}

/// What the last skip of the other side of a connection has taken.
fn taken(playable: &Playable, entries: &[Entry], skipped: &Skipped, connection: Connection) -> Vec<String> {
    let side = playable.own().other();
    let is_it = |entry: &&Entry| {
        entry.connection == connection && matches!(entry.item, Item::Skip(is, _) if is == side)
    };
    let skip = entries.iter().rfind(is_it);
    let skip = skip.map(|entry| line_of(entry, playable.transcript().eol, playable.secrets()));
    let skip = skip.unwrap_or_default();
    let (count, last) = (skipped.lines, &skipped.last);
    let mut notes = vec![match count {
        0 => format!("'{skip}' took no lines"),
        1 => format!("'{skip}' took 1 line:"),
        _ if count > last.len() => format!("'{skip}' took {count} lines, the last {} of them:", last.len()),
        _ => format!("'{skip}' took {count} lines:"),
    }];
    let lines = last.iter().flat_map(|line| shown(playable, side, line));
    notes.extend(lines.map(|line| connection.number(line)));
    notes
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
        | Fault::NotConnected { .. }
        | Fault::Unexpected { .. }
        | Fault::ClosedEarly { .. }
        | Fault::Reset { .. } => None,
    }
}
