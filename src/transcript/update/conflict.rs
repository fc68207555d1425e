//! Why a transcript cannot be rewritten.

use std::fmt;
use std::path::PathBuf;

use crate::text::printable;
use crate::transcript::diff::{Diff, DiffLine, context, labels, shown, values};
use crate::transcript::format::{Entry, Item, Side, Transcript};
use crate::transcript::playable::Playable;
use crate::transcript::player::End;
use crate::transcript::reader::ParseError;
use crate::transcript::variables::Variables;
use crate::transcript::writer::{masked, notation};

/// A line of a transcript that keeps it from being rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    path: PathBuf,
    line: usize,
    reason: Reason,
    /// Whether placeholders were replaced.
    has_learned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    NoMatch(Box<NoMatch>),
    /// What the server said contains the secret of this name.
    Secret(String),
    /// The new text would not be a transcript. That is a bug, but it must not cost a file.
    NotReadable(String),
}

/// An item that only a person may change, and that no longer matches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NoMatch {
    /// Its index.
    index: usize,
    /// Its line.
    item: String,
    /// The lines that came.
    received: Vec<Vec<u8>>,
    /// How the stream ended, if no line came.
    end: Option<End>,
    /// The variables of its turn.
    variables: Variables,
}

impl Conflict {
    pub(super) fn no_match(
        transcript: &Transcript,
        entry: &Entry,
        received: &[&[u8]],
        end: Option<End>,
        variables: Variables,
    ) -> Self {
        let no_match = NoMatch {
            index: transcript.entries.partition_point(|before| before.line < entry.line),
            item: masked(&entry.item, transcript.eol, variables.secrets()),
            received: received.iter().map(|&line| line.to_owned()).collect(),
            end,
            variables,
        };
        let reason = Reason::NoMatch(Box::new(no_match));
        Self { path: transcript.path.clone(), line: entry.line, reason, has_learned: false }
    }

    /// The new line at or after `line` would contain a secret.
    pub(super) fn secret(transcript: &Transcript, line: usize, name: &str) -> Self {
        let reason = Reason::Secret(name.to_owned());
        Self { path: transcript.path.clone(), line, reason, has_learned: false }
    }

    pub(super) fn not_readable(error: ParseError) -> Self {
        let ParseError { path, line, message } = error;
        Self { path, line, reason: Reason::NotReadable(message), has_learned: false }
    }

    /// The same once placeholders were replaced.
    pub(super) fn after_learning(self, new_line: impl Fn(usize) -> usize) -> Self {
        Self { line: new_line(self.line), has_learned: true, ..self }
    }

    /// For people to read.
    pub(crate) fn diff(&self, playable: &Playable, peer: &str) -> Diff {
        let transcript = playable.transcript();
        let headline = printable(&self.to_string());
        let mut lines = Vec::new();
        if let Reason::NoMatch(no_match) = &self.reason {
            let NoMatch { index, item, received, end, variables } = &**no_match;
            lines.extend(labels(playable, peer));
            lines.extend(context(playable, &transcript.entries, *index));
            lines.push(DiffLine::Expected(item.clone()));
            let received = received.iter().flat_map(|line| shown(playable, Side::Server, line));
            lines.extend(received.map(DiffLine::Received));
            let end = end.map(|end| match end {
                End::Eof => Item::End(Side::Server),
                End::Reset => Item::Reset,
            });
            lines.extend(end.map(|end| DiffLine::Received(notation(&end, transcript.eol))));
            lines.extend(
                values(variables, playable.secrets())
                    .into_iter()
                    .map(|note| DiffLine::Note(format!("note: {note}"))),
            );
        }
        Diff { headline, can_be_updated: false, lines }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.path.display(), self.line)?;
        match &self.reason {
            Reason::NoMatch(no_match) => write!(f, "'{}' no longer matches", no_match.item)?,
            Reason::Secret(name) => write!(f, "the new reply contains the secret '\\{{{name}}}'")?,
            Reason::NotReadable(error) => write!(f, "cannot be rewritten: {error}")?,
        }
        let what = if self.has_learned { "only 'S ?' replaced" } else { "file unchanged" };
        write!(f, "; edit it by hand ({what})")
    }
}

impl std::error::Error for Conflict {}
