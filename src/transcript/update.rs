//! Rewrites the server side of a transcript to what the server says now.
//!
//! Only literal server lines, `S ?`, `S EOF` and `S RST` are ever rewritten. Every other line, comments and empty
//! lines among them, stays where it is, byte for byte. No secret is ever written.

mod conflict;
mod edits;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::compare::{Input, Match, compare};
use super::diff::DiffLine;
use super::divergence::Divergence;
use super::format::{Entry, Item, Side, Transcript};
use super::playable::Playable;
use super::player::{End, Skipping, Turn};
use super::reader::read;
use super::scan::Scan;
use super::secrets::Secrets;
use super::variables::Variables;
use super::writer::{literals, notation, pieces};
pub(crate) use conflict::Conflict;
use edits::Edits;

/// A transcript's new text, which has been read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewriting {
    pub(crate) text: String,
    edits: Edits,
}

/// The transcript with what the server said in `turns`; `None` if it has that already. Returns an error if a pattern, a
/// hole, an `S ...` or an `S QUIET` no longer matches, or if the new text would contain a secret.
pub(crate) fn rewrite(transcript: &Transcript, turns: &[Turn]) -> Result<Option<Rewriting>, Conflict> {
    let mut edits = Edits::default();
    for turn in turns.iter().filter(|turn| !turn.matched) {
        Alignment::new(transcript, turn).align(&mut edits)?;
    }
    Rewriting::new(transcript, edits)
}

/// The transcript with what the server said in the `turns` that are placeholders: if the others cannot be
/// rewritten, that is still worth keeping.
pub(crate) fn fill_in(transcript: &Transcript, turns: &[Turn]) -> Option<Rewriting> {
    let mut edits = Edits::default();
    for turn in turns {
        let (first, last) = turn.items;
        let items = &transcript.entries[first..last];
        // After the server's end, other items could not follow.
        let is_certain = turn.end.is_none() || last == transcript.entries.len();
        let is_placeholder = is_certain && items.iter().any(|entry| entry.item == Item::Placeholder);
        // It may contain a secret.
        if is_placeholder && align(transcript, turn).is_ok() {
            Alignment::new(transcript, turn).align(&mut edits).ok()?;
        }
    }
    Rewriting::new(transcript, edits).ok()?
}

impl Rewriting {
    /// Returns an error if the new text is not a transcript.
    fn new(transcript: &Transcript, edits: Edits) -> Result<Option<Self>, Conflict> {
        let Some(text) = edits.apply(&transcript.source) else { return Ok(None) };
        match read(&transcript.path, text.as_bytes()) {
            Ok(_) => Ok(Some(Self { text, edits })),
            Err(error) => Err(Conflict::not_readable(error)),
        }
    }

    /// What was changed, for people to read.
    pub(crate) fn diff(&self, old: &Playable, peer: &str) -> Vec<DiffLine> {
        self.edits.diff(old, peer)
    }

    /// A divergence from the old text as one from the new text, which is the second.
    pub(crate) fn transfer(&self, old: &Playable, divergence: &Divergence) -> Option<(Playable, Divergence)> {
        let transcript = read(&old.transcript().path, self.text.as_bytes()).ok()?;
        let entry = old.transcript().entries.get(divergence.index);
        let line = entry.map(|entry| self.edits.new_line(entry.line));
        let place = line.and_then(|line| transcript.entries.iter().position(|entry| entry.line == line));
        let index = place.unwrap_or(transcript.entries.len());
        let playable = Playable::to_update(transcript, old.given().clone()).ok()?;
        Some((playable, Divergence { index, ..divergence.clone() }))
    }

    /// A conflict in the old text as one in the new text, in which only placeholders were replaced.
    pub(crate) fn transfer_conflict(&self, conflict: Conflict) -> Conflict {
        conflict.after_learning(|line| self.edits.new_line(line))
    }
}

/// What became of the lines of a turn.
pub(super) struct Aligned {
    /// What its items bind.
    pub(super) variables: Variables,
    /// Where the lines start, in its bytes, that an `S ...` at its end takes; without one, the end.
    pub(super) left: usize,
}

/// Aligns the items of a turn that does not match with its lines. Returns an error as [`rewrite`] does.
pub(super) fn align(transcript: &Transcript, turn: &Turn) -> Result<Aligned, Conflict> {
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
    /// Whether server items follow in later turns.
    has_more: bool,
    /// Whether it has an `S ?`.
    is_placeholder: bool,
}

