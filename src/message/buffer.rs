//! The buffer that messages are received in and replied from.
//!
//! ```text
//! | room: what may wait for the end of a message | space: the bytes received |
//! ```
//!
//! What waited is copied in front of what was received, so that replies are made, and sent, in one piece.

use super::PIECE;
use crate::text::MAX_CONTINUATION;

/// How much may wait for the end of a message.
const ROOM: usize = PIECE + MAX_CONTINUATION;

/// Processors delay a load that depends on an earlier store if their addresses are equal in these low bits ("4K
/// aliasing" in Intel's optimization manual; AMD's processors do the same).
const ALIAS: usize = 4096;

/// A buffer to receive in, with room in front.
#[derive(Debug)]
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    space: usize,
}

impl Buffer {
    /// How much memory a buffer takes that receives up to `space` bytes at a time.
    pub(crate) const fn size(space: usize) -> usize {
        ROOM + space + ALIAS
    }

    /// How long the replies to what such a buffer holds can be: the capitals of a character of two bytes are up to
    /// three of two bytes (U+0390).
    pub(crate) const fn longest_replies(space: usize) -> usize {
        3 * (ROOM + space)
    }

    /// A buffer that receives up to `space` bytes at a time.
    #[must_use]
    pub fn new(space: usize) -> Self {
        let memory = vec![0; Self::size(space)];
        // Input starts in the middle of a page. The kernel fills its own pages from their start: if input started
        // at the same page offset, copies would take up to a third longer.
        let to_page = memory[ROOM..].as_ptr().align_offset(ALIAS);
        Self { memory, start: (to_page + ALIAS / 2) % ALIAS, space }
    }

    /// Where to receive the next bytes.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.memory[self.start + ROOM..][..self.space]
    }

    /// The first `length` bytes received, after a copy of `before`, which must fit in the room.
    pub(super) fn with_before(&mut self, before: &[u8], length: usize) -> &mut [u8] {
        let start = self.start + ROOM - before.len();
        let bytes = &mut self.memory[start..self.start + ROOM + length];
        bytes[..before.len()].copy_from_slice(before);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_takes_what_it_is_said_to_take() {
        assert_eq!(ROOM, 64 * 1024 + 3);
        assert_eq!(Buffer::size(8), ROOM + 8 + 4096);
        assert_eq!(Buffer::new(8).memory.len(), Buffer::size(8));
    }

    #[test]
    fn input_starts_in_the_middle_of_a_page() {
        let mut buffer = Buffer::new(512 * 1024);
        assert_eq!(buffer.space().len(), 512 * 1024);
        assert_eq!(buffer.space().as_ptr().addr() % ALIAS, ALIAS / 2);
    }

    #[test]
    fn capitals_are_at_most_three_times_as_long() {
        let growth = |character: char| {
            let capitals: usize = character.to_uppercase().map(char::len_utf8).sum();
            capitals.div_ceil(character.len_utf8())
        };
        assert_eq!(('\0'..=char::MAX).map(growth).max(), Some(3));
        assert_eq!(Buffer::longest_replies(8), 3 * (ROOM + 8));
    }

    #[test]
    fn what_waited_comes_first() {
        let mut buffer = Buffer::new(8);
        buffer.space()[..3].copy_from_slice(b"def");
        assert_eq!(buffer.with_before(b"abc", 3), b"abcdef");
        assert_eq!(buffer.with_before(b"", 2), b"de");
        assert_eq!(buffer.with_before(&vec![b'x'; ROOM], 0).len(), ROOM);
    }
}
