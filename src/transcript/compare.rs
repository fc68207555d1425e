//! Compares an item with input: the only place that knows what an item matches.

use super::format::{Item, LineEnding, Pattern};
use super::scan::Scan;
pub(super) use super::scan::{LONGEST_LINE, Match};
use super::variables::Variables;

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

/// Compares an item with input, and leaves in `scan` what it binds if it matches. Items without text of their own
/// match nothing.
///
/// `scan` is new, or that of the same item and a shorter part of the same input.
pub(super) fn compare(
    item: &Item,
    input: Input<'_>,
    eol: LineEnding,
    variables: &Variables,
    scan: &mut Scan,
) -> Match {
    let Input { bytes, line_feed, has_ended } = input;
    match item {
        Item::Literal(_, literal) if bytes.starts_with(literal) => Match::Yes(literal.len()),
        Item::Literal(_, literal) if literal.starts_with(bytes) => Match::Open,
        Item::Template(_, template) => scan.compare(template, bytes, variables),
        Item::Pattern(_, pattern) => match line_feed {
            Some(line_feed) => match bytes[..=line_feed].strip_suffix(eol.bytes()) {
                Some(line) if matches(pattern, line, variables, scan) => Match::Yes(line_feed + 1),
                _ => Match::No,
            },
            None if bytes.len() >= LONGEST_LINE => Match::No,
            // The end of the stream ends a line, but only if there is one.
            None if !has_ended || bytes.is_empty() => Match::Open,
            None if matches(pattern, bytes, variables, scan) => Match::Yes(bytes.len()),
            None => Match::No,
        },
        Item::Literal(..)
        | Item::Skip(..)
        | Item::Connect(_)
        | Item::Placeholder
        | Item::End(_)
        | Item::Reset
        | Item::Wait(..)
        | Item::Quiet(_) => Match::No,
    }
}

/// Whether a pattern matches a line, and its groups the variables that are bound already.
fn matches(pattern: &Pattern, line: &[u8], variables: &Variables, scan: &mut Scan) -> bool {
    let Some(groups) = pattern.groups(line) else { return false };
    let is_equal = |name, range| variables.get(name).is_none_or(|value| value == &line[range]);
    if !groups.iter().all(|(name, range)| is_equal(name, range.clone())) {
        return false;
    }
    scan.set_bound(groups);
    true
}
