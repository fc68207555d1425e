//! Rewrites the server side of a transcript to what the server says now.
//!
//! Only literal server lines, `S EOF` and `S RST` are ever rewritten. Every other line, comments and empty lines
//! among them, stays where it is, byte for byte. No secret is ever written.

mod edits;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use super::compare::{Input, Match, compare};
use super::format::{Entry, Item, Side, Transcript};
use super::player::{End, Skipping, Turn};
use super::reader::read;
use super::scan::Scan;
use super::secrets::Secrets;
use super::variables::Variables;
use super::writer::{literals, masked, notation, pieces};
use edits::Edits;

/// Why a transcript cannot be rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    path: PathBuf,
    line: usize,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// This item, which only a person may change, no longer matches.
    NoMatch(String),
    /// What the server said contains the secret of this name.
    Secret(String),
    /// The new text would not be a transcript. That is a bug, but it must not cost a file.
    NotReadable(String),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.path.display(), self.line)?;
        match &self.reason {
            Reason::NoMatch(item) => write!(f, "'{item}' no longer matches")?,
            Reason::Secret(name) => write!(f, "the new reply contains the secret '\\{{{name}}}'")?,
            Reason::NotReadable(error) => write!(f, "cannot be rewritten: {error}")?,
        }
        f.write_str("; edit it by hand (file unchanged)")
    }
}

impl std::error::Error for Conflict {}

/// The transcript's text with what the server said in `turns`; `None` if it has that already. Returns an error
/// if a pattern, an `S ...` or an `S QUIET` no longer matches, or if the new text would contain a secret.
pub(crate) fn rewrite(transcript: &Transcript, turns: &[Turn]) -> Result<Option<String>, Conflict> {
    let mut edits = Edits::default();
    for turn in turns.iter().filter(|turn| !turn.matched) {
        Alignment::new(transcript, turn).align(&mut edits)?;
    }
    let Some(text) = edits.apply(&transcript.source) else { return Ok(None) };
    match read(&transcript.path, text.as_bytes()) {
        Ok(_) => Ok(Some(text)),
        Err(error) => {
            Err(Conflict { path: error.path, line: error.line, reason: Reason::NotReadable(error.message) })
        }
    }
}

/// What the items of a turn that does not match bind. Returns an error as [`rewrite`] does.
pub(super) fn bindings(transcript: &Transcript, turn: &Turn) -> Result<Variables, Conflict> {
    Alignment::new(transcript, turn).align(&mut Edits::default())
}

/// The names of the secrets in the lines that were received, by the indexes of the lines.
fn secrets_of(lines: &[&[u8]], received: &[u8], secrets: &Secrets) -> HashMap<usize, String> {
    let mut names = HashMap::new();
    let mut found = secrets.find(received).into_iter().peekable();
    let mut start = 0;
    for (index, line) in lines.iter().enumerate() {
        let end = start + line.len();
        while found.next_if(|found| found.range.end <= start).is_some() {}
        if let Some(found) = found.peek().filter(|found| found.range.start < end) {
            names.insert(index, found.name.to_owned());
        }
        start = end;
    }
    names
}

fn is_skip(entry: &Entry) -> bool {
    matches!(entry.item, Item::Skip(..))
}

/// Finds out which line of a turn belongs to which of its items.
struct Alignment<'t> {
    transcript: &'t Transcript,
    items: &'t [Entry],
    /// The line of the file after which the next new line is inserted.
    place: usize,
    lines: Vec<&'t [u8]>,
    /// The names of the secrets in some of the lines, by their indexes.
    secrets: HashMap<usize, String>,
    /// Those of the names in the items.
    variables: Variables,
    end: Option<End>,
    /// The `S ...` that takes the next lines.
    skip: Option<&'t Entry>,
    is_last: bool,
}

