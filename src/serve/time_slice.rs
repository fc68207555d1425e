//! How long one client is served before the others are, so that slow text costs its own client.

use std::time::{Duration, Instant};

use super::scratch::READ_BUFFER;

/// How long a slice takes at most, but for a first read of slow text.
const TURN: Duration = Duration::from_millis(1);

/// Bytes count as time even if they take less of it: at this rate, 256 KiB are a slice.
const NANOS_PER_BYTE: u64 = 4;

/// A read of less than this is not timed: reading the clock would be a noticeable part of it.
const TIMED: usize = 16 * 1024;

/// The smallest reads, for the slowest text, are the read buffer divided by two this many times.
const MOST_HALVINGS: u8 = 4;

/// The time that a client is served without a pause.
#[derive(Debug, Default)]
pub(super) struct TimeSlice {
    /// What it has cost so far, in nanoseconds.
    spent: u32,
    /// How often the size of reads was halved.
    halvings: u8,
    /// Whether the last read was large enough to time the next one.
    is_timed: bool,
}

impl TimeSlice {
    /// How much may be read next.
    pub(super) fn read_limit(&self) -> usize {
        READ_BUFFER >> self.halvings
    }

    /// The time before a read.
    pub(super) fn start(&self) -> Option<Instant> {
        self.is_timed.then(Instant::now)
    }

    /// Adds a read of this many bytes, which are answered since `start`.
    pub(super) fn spend(&mut self, bytes: usize, start: Option<Instant>) {
        self.is_timed = bytes >= TIMED;
        let time = start.map(|start| start.elapsed());
        match time {
            Some(time) if time > TURN => self.halvings = MOST_HALVINGS.min(self.halvings + 1),
            Some(time) if time < TURN / 3 && bytes == self.read_limit() => {
                self.halvings = self.halvings.saturating_sub(1);
            }
            Some(_) | None => {}
        }
        let cost = Duration::from_nanos(bytes as u64 * NANOS_PER_BYTE).max(time.unwrap_or_default());
        self.spent = self.spent.saturating_add(u32::try_from(cost.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Whether the slice is over. If so, the next one starts.
    pub(super) fn is_over(&mut self) -> bool {
        let is_over = u128::from(self.spent) >= TURN.as_nanos();
        if is_over {
            self.spent = 0;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[test]
    fn a_slice_ends_after_256_kib_or_a_millisecond() {
        let mut slice = TimeSlice::default();
        for _ in 0..15 {
            slice.spend(16 << 10, None);
            assert!(!slice.is_over());
        }
        slice.spend(16 << 10, None);
        assert!(slice.is_over() && !slice.is_over());
        slice.spend(1, Some(ago(TURN)));
        assert!(slice.is_over() && !slice.is_over());
    }

    #[test]
    fn reads_shrink_while_they_are_slow_and_grow_again() {
        let mut slice = TimeSlice::default();
        for halvings in [1, 2, 3, 4, 4] {
            slice.spend(slice.read_limit(), Some(ago(2 * TURN)));
            assert_eq!(slice.read_limit(), READ_BUFFER >> halvings);
        }
        // A read that was short says nothing.
        slice.spend(slice.read_limit() - 1, Some(Instant::now()));
        assert_eq!(slice.read_limit(), READ_BUFFER >> 4);
        for halvings in [3, 2, 1, 0, 0] {
            slice.spend(slice.read_limit(), Some(Instant::now()));
            assert_eq!(slice.read_limit(), READ_BUFFER >> halvings);
        }
    }

    #[test]
    fn only_large_reads_are_timed() {
        let mut slice = TimeSlice::default();
        assert!(slice.start().is_none());
        slice.spend(TIMED, None);
        assert!(slice.start().is_some());
        slice.spend(TIMED - 1, None);
        assert!(slice.start().is_none());
    }
}
