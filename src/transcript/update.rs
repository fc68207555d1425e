//! Rewrites the server's side of a transcript to what the server says now.
//!
//! Only literal lines of the server's, `S EOF` and `S RST` are ever rewritten. All other lines, comments and
//! blank ones among them, stay where they are, byte for byte.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::format::{Entry, Item, Side, Transcript};
use super::player::Turn;
use super::stream::End;
use super::writer::{literals, notation, pieces};

/// Why a transcript cannot be rewritten: an item that only a person may change does not hold any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The transcript's file.
    pub path: PathBuf,
    /// The item's line.
    pub line: usize,
    /// The item.
    pub item: String,
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
pub fn rewrite(transcript: &Transcript, turns: &[Turn]) -> Result<Option<String>, Conflict> {
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::{Player, Step, Verdict, read};
    use super::*;

    /// What a server does: where the client has said the first (or ended, `<EOF>`), it says the second, which
    /// may end with `<EOF>` or `<RST>`.
    type Server<'s> = &'s [(&'s str, &'s str)];

    const LATER: Duration = Duration::from_millis(10);

    /// Updates a transcript from a server: the new text, or in a word what became of it.
    fn update(text: &str, server: Server) -> String {
        update_from(text, server, LATER)
    }

    /// The same, from a server that waits for so long before each piece of what it says.
    fn update_from(text: &str, mut server: Server, later: Duration) -> String {
        let transcript = Arc::new(read(Path::new("t.chat"), text.as_bytes()).unwrap());
        let mut player = Player::for_update(Arc::clone(&transcript));
        let mut now = Duration::from_secs(100);
        let mut said = String::new();
        let mut events: Vec<(Duration, &str)> = Vec::new();
        loop {
            while let [(trigger, reply), rest @ ..] = server
                && let Some((_, left)) = said.split_once(trigger)
            {
                (said, server) = (left.to_owned(), rest);
                // In two pieces, the second one later.
                let (first, second) = reply.split_at(reply.find('<').unwrap_or(reply.len() / 2));
                let last = events.last().map_or(now, |(at, _)| *at);
                events.extend([(last + later, first), (last + 2 * later, second)]);
            }
            match player.advance(now) {
                Step::Send(bytes) => {
                    said += std::str::from_utf8(&bytes).unwrap();
                    player.sent(bytes.len(), now);
                }
                Step::End => said += "<EOF>",
                Step::Reset => unreachable!(),
                Step::Wait(until) => {
                    let next = events.iter().map(|(at, _)| *at).chain(until).min().unwrap();
                    assert!(next > now);
                    now = next;
                    while events.first().is_some_and(|(at, _)| *at <= now) {
                        match events.remove(0).1 {
                            "" => {}
                            "<EOF>" => player.end(End::Eof, now),
                            "<RST>" => player.end(End::Reset, now),
                            text => player.receive(text.as_bytes(), now),
                        }
                    }
                }
                Step::Done(Verdict::Diverged(divergence)) => return format!("{:?}", divergence.headline),
                Step::Done(Verdict::Followed) => break,
            }
        }
        match rewrite(&transcript, &player.into_turns()) {
            Ok(None) => "unchanged".to_owned(),
            Ok(Some(new)) => {
                assert_ne!(new, text);
                new
            }
            Err(conflict) => conflict.to_string(),
        }
    }

    #[test]
    fn where_the_end_is_awaited_no_silence_ends_the_last_turn() {
        let server: Server = &[("<EOF>", "one\ntwo\n<EOF>")];
        for text in ["C: hi\nC EOF\nS EOF\n", "C: hi\nC EOF\nS: two\nS EOF\n"] {
            let updated = update_from(text, server, Duration::from_millis(300));
            assert_eq!(updated, "C: hi\nC EOF\nS: one\nS: two\nS EOF\n");
        }
    }

    #[test]
    fn what_is_the_same_is_left() {
        for text in [
            "S: hi\nC: a\n# why\nS: A\nC: quit\nS: bye\nS EOF\n",
            "S: hi\nC: a\nS: A\nC: quit\nS: bye\n",
            "S\\ h\\\nS: i\nC: a\nS~ [A]\nC: quit\nS ...\nS EOF",
            "S ...\nC: a\nS: A\nC: quit\nC EOF\nS: bye\nS EOF\n",
            "S ...\nC: a\nC WAIT 50ms\nS: A\nC WAIT 300ms\nC: quit\nS WAIT 1s\nS: bye\nS EOF\n",
            "S: hi\nS QUIET 50ms\nC: a\nC WAIT 1s\nS: A\nC: quit\nS: bye\nC WAIT 1s\nC EOF\nS EOF\n",
            "S: hi\nC: a\nC: quit\nS: A\nC WAIT 200ms\nS: bye\nS EOF\n",
        ] {
            let server = [("", "hi\n"), ("a\n", "A\n"), ("quit\n", "bye\n<EOF>")];
            assert_eq!(update(text, &server), "unchanged", "{text}");
        }
    }

    #[test]
    fn replies_that_are_changed_added_or_removed_are_rewritten_and_comments_stay() {
        let text = "S: hi\nC: a\n# before\nS: one\n\n# between\nS: two\n# behind\nC: b\nS: B\n";
        for (reply, expected) in [
            ("one\ntwo\n", text.to_owned()),
            ("one\n2\n", text.replace("S: two", "S: 2")),
            ("1\ntwo\n", text.replace("S: one", "S: 1")),
            ("1\n2\n", text.replace("S: one", "S: 1").replace("S: two", "S: 2")),
            ("one\ntwo\nthree\n", text.replace("S: two\n", "S: two\nS: three\n")),
            ("zero\none\ntwo\n", text.replace("# before\n", "S: zero\n# before\n")),
            ("one\nhalf\ntwo\n", text.replace("S: one\n", "S: one\nS: half\n")),
            ("one\n", text.replace("S: two\n", "")),
            ("two\n", text.replace("S: one\n", "")),
            ("one\ntwo", text.replace("S: two", "S\\ two\\")),
            ("one\r\ntwo\n", text.replace("S: one", "S\\ one\\r")),
        ] {
            let server = [("", "hi\n"), ("a\n", reply), ("b\n", "B\n")];
            let expected = if expected == text { "unchanged".to_owned() } else { expected };
            assert_eq!(update(text, &server), expected, "{reply:?}");
        }
    }

    #[test]
    fn a_reply_is_inserted_where_there_is_none() {
        let server = [("", "hi\n"), ("a\n", "A\n"), ("b\n", "B\n<EOF>")];
        for (text, expected) in [
            ("C: a\nC EOF\n", "S: hi\nC: a\nC EOF\nS: A\n"),
            ("# top\n\n  C: a\n  C: b\n", "# top\n\nS: hi\n  C: a\n  C: b\n  S: A\n  S: B\n  S EOF\n"),
            ("S: hi\nC: a\nS: A\nC: b\n", "S: hi\nC: a\nS: A\nC: b\nS: B\nS EOF\n"),
            ("S: hi\nC: a\n# c\nC: b\nS: B", "S: hi\nC: a\n# c\nC: b\nS: A\nS: B\nS EOF\n"),
            ("# nothing\n", "# nothing\nS: hi\n"),
            ("%eol lf\n", "%eol lf\nS: hi\n"),
        ] {
            assert_eq!(update(text, &server), expected, "{text}");
        }
    }

    #[test]
    fn what_is_inserted_can_be_checked() {
        // The client's side ends only because the transcript does: that the server follows is not its own doing.
        let server = [("a\n", "A\n"), ("<EOF>", "<EOF>")];
        assert_eq!(update("C: a\nS: B\n", &server), "C: a\nS: A\n");
        assert_eq!(update("C: a\nS: A\n", &server), "unchanged");
        assert_eq!(update("C: a\nS: B\nC EOF\n", &server), "C: a\nS: A\nC EOF\n");
    }

    #[test]
    fn patterns_stay_where_they_match_and_are_conflicts_where_not() {
        let text = "S~ 2\\d+ .*\nC: a\nS: one\nS ...\nS: end\nC: b\nS: B\n";
        let with = |greeting, reply, last| update(text, &[("", greeting), ("a\n", reply), ("b\n", last)]);
        assert_eq!(with("220 x\n", "one\nx\ny\nend\n", "B\n"), "unchanged");
        assert_eq!(with("220 x\n", "one\nend\n", "C\n"), text.replace("S: B", "S: C"));
        assert_eq!(with("220 x\n", "1\nx\nend\n", "B\n"), text.replace("S: one", "S: 1"));
        assert_eq!(with("220 x\nmore\n", "one\nend\n", "B\n"), text.replace("C: a", "S: more\nC: a"));
        let conflict = |line, item| {
            format!("t.chat:{line}: '{item}' does not hold any more, and only you can change it")
        };
        assert_eq!(with("xxx\n", "one\nend\n", "B\n"), conflict(1, "S~ 2\\d+ .*"));
        assert_eq!(with("220 x\n", "one\nx\n", "B\n"), conflict(4, "S ..."));
        let quiet = "C: a\nS QUIET 50ms\nC: b\n";
        assert_eq!(update(quiet, &[("a\n", "A\n")]), conflict(2, "S QUIET 50ms"));
    }

    #[test]
    fn what_is_passed_over_is_compared_with_the_next_turn_too() {
        let server = |greeting, reply| [("", greeting), ("a\n", reply)];
        let text = "S ...\nC: a\nS~ .*\n";
        assert_eq!(update(text, &server("hi\n", "A\n")), "S ...\nC: a\nS~ .*\nS: A\n");
        let text = "S ...\nC: a\nS: A\n";
        assert_eq!(update(text, &server("hi\n", "A\n")), "unchanged");
        let conflict = "t.chat:3: 'S: A' does not hold any more, and only you can change it";
        assert_eq!(update(text, &server("hi\n> ", "A\n")), conflict);
        let text = "S ...\nS\\ > \\\nC: a\nS: A\n";
        assert_eq!(update(text, &server("hi\n> ", "A\n")), "unchanged");
    }

    #[test]
    fn endings_are_rewritten() {
        let text = "C: a\nS: A\nS EOF\n";
        assert_eq!(update(text, &[("a\n", "A\n<RST>")]), "C: a\nS: A\nS RST\n");
        assert_eq!(update("C: a\nS: A\nS RST\n", &[("a\n", "A\n<EOF>")]), text);
        assert_eq!(update(text, &[("a\n", "A\n")]), "C: a\nS: A\n");
        assert_eq!(update(text, &[("a\n", "B\n<EOF>")]), "C: a\nS: B\nS EOF\n");
        assert_eq!(update(text, &[("a\n", "A\nmore\n<EOF>")]), "C: a\nS: A\nS: more\nS EOF\n");
        assert_eq!(update("C: a\nS: A\n", &[("a\n", "A\n<RST>")]), "C: a\nS: A\nS RST\n");
        assert_eq!(update("C: a\nS: B\n", &[("a\n", "A\n<RST>")]), "C: a\nS: A\nS RST\n");
        assert_eq!(update("C: a\n", &[("a\n", "<RST>")]), "C: a\nS RST\n");
    }

    #[test]
    fn nothing_is_truncated() {
        let text = "C: a\nS: A\nC: b\nS: B\nS EOF\n";
        assert_eq!(update(text, &[("a\n", "X\n<EOF>")]), "ClosedEarly");
        assert_eq!(update(text, &[("a\n", "A\n<EOF>")]), "ClosedEarly");
        assert_eq!(update(text, &[("a\n", "A\n<RST>")]), "Reset");
        assert_eq!(update(text, &[("a\n", "<EOF>")]), "ClosedEarly");
        assert_eq!(update(text, &[]), "Missing");
        assert_eq!(update(text, &[("a\n", "A\n")]), "Missing");
        // All that the client says was said, and its end is as good as the connection's.
        let text = "C: a\nS: A\nC EOF\nS EOF\n";
        assert_eq!(update(text, &[("a\n", "X\n<EOF>")]), "C: a\nS: X\nC EOF\nS EOF\n");
    }

    #[test]
    fn pauses_are_no_turns() {
        let text = "C: a\nS: A\nC WAIT 300ms\nS: B\nC: c\nS: C\n";
        assert_eq!(update(text, &[("a\n", "A\nX\n"), ("c\n", "C\n")]), text.replace("S: B", "S: X"));
        assert_eq!(update(text, &[("a\n", "X\nB\n"), ("c\n", "C\n")]), text.replace("S: A", "S: X"));
        assert_eq!(update(text, &[("a\n", "A\nB\n"), ("c\n", "X\n")]), text.replace("S: C", "S: X"));
    }

    #[test]
    fn indentation_and_ends_of_lines_stay() {
        let server = [("a\n", "A\nB\n")];
        assert_eq!(update("\u{feff}  C: a\r\n\tS: X\r\n", &server), "\u{feff}  C: a\r\n\tS: A\r\n\tS: B\r\n");
        assert_eq!(update("C: a\nS: X", &server), "C: a\nS: A\nS: B\n");
        assert_eq!(update("C: a\r\n", &server), "C: a\r\nS: A\r\nS: B\r\n");
        assert_eq!(update("%eol crlf\n C: a\n S: A\n", &[("a\r\n", "B\r\n")]), "%eol crlf\n C: a\n S: B\n");
        assert_eq!(update("C: a\nS\\ \\x41\nS: X\n", &server), "C: a\nS\\ \\x41\nS: B\n");
    }
}
