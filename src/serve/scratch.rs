//! The large buffers, one pair for all clients: a client borrows them while it is polled, so one that is idle owns
//! none.

use std::cell::RefCell;

use crate::message::Buffer;

/// How much one read takes at most. Larger buffers gain nothing more in bulk, and fall out of the cache.
const READ_BUFFER: usize = 512 * 1024;

thread_local! {
    static SCRATCH: RefCell<(Buffer, Vec<u8>)> = RefCell::new((Buffer::new(READ_BUFFER), Vec::new()));
}

/// Lends the buffers: one to read into, and one for replies that do not fit in place.
pub(super) fn with<T>(borrow: impl FnOnce(&mut Buffer, &mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|(input, spare)| borrow(input, spare))
}
