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

/// Compares an item with the start of `bytes`, after which the stream ended if `has_ended`. Items without text
/// of their own match nothing.
pub(super) fn compare(item: &Item, bytes: &[u8], eol: LineEnding, has_ended: bool) -> Match {
    match item {
        Item::Literal(_, literal) if bytes.starts_with(literal) => Match::Yes(literal.len()),
        Item::Literal(_, literal) if literal.starts_with(bytes) => Match::Open,
        Item::Pattern(_, pattern) => match memchr::memchr(b'\n', bytes) {
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