impl<'t> Alignment<'t> {
    fn new(transcript: &'t Transcript, turn: &'t Turn) -> Self {
        let (first, last) = turn.items;
        let lines: Vec<_> = pieces(&turn.received).collect();
        Self {
            transcript,
            items: &transcript.entries[first..last],
            place: match (first.checked_sub(1), transcript.entries.get(first)) {
                (Some(before), _) => transcript.entries[before].line,
                (None, Some(entry)) => entry.line - 1,
                (None, None) => transcript.source.len(),
            },
            secrets: secrets_of(&lines, &turn.received, turn.variables.secrets()),
            lines,
            variables: turn.variables.clone(),
            end: turn.end,
            skip: transcript.entries[..first]
                .iter()
                .rfind(|entry| is_skip(entry))
                .filter(|_| turn.skips_first),
            is_last: last == transcript.entries.len(),
        }
    }

    /// Adds the edits that the lines make necessary, and returns what they bind.
    fn align(mut self, edits: &mut Edits) -> Result<Variables, Conflict> {
        let mut at = 0;
        let mut literals = Vec::new();
        for (index, entry) in self.items.iter().enumerate() {
            match &entry.item {
                Item::Literal(_, literal) if self.skip.is_some() => {
                    // In a check, the first line that starts with the literal would be the one, even if it goes on.
                    let found = self.find(at, |line| matches!(self.compare(entry, line), Match::Yes(_)));
                    let found = found.filter(|&found| self.lines[found].len() == literal.len());
                    let found = found.ok_or_else(|| self.conflict(self.skip_before(index)))?;
                    self.skip(at..found)?;
                    at = found + 1;
                    self.place = entry.line;
                }
                Item::Literal(..) => literals.push(entry),
                Item::Pattern(..) | Item::Template(..) => {
                    // If the line in its old place matches, it is that one.
                    let usual = at + literals.len();
                    let found = match self.lines.get(usual) {
                        Some(line) if self.skip.is_none() && self.matches(entry, line) => Some(usual),
                        _ => self.find(at, |line| self.matches(entry, line)),
                    };
                    let found = found.ok_or_else(|| self.conflict(entry))?;
                    let end = if self.skip.is_some() { at } else { found };
                    self.skip(at..found)?;
                    self.replace(&mut literals, at..end, edits)?;
                    self.bind(entry, found);
                    at = found + 1;
                    self.place = entry.line;
                }
                Item::Skip(..) => {
                    let end = (at + literals.len()).min(self.lines.len());
                    self.replace(&mut literals, at..end, edits)?;
                    at = end;
                    self.skip = Some(entry);
                    self.place = entry.line;
                }
                // Bytes that break a silence belong to no item.
                Item::Quiet(_) => return Err(self.conflict(entry)),
                Item::Connect(_) | Item::End(_) | Item::Reset | Item::Wait(..) => {}
            }
        }
        let end = self.lines.len();
        let start = if self.skip.is_some() { end } else { at };
        self.skip(at..end)?;
        self.replace(&mut literals, start..end, edits)?;
        self.rewrite_end(edits);
        Ok(self.variables)
    }

    /// Takes lines with the `S ...` above, if there is one.
    fn skip(&mut self, lines: std::ops::Range<usize>) -> Result<(), Conflict> {
        if let Some(Entry { item: Item::Skip(_, pattern), .. }) = self.skip
            && let Some(skip) = self.skip.take()
        {
            let skipping = Skipping::new(pattern.as_ref());
            if !self.lines[lines].iter().all(|line| skipping.takes(line, self.transcript.eol)) {
                return Err(self.conflict(skip));
            }
        }
        Ok(())
    }

    /// The first line from `at` on for which `is_it` holds.
    fn find(&self, at: usize, is_it: impl Fn(&[u8]) -> bool) -> Option<usize> {
        (at..self.lines.len()).find(|&index| is_it(self.lines[index]))
    }

    fn compare(&self, entry: &Entry, line: &[u8]) -> Match {
        self.scan(entry, line, &mut Scan::default())
    }

    fn scan(&self, entry: &Entry, line: &[u8], scan: &mut Scan) -> Match {
        let line_feed = memchr::memchr(b'\n', line);
        let input = Input { bytes: line, line_feed, has_ended: self.end.is_some() };
        compare(&entry.item, input, self.transcript.eol, &self.variables, scan)
    }

