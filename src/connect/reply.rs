//! When a reply is there: a whole line, or bytes and then a quiet gap.

use std::time::Duration;

use tokio::time::Instant;

/// How long it must be quiet before what has come counts as all.
pub(super) const QUIET_GAP: Duration = Duration::from_millis(50);

/// What has come of the reply to the line that was sent last.
#[derive(Debug, Default)]
pub(super) struct Reply {
    has_line: bool,
    last_bytes: Option<Instant>,
}

impl Reply {
    /// Takes note of the next bytes.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        self.has_line |= memchr::memchr(b'\n', bytes).is_some();
        self.last_bytes = Some(Instant::now());
    }

    /// Counts the quiet gap from now on: until now, nothing could have been received.
    pub(super) fn restart_gap(&mut self) {
        if let Some(last) = &mut self.last_bytes {
            *last = Instant::now();
        }
    }

    /// Whether a whole line has come.
    pub(super) fn has_line(&self) -> bool {
        self.has_line
    }

    /// When it will have been quiet since the last bytes, if no more come; nothing where none have come.
    pub(super) fn quiet_at(&self) -> Option<Instant> {
        self.last_bytes.map(|last| last + QUIET_GAP)
    }
}
