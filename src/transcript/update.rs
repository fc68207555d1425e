//! Rewrites the server's side of a transcript to what the server says now.
//!
//! Only literal lines of the server's, `S EOF` and `S RST` are ever rewritten. All other lines, comments and
//! blank ones among them, stay where they are, byte for byte.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::format::{Entry, Item, Side, Transcript};
use super::player::{End, Turn};
use super::writer::{literals, notation, pieces};

/// Why a transcript cannot be rewritten: an item that only a person may change does not hold any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The transcript's file.
    pub(crate) path: PathBuf,
    /// The item's line.
    pub(crate) line: usize,
    /// The item.
    pub(crate) item: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, item } = self;
        write!(f, "{}:{line}: '{item}' does not hold any more, and only you can change it", path.display())
    }
}

impl std::error::Error for Conflict {}

/// The transcript's text with what the server said in `turns`; nothing where that is what it has already.
///
/// # Errors
/// Where a pattern, an `S ...` or an `S QUIET` does not hold any more.
pub(crate) fn rewrite(transcript: &Transcript, turns: &[Turn]) -> Result<Option<String>, Conflict> {
    let mut edits = Edits::default();
    for turn in turns.iter().filter(|turn| !turn.matched) {
        Alignment::new(transcript, turn).align(&mut edits)?;
    }
    Ok(edits.apply(&transcript.source))
}

/// Finds out which of a turn's lines belongs to which of its items.
struct Alignment<'t> {
    transcript: &'t Transcript,
    items: &'t [Entry],
    /// The line behind which what comes before the first item is inserted.
    place: usize,
    lines: Vec<&'t [u8]>,
    end: Option<End>,
    is_skipping: bool,
    is_last: bool,
}

impl<'t> Alignment<'t> {
    fn new(transcript: &'t Transcript, turn: &'t Turn) -> Self {
        let (first, last) = turn.items;
        Self {
            transcript,
            items: &transcript.entries[first..last],
            place: match (first.checked_sub(1), transcript.entries.get(first)) {
                (Some(before), _) => transcript.entries[before].line,
                (None, Some(entry)) => entry.line - 1,
                (None, None) => transcript.source.len(),
            },
            lines: pieces(&turn.received).collect(),
            end: turn.end,
            is_skipping: turn.skips_first,
            is_last: last == transcript.entries.len(),
        }
    }

    fn align(mut self, edits: &mut Edits) -> Result<(), Conflict> {
        let mut at = 0;
        let mut literals = Vec::new();
        for (index, entry) in self.items.iter().enumerate() {
            match &entry.item {
                Item::Literal(_, literal) if self.is_skipping => {
                    // The first line that begins so is the one, even where it then is another.
                    let found = self.lines[at..].iter().position(|line| line.starts_with(literal));
                    let found = found.filter(|found| self.lines[at + found].len() == literal.len());
                    at += found.ok_or_else(|| self.conflict(self.skip_before(index)))? + 1;
                    self.is_skipping = false;
                    self.place = entry.line;
                }
                Item::Literal(..) => literals.push(entry),
                Item::Pattern(_, pattern) => {
                    let eol = self.transcript.eol.bytes();
                    // As when it is checked: a whole line, or what the end of the stream makes one.
                    let matches = |line: &&[u8]| match line.strip_suffix(eol) {
                        Some(line) => pattern.matches(line),
                        None => self.end.is_some() && !line.ends_with(b"\n") && pattern.matches(line),
                    };
                    // Where the line still stands where it stood, it is that one.
                    let usual = at + literals.len();
                    let found = match self.lines.get(usual) {
                        Some(line) if !self.is_skipping && matches(line) => Some(usual),
                        _ => self.lines[at..].iter().position(matches).map(|found| at + found),
                    };
                    let found = found.ok_or_else(|| self.conflict(entry))?;
                    let end = if self.is_skipping { at } else { found };
                    self.replace(&mut literals, at..end, edits);
                    at = found + 1;
                    self.is_skipping = false;
                    self.place = entry.line;
                }
                Item::Any => {
                    let end = (at + literals.len()).min(self.lines.len());
                    self.replace(&mut literals, at..end, edits);
                    at = end;
                    self.is_skipping = true;
                    self.place = entry.line;
                }
                // What came during a silence is nobody's.
                Item::Quiet(_) => return Err(self.conflict(entry)),
                Item::End(_) | Item::Reset | Item::Wait(..) => {}
            }
        }
        if self.is_skipping {
            at = self.lines.len();
        }
        let end = self.lines.len();
        self.replace(&mut literals, at..end, edits);
        self.rewrite_end(edits);
        Ok(())
    }

