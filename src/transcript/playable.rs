//! A transcript of which one side is known to be playable.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::compare::LONGEST_LINE;
use super::format::{Connection, Entry, Item, Side, Transcript};
use super::reader::ParseError;
use super::secrets::Secrets;
use super::template::{Ambiguity, Template};
use super::variables::Variables;
use super::writer::notation;

/// How many bytes of a client are kept that no item asks for.
const SPARE: usize = 64 * 1024;

/// A transcript and the side of it that is played. Every item of that side says what to send, and every item of the
/// other side what it matches. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Playable {
    transcript: Arc<Transcript>,
    own: Side,
    /// The variables that are bound from the start.
    given: Arc<Variables>,
    /// Those that have items, in the order in which they are opened.
    connections: Arc<[Connection]>,
    /// For each item, and for the end, how much input of a connection is kept at most.
    most_input: Arc<[usize]>,
    /// The items as they are in the file, if they are played in a different order.
    in_file: Option<Arc<[Entry]>>,
}

impl Playable {
    /// Returns an error if an item of `own` does not say what to send when `given` is all that is bound at the start,
    /// or if one of the other side has holes that may match in several ways.
    pub(crate) fn new(transcript: Transcript, own: Side, given: Variables) -> Result<Self, ParseError> {
        let is_placeholder = |entry: &&Entry| entry.item == Item::Placeholder;
        if let Some(&Entry { line, .. }) = transcript.entries.iter().find(is_placeholder) {
            let message =
                "expected what the server says, found 'S ?' (to fill it in: capchat check --update)";
            return Err(ParseError { path: transcript.path, line, message: message.to_owned() });
        }
        Self::with_placeholders(transcript, own, given)
    }

    /// The client side, to be played in an update: placeholders are allowed. Returns an error as [`Self::new`] does.
    pub(crate) fn to_update(transcript: Transcript, given: Variables) -> Result<Self, ParseError> {
        Self::with_placeholders(transcript, Side::Client, given)
    }

    fn with_placeholders(
        mut transcript: Transcript,
        own: Side,
        given: Variables,
    ) -> Result<Self, ParseError> {
        let mut bound: HashSet<&str> = given.iter().map(|(name, _)| name).collect();
        for entry in &transcript.entries {
            if let Err(message) = check(&entry.item, own, &given, &bound) {
                return Err(ParseError { path: transcript.path, line: entry.line, message });
            }
            bound.extend(entry.item.names());
        }
        let is_skip = |entry: &Entry| matches!(entry.item, Item::Skip(Side::Client, _));
        if own == Side::Server {
            check_one_connection(&transcript, "a mock has one for each client")?;
        }
        let in_file = if own == Side::Server && transcript.entries.iter().any(is_skip) {
            let entries = transcript.entries.clone();
            transcript.entries = client_first(transcript.entries);
            Some(Arc::from(entries))
        } else {
            None
        };
        let most_input = most_input(&transcript.entries, own);
        let connections = transcript.connections().into();
        let (transcript, given) = (Arc::new(transcript), Arc::new(given));
        Ok(Self { transcript, own, given, connections, most_input, in_file })
    }

    /// Returns an error, with the reason why, if it has several connections.
    pub(crate) fn check_one_connection(&self, reason: &str) -> Result<(), ParseError> {
        check_one_connection(&self.transcript, reason)
    }

    /// The connections that have items, in the order in which they are opened; at least one.
    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// The variables that are bound from the start.
    pub(super) fn given(&self) -> &Variables {
        &self.given
    }

    /// The values that are not shown.
    pub(crate) fn secrets(&self) -> &Secrets {
        self.given.secrets()
    }

    /// Whether an item has a hole or a group of this name.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.transcript.entries.iter().any(|entry| entry.item.names().contains(&name))
    }

    /// Replaces `%timeout` by a limit that is shorter, and says whether it was.
    pub(crate) fn shorten_timeout(&mut self, limit: Option<Duration>) -> bool {
        let Some(limit) = limit.filter(|limit| *limit < self.transcript.timeout) else { return false };
        Arc::make_mut(&mut self.transcript).timeout = limit;
        true
    }

    /// Returns an error if an item ends either side: then no connection is left to go on with.
    pub(crate) fn check_open_end(&self) -> Result<(), ParseError> {
        let entries = &self.transcript.entries;
        let Some(end) = entries.iter().find(|entry| matches!(entry.item, Item::End(_) | Item::Reset)) else {
            return Ok(());
        };
        let found = notation(&end.item, self.transcript.eol);
        let message = format!("expected a connection that stays open after a prologue, found '{found}'");
        Err(ParseError { path: self.transcript.path.clone(), line: end.line, message })
    }

    /// The transcript.
    #[must_use]
    pub(crate) fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The items as they are in the file, and the place there of the one that is played as the one with this index.
    pub(super) fn in_file(&self, index: usize) -> (&[Entry], usize) {
        let played = &self.transcript.entries;
        match &self.in_file {
            None => (played, index),
            Some(entries) => {
                let line = played.get(index).map_or(usize::MAX, |entry| entry.line);
                (entries, entries.partition_point(|entry| entry.line < line))
            }
        }
    }

    /// How many items of the file are played before the one with this index.
    pub(super) fn count(&self, index: usize) -> usize {
        // The end of a client that a `C ...` waits for is not in the file, and part of that item.
        let played = &self.transcript.entries[..(index + 1).min(self.transcript.entries.len())];
        index - played.windows(2).filter(|pair| pair[0].line == pair[1].line).count()
    }

    /// The side that is played.
    #[must_use]
    pub(crate) fn own(&self) -> Side {
        self.own
    }

    /// How many bytes may wait to be taken by the item with this index, and those after it.
    pub(super) fn most_input(&self, index: usize) -> usize {
        self.most_input[index]
    }

    /// The line of the last item before this one that was sent, if any.
    pub(super) fn last_sent(&self, index: usize) -> Option<usize> {
        let is_sent = |item: &Item| matches!(item, Item::Literal(side, _) | Item::Template(side, _) | Item::End(side) if *side == self.own);
        self.transcript.entries[..index].iter().rfind(|entry| is_sent(&entry.item)).map(|entry| entry.line)
    }
}

