//! When a reply is complete.

use std::time::Duration;

use tokio::time::Instant;

/// How much silence completes a reply without a line feed.
pub(super) const QUIET_GAP: Duration = Duration::from_millis(50);

/// What completes a reply.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Completion {
    /// A line, or bytes followed by [`QUIET_GAP`].
    #[default]
    Line,
    /// This much silence after the reply, which may be of any length, or none at all.
    Gap(Duration),
}

/// What has arrived of the reply to the last line.
#[derive(Debug, Default)]
pub(super) struct Reply {
    completion: Completion,
    has_line: bool,
    /// The start of the silence that may complete the reply.
    silent_since: Option<Instant>,
}

impl Reply {
    pub(super) fn new(completion: Completion) -> Self {
        Self { completion, ..Self::default() }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.has_line |= memchr::memchr(b'\n', bytes).is_some();
        self.silent_since = Some(Instant::now());
    }

    /// Notes that the line is sent: now there may be a reply.
    pub(super) fn on_sent(&mut self) {
        match self.completion {
            Completion::Line => {}
            Completion::Gap(_) => self.silent_since = Some(Instant::now()),
        }
    }

    /// Starts the silence again: until now, nothing could have been received.
    pub(super) fn restart_gap(&mut self) {
        if let Some(since) = &mut self.silent_since {
            *since = Instant::now();
        }
    }

    /// Whether a complete line has arrived.
    pub(super) fn has_line(&self) -> bool {
        self.has_line
    }

    /// Whether the reply is complete, without waiting for silence.
    pub(super) fn is_complete(&self) -> bool {
        match self.completion {
            Completion::Line => self.has_line,
            Completion::Gap(_) => false,
        }
    }

    /// When silence completes the reply if nothing more arrives; `None` if something must arrive first.
    pub(super) fn quiet_at(&self) -> Option<Instant> {
        let gap = match self.completion {
            Completion::Line => QUIET_GAP,
            Completion::Gap(gap) => gap,
        };
        self.silent_since.map(|since| since + gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const MS: Duration = Duration::from_millis(1);

    fn quiet_in(reply: &Reply) -> Option<Duration> {
        reply.quiet_at().map(|at| at.saturating_duration_since(Instant::now()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_or_bytes_and_silence_are_a_reply() {
        let mut reply = Reply::new(Completion::Line);
        reply.on_sent();
        assert_eq!((quiet_in(&reply), reply.is_complete()), (None, false));
        reply.receive(b"logi");
        advance(20 * MS).await;
        assert_eq!(quiet_in(&reply), Some(30 * MS));
        reply.receive(b"n: ");
        assert_eq!((quiet_in(&reply), reply.is_complete()), (Some(50 * MS), false));
        reply.receive(b"\n");
        assert!(reply.is_complete());
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_completes_any_reply() {
        let mut reply = Reply::new(Completion::Gap(300 * MS));
        // A greeting is not preceded by a line: nothing has arrived, so nothing is complete.
        assert_eq!(quiet_in(&reply), None);
        reply.on_sent();
        assert_eq!(quiet_in(&reply), Some(300 * MS));
        advance(200 * MS).await;
        assert_eq!(quiet_in(&reply), Some(100 * MS));
        reply.receive(b"250-one\r\n250 two\r\n");
        assert_eq!((quiet_in(&reply), reply.is_complete()), (Some(300 * MS), false));
        advance(200 * MS).await;
        reply.restart_gap();
        assert_eq!(quiet_in(&reply), Some(300 * MS));
    }
}
