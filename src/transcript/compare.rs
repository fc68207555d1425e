//! Compares an item with input: the only place that knows what an item matches.

use super::format::{Item, LineEnding};

/// The longest line that a pattern waits for, and the most that is kept for later items, in bytes.
pub(super) const LONGEST_LINE: usize = 16 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The item matches this many bytes.
    Yes(usize),
    /// More input may make it match.
    Open,
    No,
}

/// What an item is compared with the start of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'b> {
    pub(super) bytes: &'b [u8],
    /// Where the first line feed is. The caller knows it, so that a line that arrives in many pieces is not
    /// searched from its start each time.
    pub(super) line_feed: Option<usize>,
    /// Whether the stream has ended after the bytes.
    pub(super) has_ended: bool,
}

/// Compares an item with input. Items without text of their own match nothing.
pub(super) fn compare(item: &Item, input: Input<'_>, eol: LineEnding) -> Match {
    let Input { bytes, line_feed, has_ended } = input;
    match item {
        Item::Literal(_, literal) if bytes.starts_with(literal) => Match::Yes(literal.len()),
        Item::Literal(_, literal) if literal.starts_with(bytes) => Match::Open,
        Item::Pattern(_, pattern) => match line_feed {
            Some(line_feed) => match bytes[..=line_feed].strip_suffix(eol.bytes()) {
                Some(line) if pattern.matches(line) => Match::Yes(line_feed + 1),
                _ => Match::No,
            },
            None if bytes.len() >= LONGEST_LINE => Match::No,
            // The end of the stream ends a line, but only if there is one.
            None if !has_ended || bytes.is_empty() => Match::Open,
            None if pattern.matches(bytes) => Match::Yes(bytes.len()),
            None => Match::No,
        },
        Item::Literal(..) | Item::Any | Item::End(_) | Item::Reset | Item::Wait(..) | Item::Quiet(_) => {
            Match::No
        }
    }
}