fn check_one_connection(transcript: &Transcript, reason: &str) -> Result<(), ParseError> {
    match transcript.entries.iter().find(|entry| entry.connection != Connection::FIRST) {
        None => Ok(()),
        Some(entry) => {
            let item = entry.connection.letter(entry.item.side());
            let message = format!("expected items of one connection ({reason}), found '{item}'");
            Err(ParseError { path: transcript.path.clone(), line: entry.line, message })
        }
    }
}

/// Moves the client item that ends a `C ...` next to it, before the server items between them: those are sent once it
/// has matched. If there is none, the client's end is it.
fn client_first(mut entries: Vec<Entry>) -> Vec<Entry> {
    let is_own_text = |entry: &Entry| {
        entry.item.side() == Side::Server && !matches!(entry.item, Item::Wait(..) | Item::Skip(..))
    };
    let mut index = 0;
    while index < entries.len() {
        if let Entry { line, connection, item: Item::Skip(Side::Client, _) } = entries[index] {
            let (_, after) = entries.split_at(index + 1);
            let is_next =
                |entry: &Entry| entry.item.side() == Side::Client && !matches!(entry.item, Item::Wait(..));
            match after.iter().position(is_next) {
                Some(next) => entries[index + 1..=index + 1 + next].rotate_right(1),
                None if after.iter().any(is_own_text) => {
                    entries.insert(index + 1, Entry { line, connection, item: Item::End(Side::Client) });
                }
                None => {}
            }
        }
        index += 1;
    }
    entries
}

/// Returns an error, what was expected and what was found, if an item cannot be played as `own`, or be compared.
fn check(item: &Item, own: Side, given: &Variables, bound: &HashSet<&str>) -> Result<(), String> {
    let letter = item.side().letter();
    let not_text =
        |form: &str| Err(format!("expected text for the {own} to send ('{letter}: text'), found '{form}'"));
    match item {
        Item::Pattern(side, _) if *side == own => not_text(&format!("{letter}~")),
        Item::Skip(Side::Client, _) if own == Side::Client => not_text("C ..."),
        Item::Template(side, template) if *side == own => check_sent(template, own, bound),
        Item::Connect(Some(address)) if own == Side::Client => check_sent(address, own, bound),
        Item::Template(_, template) => {
            template.check_received(|name| given.get(name).is_some()).map_err(|ambiguity| match ambiguity {
                Ambiguity::Adjacent => "expected text between two holes, found none".to_owned(),
                Ambiguity::AtEnd => "expected text after the last hole, found the end of the item".to_owned(),
                Ambiguity::Twice(name) => {
                    format!("expected each name once in an item, found '\\{{{name}}}' twice")
                }
            })
        }
        Item::Literal(..)
        | Item::Pattern(..)
        | Item::Skip(..)
        | Item::Connect(_)
        | Item::Placeholder
        | Item::End(_)
        | Item::Reset
        | Item::Wait(..)
        | Item::Quiet(_) => Ok(()),
    }
}

/// Returns an error if a hole has no value when it is sent.
fn check_sent(template: &Template, own: Side, bound: &HashSet<&str>) -> Result<(), String> {
    match template.unset(|name| bound.contains(name)).map(|hole| hole.name.as_deref()) {
        None => Ok(()),
        Some(None) => {
            Err(format!("expected a sample for the {own} to send ('\\{{=sample}}'), found '\\{{}}'"))
        }
        Some(Some(name)) => Err(format!(
            "expected a value for the {own} to send ('\\{{{name}=sample}}', --set {name}=VALUE, \
             --secret {name}, or a hole above), found '\\{{{name}}}'"
        )),
    }
}

/// How many bytes may wait for each item. A mock, which may have many clients, keeps no more of one than the items
/// that are left can take; a check reads on, because its server may not read while it cannot write.
fn most_input(entries: &[Entry], own: Side) -> Arc<[usize]> {
    let mut most = match own {
        Side::Client => LONGEST_LINE,
        Side::Server => SPARE,
    };
    let mut all = vec![most; entries.len() + 1];
    for (index, entry) in entries.iter().enumerate().rev() {
        let taken = match &entry.item {
            Item::Literal(Side::Client, bytes) => bytes.len(),
            Item::Pattern(Side::Client, _) | Item::Template(Side::Client, _) => LONGEST_LINE,
            Item::Literal(..)
            | Item::Template(..)
            | Item::Pattern(..)
            | Item::Skip(..)
            | Item::Connect(_)
            | Item::Placeholder
            | Item::End(_)
            | Item::Reset
            | Item::Wait(..)
            | Item::Quiet(_) => 0,
        };
        most = most.saturating_add(taken).min(LONGEST_LINE);
        all[index] = most;
    }
    all.into()
}
