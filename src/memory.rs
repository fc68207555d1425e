//! Memory for large buffers, whose lack costs one client and not the program.
//!
//! A small allocation that fails ends the program, and nothing can be done about that in safe Rust. So a large one must
//! never take the last memory: a reserve is held back, and freed as soon as a large allocation fails. While the reserve
//! is missing, small allocations live on it, and no large one is made.
//!
//! ```text
//! Unmanaged --keep_reserve()--> Held --a large allocation failed--> Freed
//!                                ^                                    |
//!                                +----enough memory again-------------+
//! ```

use std::cell::RefCell;
use std::hint;
use std::io::{self, ErrorKind};

/// How much is held back. It is never touched, so it takes address space alone.
const RESERVE: usize = 512 * 1024;

/// An allocation of up to this size is not large.
const SMALL: usize = 4096;

/// How much must be free for another client, besides the reserve: its task and its descriptor's entry are a few
/// hundred bytes. It is less than what makes an allocator return memory to the system each time.
const ROOM: usize = 32 * 1024;

thread_local! {
    static RESERVE_STATE: RefCell<State> = const { RefCell::new(State::Unmanaged) };
}

#[derive(Debug)]
enum State {
    /// No reserve was asked for: in a client, and in tests.
    Unmanaged,
    Held(#[expect(dead_code, reason = "only its size matters")] Vec<u8>),
    Freed,
}

/// Holds a reserve back for this thread. Returns an error if there is no memory for it.
pub(crate) fn keep_reserve() -> io::Result<()> {
    RESERVE_STATE.with_borrow_mut(State::refill)
}

/// Reserves space for `additional` bytes, and no more, in a buffer that may be large.
pub(crate) fn reserve(buffer: &mut Vec<u8>, additional: usize) -> io::Result<()> {
    if additional <= buffer.capacity() - buffer.len() {
        return Ok(());
    }
    RESERVE_STATE.with_borrow_mut(|state| {
        if additional > SMALL && matches!(state, State::Freed) {
            state.refill()?;
        }
        buffer.try_reserve_exact(additional).map_err(|_| state.free())
    })
}

/// Returns an error if there is not this much memory.
pub(crate) fn check(bytes: usize) -> io::Result<()> {
    let mut probe = Vec::new();
    reserve(&mut probe, bytes)?;
    // Otherwise the compiler may leave the allocation out.
    drop(hint::black_box(probe));
    Ok(())
}

/// Returns an error if there is no memory for another client.
pub(crate) fn check_room() -> io::Result<()> {
    check(ROOM)
}

impl State {
    fn refill(&mut self) -> io::Result<()> {
        let mut reserve = Vec::new();
        reserve.try_reserve_exact(RESERVE).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        *self = Self::Held(reserve);
        Ok(())
    }

    /// Frees the reserve, because memory is short.
    fn free(&mut self) -> io::Error {
        if let Self::Held(_) = self {
            *self = Self::Freed;
        }
        ErrorKind::OutOfMemory.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than any address space.
    const TOO_MUCH: usize = isize::MAX as usize;

    #[test]
    fn a_large_allocation_that_fails_frees_the_reserve_until_the_next_one() {
        keep_reserve().unwrap();
        let mut buffer = Vec::new();
        assert_eq!(reserve(&mut buffer, TOO_MUCH).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert!(RESERVE_STATE.with_borrow(|state| matches!(state, State::Freed)));
        reserve(&mut buffer, SMALL).unwrap();
        assert!(RESERVE_STATE.with_borrow(|state| matches!(state, State::Freed)));
        reserve(&mut buffer, SMALL + 1).unwrap();
        assert!(buffer.capacity() > SMALL);
        assert!(RESERVE_STATE.with_borrow(|state| matches!(state, State::Held(_))));
    }

    #[test]
    fn nothing_is_held_back_unless_asked_for() {
        assert!(reserve(&mut Vec::new(), TOO_MUCH).is_err());
        check_room().unwrap();
        assert!(RESERVE_STATE.with_borrow(|state| matches!(state, State::Unmanaged)));
    }
}