    /// The `S ...` that an item which was not found stands behind.
    fn skip_before(&self, index: usize) -> &'t Entry {
        let before = self.items[..index].iter().rev();
        before.into_iter().find(|entry| entry.item == Item::Any).unwrap_or(&self.items[index])
    }

    /// Puts lines in the place of literal items. What is the same at the beginning and at the end stays.
    fn replace(&mut self, literals: &mut Vec<&'t Entry>, lines: std::ops::Range<usize>, edits: &mut Edits) {
        let old = std::mem::take(literals);
        let new = &self.lines[lines];
        let is_same = |entry: &Entry, line: &[u8]| matches!(&entry.item, Item::Literal(_, is) if is == line);
        let head = old.iter().zip(new).take_while(|(entry, line)| is_same(entry, line)).count();
        let tail = old[head..].iter().rev().zip(new[head..].iter().rev());
        let tail = tail.take_while(|(entry, line)| is_same(entry, line)).count();
        let changed = &old[head..old.len() - tail];
        let new = &new[head..new.len() - tail];
        let mut place = head.checked_sub(1).map_or(self.place, |before| old[before].line);
        for (index, entry) in changed.iter().enumerate() {
            edits.replace(entry.line, new.get(index).map(|line| self.text(line)));
            place = entry.line;
        }
        for line in new.iter().skip(changed.len()) {
            edits.insert_behind(place, self.text(line));
        }
        self.place = old.last().map_or(self.place, |entry| entry.line).max(self.place);
    }

    fn rewrite_end(&self, edits: &mut Edits) {
        let text = match self.end {
            Some(End::Eof) => Some(notation(&Item::End(Side::Server), self.transcript.eol)),
            Some(End::Reset) => Some(notation(&Item::Reset, self.transcript.eol)),
            None => None,
        };
        let is_end = |entry: &&Entry| matches!(entry.item, Item::End(Side::Server) | Item::Reset);
        match (self.items.iter().find(is_end), text) {
            (Some(entry), text) => edits.replace(entry.line, text),
            (None, Some(text)) if self.is_last => edits.insert_behind(self.place, text),
            (None, _) => {}
        }
    }

    fn text(&self, line: &[u8]) -> String {
        literals(Side::Server, line, self.transcript.eol).concat()
    }

    fn conflict(&self, entry: &Entry) -> Conflict {
        Conflict {
            path: self.transcript.path.clone(),
            line: entry.line,
            item: notation(&entry.item, self.transcript.eol),
        }
    }
}

/// What becomes of the lines of a file, by their numbers.
#[derive(Default)]
struct Edits {
    replaced: BTreeMap<usize, Option<String>>,
    inserted: BTreeMap<usize, Vec<String>>,
}

impl Edits {
    fn replace(&mut self, line: usize, text: Option<String>) {
        self.replaced.insert(line, text);
    }

    fn insert_behind(&mut self, line: usize, text: String) {
        self.inserted.entry(line).or_default().push(text);
    }

    /// The new text; nothing where it is the old one.
    fn apply(self, source: &[String]) -> Option<String> {
        let mut lines = Vec::new();
        let first = source.first().map_or("", String::as_str);
        let (byte_order_mark, _) = first.split_at(first.len() - first.trim_start_matches('\u{feff}').len());
        let mut indent = String::new();
        let mut cr = cr_of(first);
        for number in 0..=source.len() {
            let old = number.checked_sub(1).map(|index| &source[index]);
            if let Some(old) = old.map(|old| old.strip_prefix(byte_order_mark).unwrap_or(old)) {
                cr = cr_of(old);
                let text = old.trim_start_matches([' ', '\t']);
                let own_indent = &old[..old.len() - text.len()];
                if !text.trim_end().is_empty() {
                    own_indent.clone_into(&mut indent);
                }
                match self.replaced.get(&number) {
                    // A line that says the same in other words is not touched.
                    Some(Some(new)) if new != text.trim_end_matches('\r') => {
                        lines.push(format!("{own_indent}{new}{cr}"));
                    }
                    Some(None) => {}
                    _ => lines.push(old.to_owned()),
                }
            }
            for new in self.inserted.get(&number).into_iter().flatten() {
                lines.push(format!("{indent}{new}{cr}"));
            }
        }
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, byte_order_mark);
        }
        if lines == source {
            return None;
        }
        Some(lines.join("\n") + "\n")
    }
}

/// The carriage return that an editor put at the end of a line.
fn cr_of(line: &str) -> &'static str {
    if line.ends_with('\r') { "\r" } else { "" }
}
