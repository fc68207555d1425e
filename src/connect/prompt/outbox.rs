//! Lines on their way to the server, one at a time.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::connect::Lockstep;
use crate::connect::eol::Eol;
use crate::connect::reply::{Completion, Reply};

/// The lines that were typed or pasted and are not sent yet, and the reply to the last one that was sent.
#[derive(Debug)]
pub(super) struct Outbox {
    eol: Eol,
    lines: VecDeque<String>,
    /// The reply for which the next line waits.
    awaited: Option<Reply>,
    completion: Completion,
}

impl Outbox {
    /// With a greeting to wait for, that is the first reply.
    pub(super) fn new(eol: Eol, lockstep: Option<Lockstep>) -> Self {
        let completion = lockstep.and_then(|lockstep| lockstep.gap).map_or(Completion::Line, Completion::Gap);
        let has_greeting = lockstep.is_some_and(|lockstep| lockstep.greeting);
        let awaited = has_greeting.then(|| Reply::new(completion));
        Self { eol, lines: VecDeque::new(), awaited, completion }
    }

    /// Whether every line is sent.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether a reply is awaited.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }

    /// Waits for the reply to something that was sent before.
    pub(super) fn await_reply(&mut self) {
        self.awaited = Some(Reply::new(self.completion));
    }

    pub(super) fn push(&mut self, lines: Vec<String>) {
        self.lines.extend(lines);
    }

    /// Gives up the lines and the reply.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.awaited = None;
    }

    /// The next line to send, unless a reply is awaited.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        while self.awaited.is_none() {
            let bytes = [self.lines.pop_front()?.as_bytes(), self.eol.bytes()].concat();
            // Without line endings, an empty line is nothing at all.
            if !bytes.is_empty() {
                self.awaited = Some(Reply::new(self.completion));
                return Some(bytes);
            }
        }
        None
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if let Some(reply) = &mut self.awaited {
            reply.receive(bytes);
        }
    }

    /// The line is sent.
    pub(super) fn on_sent(&mut self) {
        if let Some(reply) = &mut self.awaited {
            reply.on_sent();
        }
    }

    /// The reply is complete, or waited for no more.
    pub(super) fn end_reply(&mut self) {
        self.awaited = None;
    }

    /// When the reply is complete if nothing more arrives; `None` if it is not expected to be. A reply without a
    /// line feed may be complete if `is_line_optional`.
    pub(super) fn reply_ends(&self, is_line_optional: bool) -> Option<Instant> {
        let reply = self.awaited.as_ref()?;
        let has_next = !self.lines.is_empty();
        if has_next && reply.is_complete() {
            return Some(Instant::now());
        }
        reply.quiet_at().filter(|_| has_next || is_line_optional || reply.has_line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::advance;

    const MS: Duration = Duration::from_millis(1);

    fn outbox(eol: Eol, lockstep: Option<Lockstep>, lines: &[&str]) -> Outbox {
        let mut outbox = Outbox::new(eol, lockstep);
        outbox.push(lines.iter().map(|&line| line.to_owned()).collect());
        outbox
    }

    fn ends_in(outbox: &Outbox, is_line_optional: bool) -> Option<Duration> {
        outbox.reply_ends(is_line_optional).map(|at| at.saturating_duration_since(Instant::now()))
    }

    #[test]
    fn one_line_at_a_time() {
        let mut outbox = outbox(Eol::Crlf, None, &["one", "", "two"]);
        for line in ["one\r\n", "\r\n", "two\r\n"] {
            assert_eq!(outbox.next(), Some(line.into()));
            assert_eq!(outbox.next(), None);
            outbox.end_reply();
        }
        assert_eq!(outbox.next(), None);
        assert!(outbox.is_empty() && !outbox.is_waiting());
    }

    #[test]
    fn without_line_endings_empty_lines_are_nothing() {
        let mut outbox = outbox(Eol::None, None, &["", "", "two"]);
        assert_eq!(outbox.next(), Some("two".into()));
        assert!(outbox.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_line_waits_for_a_complete_reply_only() {
        let mut outbox = outbox(Eol::Lf, None, &["one", "two"]);
        outbox.next();
        outbox.on_sent();
        assert_eq!(ends_in(&outbox, false), None);
        outbox.receive(b"ON");
        assert_eq!(ends_in(&outbox, false), Some(50 * MS));
        outbox.receive(b"E\n");
        assert_eq!(ends_in(&outbox, false), Some(Duration::ZERO));
        outbox.end_reply();
        outbox.next();
        outbox.receive(b"TWO");
        assert_eq!((ends_in(&outbox, false), ends_in(&outbox, true)), (None, Some(50 * MS)));
        advance(20 * MS).await;
        outbox.receive(b"\n");
        assert_eq!(ends_in(&outbox, false), Some(50 * MS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_ends_a_reply_in_lockstep() {
        let lockstep = Lockstep { greeting: true, gap: Some(300 * MS) };
        let mut outbox = outbox(Eol::Lf, Some(lockstep), &["one", "two"]);
        assert_eq!((outbox.next(), ends_in(&outbox, true)), (None, None));
        outbox.receive(b"220 ready\n");
        assert_eq!(ends_in(&outbox, true), Some(300 * MS));
        outbox.end_reply();
        assert_eq!(outbox.next(), Some("one\n".into()));
        assert_eq!(ends_in(&outbox, true), None);
        outbox.on_sent();
        assert_eq!(ends_in(&outbox, true), Some(300 * MS));
    }
}