/// How many of the lines are shown that an `S ...` did not end at.
const MOST_SHOWN: usize = 3;

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
            has_more: transcript.entries[last..].iter().any(|entry| entry.item.side() == Side::Server),
            is_placeholder: false,
        }
    }

    /// Adds the edits that the lines make necessary.
    fn align(mut self, edits: &mut Edits) -> Result<Aligned, Conflict> {
        let mut at = 0;
        let mut literals = Vec::new();
        for (index, entry) in self.items.iter().enumerate() {
            match &entry.item {
                Item::Literal(_, literal) if self.skip.is_some() => {
                    // In a check, the first line that starts with the literal would be the one, even if it goes on.
                    let found = self.find(at, |line| matches!(self.compare(entry, line), Match::Yes(_)));
                    let found = found.filter(|&found| self.lines[found].len() == literal.len());
                    let found = found.ok_or_else(|| self.not_skipped(index, at))?;
                    self.skip(at..found)?;
                    at = found + 1;
                    self.place = entry.line;
                }
                Item::Literal(..) => literals.push(entry),
                // It takes all, and leaves nothing to an `S ...` above it.
                Item::Placeholder => {
                    self.skip = None;
                    self.is_placeholder = true;
                    literals.push(entry);
                }
                Item::Pattern(..) | Item::Template(..) => {
                    // If the line in its old place matches, it is that one.
                    let usual = at + literals.len();
                    let found = match self.lines.get(usual) {
                        Some(line) if self.skip.is_none() && self.matches(entry, line) => Some(usual),
                        _ => self.find(at, |line| self.matches(entry, line)),
                    };
                    let found = found.ok_or_else(|| self.conflict(entry, &self.came(usual)))?;
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
                Item::Quiet(_) => return Err(self.conflict(entry, &self.came(at + literals.len()))),
                Item::Connect(_) | Item::End(_) | Item::Reset | Item::Wait(..) => {}
            }
        }
        let end = self.lines.len();
        let start = if self.skip.is_some() { end } else { at };
        let left = self.lines[..start.min(at)].iter().map(|line| line.len()).sum();
        // Before a client item, the next turn may still take them, and compares them.
        if self.is_last || self.end.is_some() {
            self.skip(at..end)?;
        }
        self.replace(&mut literals, start..end, edits)?;
        self.rewrite_end(edits);
        Ok(Aligned { variables: self.variables, left })
    }

    /// Takes lines with the `S ...` above, if there is one.
    fn skip(&mut self, lines: std::ops::Range<usize>) -> Result<(), Conflict> {
        if let Some(Entry { item: Item::Skip(_, pattern), .. }) = self.skip
            && let Some(skip) = self.skip.take()
        {
            let skipping = Skipping::new(pattern.as_ref());
            let is_taken = |line: &&&[u8]| skipping.takes(line, self.transcript.eol);
            if let Some(&line) = self.lines[lines].iter().find(|line| !is_taken(line)) {
                return Err(self.conflict(skip, &[line]));
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

    /// The line that came where another one was expected; else the last one of the turn.
    fn came(&self, usual: usize) -> Vec<&'t [u8]> {
        self.lines.get(usual).or(self.lines.last()).copied().into_iter().collect()
    }

    /// The conflict of an `S ...` above an item that no line from `at` on matches.
    fn not_skipped(&self, index: usize, at: usize) -> Conflict {
        let above = self.items[..index].iter().rev();
        let skip = above.into_iter().find(|entry| is_skip(entry)).unwrap_or(&self.items[index]);
        let lines = &self.lines[at..];
        self.conflict(skip, &lines[lines.len().saturating_sub(MOST_SHOWN)..])
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
        let old = self.items.iter().find(is_end);
        let is_eof = old.is_some_and(|entry| entry.item == Item::End(Side::Server));
        let old = old.map(|entry| entry.line);
        let last = self.transcript.entries.last().map(|entry| entry.line);
        match (self.end, old) {
            (None, Some(old)) => edits.delete(old),
            (Some(End::Eof), Some(_)) if is_eof => {}
            (Some(End::Eof), Some(old)) => edits.replace(old, eof()),
            (Some(End::Eof), None) if self.is_last || self.is_placeholder && !self.has_more => {
                // The server's pauses are items of it as well.
                let its_last = self.items.iter().rfind(|entry| entry.item.side() == Side::Server);
                edits.insert_after(self.place.max(its_last.map_or(0, |entry| entry.line)), eof());
            }
            (Some(End::Reset), Some(old)) if Some(old) == last && !is_eof => {}
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
            return Err(Conflict::secret(self.transcript, line, name));
        }
        Ok(literals(Side::Server, self.lines[index], self.transcript.eol).concat())
    }

    fn conflict(&self, entry: &Entry, came: &[&[u8]]) -> Conflict {
        let end = if came.is_empty() { self.end } else { None };
        Conflict::no_match(self.transcript, entry, came, end, self.variables.clone())
    }
}
