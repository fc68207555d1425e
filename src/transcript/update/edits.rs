//! Edits to the lines of a file.

use std::collections::BTreeMap;

/// What becomes of lines, by their numbers.
#[derive(Default)]
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

    /// The new text; `None` if nothing changed.
    pub(super) fn apply(self, source: &[String]) -> Option<String> {
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

/// The carriage return that an editor put at the end of a line.
fn cr_of(line: &str) -> &'static str {
    if line.ends_with('\r') { "\r" } else { "" }
}
