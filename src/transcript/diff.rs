//! What a person reads where the other side has left a transcript: a diff in its own notation, whose `+` lines
//! can be pasted back.

use std::fmt;

use serde::Serialize;

use super::format::{Eol, Item, Side, Transcript};
use super::player::{Divergence, Headline};
use super::stream::End;
use super::writer::{duration, literals, notation};

/// How many items before the one that is wrong are shown.
const CONTEXT: usize = 3;

/// How much of what was received is shown, in bytes.
const SHOWN: usize = 2000;

/// Where and how the other side left a transcript, for people to read.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// `smtp.chat:11: server reply differs (last sent: line 9)`
    pub headline: String,
    /// What stands below it.
    pub lines: Vec<DiffLine>,
}

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiffLine {
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
    /// The diff of what `own` saw of `peer`.
    #[must_use]
    pub fn new(transcript: &Transcript, own: Side, divergence: &Divergence, peer: &str) -> Self {
        let Divergence { headline, index, last_sent, received, end, limit } = divergence;
        let entries = &transcript.entries;
        let entry = entries.get(*index);
        let path = transcript.path.display();
        let line = entry.map_or_else(|| transcript.end_line(), |entry| entry.line);
        let within = limit.map(|limit| format!("within {}; ", duration(limit))).unwrap_or_default();
        let sent = last_sent
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
        let is_surplus = *headline == Headline::Unexpected;
        if !is_surplus {
            lines.extend(expected.clone().map(DiffLine::Expected));
        }
        let shown = &received[..received.len().min(SHOWN)];
        lines.extend(literals(own.other(), shown, eol).into_iter().map(DiffLine::Received));
        match (end, own.other()) {
            (Some(End::Eof), other) => lines.push(DiffLine::Received(text(&Item::End(other)))),
            (Some(End::Reset), Side::Server) => lines.push(DiffLine::Received(text(&Item::Reset))),
            _ => {}
        }
        if is_surplus {
            lines.extend(expected.map(DiffLine::Context));
        }
        lines.extend(
            notes(transcript, divergence).into_iter().map(|note| DiffLine::Note(format!("note: {note}"))),
        );
        let not_run = entries.len().saturating_sub(index + 1);
        lines.push(DiffLine::Note(format!("{index} items matched, {not_run} not run")));
        Self { headline: format!("{path}:{line}: {} ({within}{sent})", name(*headline, own)), lines }
    }
}

fn name(headline: Headline, own: Side) -> &'static str {
    match (headline, own) {
        (Headline::Differs, Side::Client) => "server reply differs",
        (Headline::Differs, Side::Server) => "client message differs",
        (Headline::Missing, Side::Client) => "server reply missing",
        (Headline::Missing, Side::Server) => "client message missing",
        (Headline::Unexpected, Side::Client) => "unexpected output",
        (Headline::Unexpected, Side::Server) => "unexpected input",
        (Headline::ClosedEarly, Side::Client) => "server closed early",
        (Headline::ClosedEarly, Side::Server) => "client closed early",
        (Headline::NoEnd, _) => "expected EOF",
        (Headline::Reset, _) => "connection reset",
    }
}

/// What the two lines do not show by themselves.
fn notes(transcript: &Transcript, divergence: &Divergence) -> Vec<String> {
    let Divergence { headline, index, received, end, limit, .. } = divergence;
    let item = transcript.entries.get(*index).map(|entry| &entry.item);
    let mut notes = Vec::new();
    let is_cr_lf = received.ends_with(b"\r\n");
    match transcript.eol {
        Eol::Crlf if received.ends_with(b"\n") && !is_cr_lf => {
            notes.push("the received line ends in LF; %eol is crlf".to_owned());
        }
        Eol::Lf if is_cr_lf => notes.push("the received line ends in CR LF; %eol is lf".to_owned()),
        _ => {}
    }
    match item {
        None => notes.push("the transcript ends here".to_owned()),
        Some(Item::Pattern(..)) if *headline == Headline::Differs => {
            notes.push("the expression must match the whole line, without its end".to_owned());
        }
        Some(Item::Literal(_, literal)) if received.len() > SHOWN && *headline == Headline::Differs => {
            let same = literal.iter().zip(received).take_while(|(a, b)| a == b).count();
            notes.push(format!("they differ from byte {} of the line on", same + 1));
        }
        _ => {}
    }
    if received.len() > SHOWN {
        notes.push(format!("{} more bytes were received", received.len() - SHOWN));
    }
    if let Some(limit) = limit {
        let limit = duration(*limit);
        notes.push(match received.last() {
            None => format!("nothing came for {limit}"),
            Some(_) => format!("nothing more came for {limit}"),
        });
    }
    if *headline == Headline::Reset && *end == Some(End::Reset) {
        notes.push("'S RST' expects a reset".to_owned());
    }
    notes
}
