//! Shows every line of a connection on standard error, with the time since the start.

use std::time::{Duration, Instant};

use crate::messages;
use crate::transcript::{Connection, Playable, Recorder, Side};
use crate::transport::Observer;

/// A connection that is shown. A line that nothing completes is shown once the other side speaks, or when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Trace {
    path: String,
    connection: Connection,
    start: Instant,
    recorder: Recorder,
    /// Who spoke last, and when.
    last: Option<(Side, Duration)>,
}

impl Trace {
    /// Shows a connection on which this transcript is played.
    pub(crate) fn new(playable: &Playable, connection: Connection, start: Instant) -> Self {
        let transcript = playable.transcript();
        let recorder = Recorder::with_eol(transcript.eol).masking(playable.secrets().clone());
        Self { path: transcript.path.display().to_string(), connection, start, recorder, last: None }
    }

    /// Shows that the connection was opened in the middle of the conversation. The address is safe to print.
    pub(crate) fn opened(&self, address: &str) {
        self.show(self.start.elapsed(), &format!("C CONNECT {address}"));
    }

    fn say(&mut self, side: Side, bytes: &[u8]) {
        let now = self.start.elapsed();
        if self.last.is_some_and(|(last, _)| last != side) {
            self.flush();
        }
        self.last = Some((side, now));
        let lines = self.recorder.say(side, bytes);
        self.show(now, &lines);
    }

    fn end(&mut self, end: impl FnOnce(&mut Recorder) -> String) {
        self.flush();
        let lines = end(&mut self.recorder);
        self.show(self.start.elapsed(), &lines);
    }

    /// Shows the start of a line, with the time at which its last bytes were seen.
    fn flush(&mut self) {
        let line = self.recorder.flush();
        if let Some((_, time)) = self.last {
            self.show(time, &line);
        }
    }

    fn show(&self, time: Duration, lines: &str) {
        for line in lines.lines() {
            let line = self.connection.number(line.to_owned());
            messages::notice(format_args!("{}: {:.3} {line}", self.path, time.as_secs_f64()));
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.end(Recorder::finish);
    }
}

impl Observer for Trace {
    fn received(&mut self, bytes: &[u8]) {
        self.say(Side::Server, bytes);
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.say(Side::Client, bytes);
    }

    fn peer_ended(&mut self) {
        self.end(|recorder| recorder.end(Side::Server));
    }

    fn peer_cut(&mut self) {}

    fn ended(&mut self) {
        self.end(|recorder| recorder.end(Side::Client));
    }

    fn peer_reset(&mut self) {
        self.end(Recorder::reset);
    }

    fn reset(&mut self) {}
}
