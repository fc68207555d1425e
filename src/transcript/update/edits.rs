//! Edits to the lines of a file.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;

use crate::transcript::diff::{CONTEXT, DiffLine, labels};
use crate::transcript::playable::Playable;
use crate::transcript::writer::line_of;

/// What becomes of lines, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// `None` deletes the line.
    replaced: BTreeMap<usize, Option<String>>,
    inserted: BTreeMap<usize, Vec<String>>,
}

impl Edits {
    /// Gives a line this text. Its indent and an editor's carriage return stay.
    pub(super) fn replace(&mut self, line: usize, text: String) {
        self.replaced.insert(line, Some(text));
    }

    pub(super) fn delete(&mut self, line: usize) {
        self.replaced.insert(line, None);
    }

    /// Inserts a line, after all that were inserted there before. It is indented as the line above it.
    pub(super) fn insert_after(&mut self, line: usize, text: String) {
        self.inserted.entry(line).or_default().push(text);
    }

    /// The new number of a line that stays.
    pub(super) fn new_line(&self, line: usize) -> usize {
        let inserted: usize = self.inserted.range(..line).map(|(_, lines)| lines.len()).sum();
        let deleted = self.replaced.range(..line).filter(|(_, text)| text.is_none()).count();
        line + inserted - deleted
    }

    /// The edits as a diff, in which comments and empty lines are not shown.
    pub(super) fn diff(&self, old: &Playable, peer: &str) -> Vec<DiffLine> {
        let transcript = old.transcript();
        let mut lines = Vec::from(labels(old, peer));
        let label_count = lines.len();
        let mut hunk = Hunk::default();
        let mut entries = transcript.entries.iter().peekable();
        for number in 0..=transcript.source.len() {
            if let Some(entry) = entries.next_if(|entry| entry.line == number) {
                let item = line_of(entry, transcript.eol, old.secrets());
                if let Some(new) = self.replaced.get(&number) {
                    hunk.line.get_or_insert_with(|| self.new_line(number));
                    hunk.expected.push(item);
                    hunk.received.extend(new.clone());
                } else {
                    let is_first = lines.len() == label_count;
                    hunk.show(&mut lines, is_first);
                    hunk.keep(item);
                }
            }
            if let Some(new) = self.inserted.get(&number) {
                hunk.line.get_or_insert_with(|| self.new_line(number) + 1);
                hunk.received.extend(new.iter().cloned());
            }
        }
        let is_first = lines.len() == label_count;
        hunk.show(&mut lines, is_first);
        lines
    }

    /// The new text; `None` if nothing changed.
    pub(super) fn apply(&self, source: &[String]) -> Option<String> {
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
        Some(lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect())
    }
}

/// Edits between two items that stay, and those before them.
#[derive(Default)]
struct Hunk {
    /// The last items that stay.
    context: VecDeque<String>,
    /// How many items stay that are not shown.
    hidden: usize,
    /// The new number of the first line.
    line: Option<usize>,
    expected: Vec<String>,
    received: Vec<String>,
}

impl Hunk {
    fn keep(&mut self, item: String) {
        self.context.push_back(item);
        if self.context.len() > CONTEXT {
            self.context.pop_front();
            self.hidden += 1;
        }
    }

    /// Shows what there is, if there is a change.
    fn show(&mut self, lines: &mut Vec<DiffLine>, is_first: bool) {
        let Some(line) = self.line.take() else { return };
        if is_first || self.hidden > 0 {
            lines.push(DiffLine::Label(format!("@@ line {line}")));
        }
        lines.extend(take(&mut self.context).into_iter().map(DiffLine::Context));
        lines.extend(take(&mut self.expected).into_iter().map(DiffLine::Expected));
        lines.extend(take(&mut self.received).into_iter().map(DiffLine::Received));
        self.hidden = 0;
    }
}

/// The carriage return that an editor put at the end of a line.
fn cr_of(line: &str) -> &'static str {
    if line.ends_with('\r') { "\r" } else { "" }
}
