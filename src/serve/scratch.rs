//! The large buffers, one pair for all connections: one borrows them while it is polled.

use std::cell::RefCell;

use crate::message::ROOM;

/// How much one read takes at the most. Larger buffers gain nothing more in bulk, and fall out of the cache.
const READ_BUFFER: usize = 512 * 1024;

/// Processors take a load for one that depends on an earlier store where the addresses have these low bits in
/// common, and wait ("4K aliasing" in Intel's optimization manual; AMD's do the same).
const ALIAS: usize = 4096;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { input: Input::new(), spare: Vec::new() });
}

struct Scratch {
    input: Input,
    spare: Vec<u8>,
}

/// Lends the buffers: one to read into, behind [`ROOM`], and one for the replies that cannot be made there.
pub(super) fn with<T>(borrow: impl FnOnce(&mut [u8], &mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|Scratch { input, spare }| borrow(input.bytes(), spare))
}

struct Input {
    memory: Vec<u8>,
    start: usize,
}

impl Input {
    /// Input that is read to the middle of a page. The kernel fills its own pages from their start: would this
    /// begin at nearly the same place in a page, as large allocations do, copies to and from it would take up
    /// to a third longer.
    fn new() -> Self {
        let memory = vec![0; ROOM + READ_BUFFER + ALIAS];
        let to_page = memory[ROOM..].as_ptr().align_offset(ALIAS);
        Self { memory, start: (to_page + ALIAS / 2) % ALIAS }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + ROOM + READ_BUFFER]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_to_the_middle_of_a_page() {
        with(|input, _| {
            assert_eq!(input[ROOM..].len(), READ_BUFFER);
            assert_eq!(input[ROOM..].as_ptr().addr() % ALIAS, ALIAS / 2);
        });
    }
}