    /// Binds what an item binds that matches the line with this index.
    fn bind(&mut self, entry: &Entry, index: usize) {
        let (mut scan, line) = (Scan::default(), self.lines[index]);
        self.scan(entry, line, &mut scan);
        scan.bind(line, &mut self.variables);
    }

    /// Whether an item matches all of a line.
    fn matches(&self, entry: &Entry, line: &[u8]) -> bool {
        self.compare(entry, line) == Match::Yes(line.len())
    }

    /// The `S ...` above an item that was not found.
    fn skip_before(&self, index: usize) -> &'t Entry {
        let above = self.items[..index].iter().rev();
        above.into_iter().find(|entry| is_skip(entry)).unwrap_or(&self.items[index])
    }

    /// Replaces literal items with lines. Those that are the same at the start and at the end stay.
    fn replace(
        &mut self,
        literals: &mut Vec<&'t Entry>,
        lines: std::ops::Range<usize>,
        edits: &mut Edits,
    ) -> Result<(), Conflict> {
        let old = std::mem::take(literals);
        let start = lines.start;
        let new = &self.lines[lines];
        let is_same = |entry: &Entry, line: &[u8]| matches!(&entry.item, Item::Literal(_, is) if is == line);
        let head = old.iter().zip(new).take_while(|(entry, line)| is_same(entry, line)).count();
        let tail = old[head..].iter().rev().zip(new[head..].iter().rev());
        let tail = tail.take_while(|(entry, line)| is_same(entry, line)).count();
        let changed = &old[head..old.len() - tail];
        let new = &new[head..new.len() - tail];
        let mut place = head.checked_sub(1).map_or(self.place, |before| old[before].line);
        for (index, entry) in changed.iter().enumerate() {
            match new.get(index) {
                Some(line) if is_same(entry, line) => {}
                Some(_) => edits.replace(entry.line, self.text(start + head + index, entry.line)?),
                None => edits.delete(entry.line),
            }
            place = entry.line;
        }
        for index in changed.len()..new.len() {
            edits.insert_after(place, self.text(start + head + index, place)?);
        }
        self.place = old.last().map_or(self.place, |entry| entry.line).max(self.place);
        Ok(())
    }

    fn rewrite_end(&self, edits: &mut Edits) {
        let eof = || notation(&Item::End(Side::Server), self.transcript.eol);
        let reset = || notation(&Item::Reset, self.transcript.eol);
        let is_end = |entry: &&Entry| matches!(entry.item, Item::End(Side::Server) | Item::Reset);
        let old = self.items.iter().find(is_end).map(|entry| entry.line);
        let last = self.transcript.entries.last().map(|entry| entry.line);
        match (self.end, old) {
            (None, Some(old)) => edits.delete(old),
            (Some(End::Eof), Some(old)) => edits.replace(old, eof()),
            (Some(End::Eof), None) if self.is_last => {
                // The server's pauses are items of it as well.
                let its_last = self.items.iter().rfind(|entry| entry.item.side() == Side::Server);
                edits.insert_after(self.place.max(its_last.map_or(0, |entry| entry.line)), eof());
            }
            (Some(End::Reset), Some(old)) if Some(old) == last => edits.replace(old, reset()),
            // Nothing may follow a reset, and what still could are pauses and the client's end: it goes after them.
            (Some(End::Reset), old) => {
                if let Some(old) = old {
                    edits.delete(old);
                }
                if self.is_last {
                    edits.insert_after(self.place.max(last.unwrap_or(0)), reset());
                }
            }
            (None | Some(End::Eof), None) => {}
        }
    }

    /// The text of a line of the turn, to be written at or after `line` of the file.
    fn text(&self, index: usize, line: usize) -> Result<String, Conflict> {
        if let Some(name) = self.secrets.get(&index) {
            let reason = Reason::Secret(name.clone());
            return Err(Conflict { path: self.transcript.path.clone(), line, reason });
        }
        Ok(literals(Side::Server, self.lines[index], self.transcript.eol).concat())
    }

    fn conflict(&self, entry: &Entry) -> Conflict {
        let item = masked(&entry.item, self.transcript.eol, self.variables.secrets());
        Conflict { path: self.transcript.path.clone(), line: entry.line, reason: Reason::NoMatch(item) }
    }
}
