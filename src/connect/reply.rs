//! When a reply is complete: one line, or bytes followed by a quiet gap.

use std::time::Duration;

use tokio::time::Instant;

/// How much silence completes a reply without a line feed.
pub(super) const QUIET_GAP: Duration = Duration::from_millis(50);

/// What has arrived of the reply to the last line.
#[derive(Debug, Default)]
pub(super) struct Reply {
    has_line: bool,
    last_bytes: Option<Instant>,
}

impl Reply {
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.has_line |= memchr::memchr(b'\n', bytes).is_some();
        self.last_bytes = Some(Instant::now());
    }

    /// Starts the quiet gap again: until now, nothing could have been received.
    pub(super) fn restart_gap(&mut self) {
        if let Some(last) = &mut self.last_bytes {
            *last = Instant::now();
        }
    }

    /// Whether a complete line has arrived.
    pub(super) fn has_line(&self) -> bool {
        self.has_line
    }

    /// When the quiet gap ends if nothing more arrives; `None` if nothing has arrived.
    pub(super) fn quiet_at(&self) -> Option<Instant> {
        self.last_bytes.map(|last| last + QUIET_GAP)
    }
}
