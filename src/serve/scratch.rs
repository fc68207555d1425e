//! The large buffers, one pair for all clients: a client borrows them while it is polled, so one that is idle owns
//! none.

use std::cell::RefCell;
use std::io;

use crate::memory;
use crate::message::Buffer;

/// How much one read takes at most. Larger buffers gain nothing more in bulk, and fall out of the cache.
pub(super) const READ_BUFFER: usize = 512 * 1024;

struct Scratch {
    input: Buffer,
    spare: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

impl Scratch {
    fn new() -> Self {
        // As large as it can ever get: it would otherwise grow for a client, when there may be no memory left.
        let spare = Vec::with_capacity(Buffer::longest_replies(READ_BUFFER));
        Self { input: Buffer::new(READ_BUFFER), spare }
    }
}

/// Makes the buffers. Returns an error if there is no memory for them.
pub(super) fn prepare() -> io::Result<()> {
    memory::check(Buffer::size(READ_BUFFER) + Buffer::longest_replies(READ_BUFFER))?;
    with(|_, _| Ok(()))
}

/// Lends the buffers: one to read into, and one, which is empty, for replies that do not fit in place.
pub(super) fn with<T>(borrow: impl FnOnce(&mut Buffer, &mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch { input, spare } = scratch.get_or_insert_with(Scratch::new);
        spare.clear();
        borrow(input, spare)
    })
}
