//! The log: what happens to clients, on standard error.
//!
//! A thread writes the lines, after a bounded queue: if the log cannot be written fast enough, lines are dropped and
//! counted; clients are never delayed.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

use crate::blocking;
use crate::memory;
use crate::messages;
use crate::transcript::Diff;
use crate::transport::Peer;

/// How many lines, and how many bytes, may wait to be written.
const QUEUE: usize = 4096;
const QUEUE_BYTES: usize = 1024 * 1024;

/// How long the last lines may take to be written when the server exits.
const FINISH_LIMIT: Duration = Duration::from_millis(500);

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    Quiet,
    /// Connections, and what delays them.
    Normal,
    /// Also how single messages were handled.
    Verbose,
}

/// Log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line per event
    Text,
    /// One JSON object per line
    Json,
}

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum LogEvent {
    Connected {
        client: Peer,
    },
    /// The server replied to an unfinished message at a quiet gap.
    Paused {
        client: Peer,
        bytes: usize,
    },
    Disconnected {
        client: Peer,
        reason: Cow<'static, str>,
        /// Whether the client could read everything up to the end of stream.
        clean: bool,
        messages: u64,
        received: u64,
        sent: u64,
        seconds: f64,
    },
    /// A client did not get through the handshake of TLS.
    NoTls {
        client: Peer,
        error: String,
    },
    /// A client speaks TLS to a server that does not.
    Hello {
        client: Peer,
    },
    /// The certificate that the server has made for itself.
    Certificate {
        sha256: String,
    },
    /// A mock's client departed from the transcript.
    Diverged {
        client: Peer,
        diff: Diff,
    },
    /// A mock's client disconnected.
    Played {
        client: Peer,
        completed: bool,
        /// Why the transcript was abandoned, if the client did not depart from it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        seconds: f64,
    },
    /// A forwarder could not connect to the target.
    Unreachable {
        client: Peer,
        error: String,
    },
    /// A forwarder's client disconnected.
    Forwarded {
        client: Peer,
        reason: &'static str,
        /// Whether client and target could receive everything up to EOF.
        clean: bool,
        received: u64,
        sent: u64,
        seconds: f64,
    },
    /// A client's recording is missing or incomplete.
    NotRecorded {
        client: Peer,
        error: String,
    },
    /// The client limit is reached.
    Full {
        clients: usize,
    },
    /// The system has no descriptor or memory for another client.
    Starved {
        error: String,
        clients: usize,
    },
    Stopping {
        signal: &'static str,
        clients: usize,
    },
    Stopped {
        clients: usize,
    },
    /// The log was not read fast enough.
    Dropped {
        lines: u64,
    },
}

impl LogEvent {
    fn level(&self) -> LogLevel {
        match self {
            Self::Paused { .. } | Self::Stopped { clients: 0 } => LogLevel::Verbose,
            _ => LogLevel::Normal,
        }
    }
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { client } => write!(f, "{client} connected"),
            Self::Hello { client } => write!(f, "{client} speaks TLS, and this server does not (see --tls)"),
            Self::Certificate { sha256 } => write!(f, "certificate SHA-256 fingerprint {sha256}"),
            Self::Paused { client, bytes } => {
                write!(f, "{client}: replied to partial message ({})", counted(*bytes as u64, "byte"))
            }
            Self::Disconnected { client, reason, clean, messages, received, sent, seconds } => {
                let how = if *clean { "" } else { " uncleanly" };
                let messages = counted(*messages, "message");
                write!(
                    f,
                    "{client} disconnected{how} ({reason}): {messages}, {received} B in, {sent} B out, \
                     {seconds:.3} s"
                )
            }
            Self::Diverged { client, diff } => {
                write!(f, "{client} departed from the transcript: {}", diff.headline)?;
                diff.lines.iter().try_for_each(|line| write!(f, "\n{line}"))
            }
            Self::Played { client, completed, reason, seconds } => {
                let how = if *completed { "completed" } else { "did not complete" };
                write!(f, "{client} disconnected: {how} the transcript")?;
                reason.iter().try_for_each(|reason| write!(f, " ({reason})"))?;
                write!(f, ", {seconds:.3} s")
            }
            Self::NoTls { client, error } | Self::Unreachable { client, error } => {
                write!(f, "{client}: {error}")
            }
            Self::Forwarded { client, reason, clean, received, sent, seconds } => {
                let how = if *clean { "" } else { " uncleanly" };
                write!(
                    f,
                    "{client} disconnected{how} ({reason}): {received} B in, {sent} B out, {seconds:.3} s"
                )
            }
            Self::NotRecorded { client, error } => write!(f, "{client} could not be recorded: {error}"),
            Self::Full { clients } => write!(f, "client limit reached ({clients}); new clients will wait"),
            Self::Starved { error, clients } => {
                write!(f, "cannot accept client ({clients} connected): {error}; trying again")
            }
            Self::Stopping { signal, clients } => {
                write!(f, "{signal}: shutting down ({})", counted(*clients as u64, "client"))
            }
            Self::Stopped { clients: 0 } => write!(f, "stopped"),
            Self::Stopped { clients } => {
                write!(f, "stopped; {} still connected", counted(*clients as u64, "client"))
            }
            Self::Dropped { lines } => write!(f, "{} dropped", counted(*lines, "log line")),
        }
    }
}

/// A number with its noun: `1 client`, `2 clients`.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Serialize for Peer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An event with its time, as in a JSON line.
#[derive(Serialize)]
struct Stamped<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a LogEvent,
}

/// A log. Clones write to the same one.
#[derive(Clone, Debug)]
pub(super) struct Log {
    level: LogLevel,
    format: LogFormat,
    queue: SyncSender<Queued>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    /// The size of the lines in the queue, and of the one that is being written.
    bytes: AtomicUsize,
    /// How many lines were dropped and not reported yet.
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Queued {
    Line(LogLine),
    /// Dropped once every line before it is written.
    Finish(SyncSender<()>),
}

#[derive(Debug)]
struct LogLine {
    text: String,
    /// How many lines are lost if this one cannot be written.
    stands_for: u64,
}

impl Log {
    /// Starts the thread that writes the log. Returns an error if the system has no thread or memory left.
    pub(super) fn start(level: LogLevel, format: LogFormat) -> Result<Self> {
        memory::check(QUEUE * 2 * size_of::<Queued>()).context("could not start the log")?;
        let (queue, queued) = sync_channel(QUEUE);
        let counters = Arc::new(Counters::default());
        if level > LogLevel::Quiet {
            let counters = Arc::clone(&counters);
            let writing = blocking::spawn(move || counters.write(&queued, messages::write_to_stderr));
            writing.context("could not start the log")?;
        }
        Ok(Self { level, format, queue, counters })
    }

    /// Logs an event, unless the level excludes it. Never blocks.
    pub(super) fn add(&self, event: &LogEvent) {
        if event.level() <= self.level {
            self.report_dropped();
            self.enqueue(event, 1);
        }
    }

    fn report_dropped(&self) {
        let lines = self.counters.dropped.swap(0, Ordering::Relaxed);
        if lines > 0 {
            self.enqueue(&LogEvent::Dropped { lines }, lines);
        }
    }

    fn enqueue(&self, event: &LogEvent, stands_for: u64) {
        let line = LogLine { text: self.format(event), stands_for };
        let length = line.text.len();
        // A line that is longer than the queue may be, is taken if it is alone.
        let others = self.counters.bytes.fetch_add(length, Ordering::Relaxed);
        let fits = others == 0 || others + length <= QUEUE_BYTES;
        if !fits || self.queue.try_send(Queued::Line(line)).is_err() {
            self.counters.bytes.fetch_sub(length, Ordering::Relaxed);
            self.counters.dropped.fetch_add(stands_for, Ordering::Relaxed);
        }
    }

    fn format(&self, event: &LogEvent) -> String {
        match self.format {
            LogFormat::Text => format!("{event}\n"),
            LogFormat::Json => {
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                let line = serde_json::to_string(&Stamped { time, event });
                line.map_or_else(|error| format!("{error}\n"), |line| line + "\n")
            }
        }
    }

    /// Waits until all lines are written, or a short time has passed.
    pub(super) fn finish(&self) {
        if self.level == LogLevel::Quiet {
            return;
        }
        self.report_dropped();
        let (written, all_written) = sync_channel(1);
        if self.queue.try_send(Queued::Finish(written)).is_ok() {
            // If this times out, nobody reads the log.
            let _ = all_written.recv_timeout(FINISH_LIMIT);
        }
    }
}

impl Counters {
    fn write(&self, queue: &Receiver<Queued>, write: impl Fn(&str) -> io::Result<()>) {
        for queued in queue {
            match queued {
                Queued::Line(LogLine { text, stands_for }) => {
                    // Nothing can be reported to a reader that is gone, but another one may open the same FIFO later.
                    if write(&text).is_err() {
                        self.dropped.fetch_add(stands_for, Ordering::Relaxed);
                    }
                    self.bytes.fetch_sub(text.len(), Ordering::Relaxed);
                }
                Queued::Finish(written) => drop(written),
            }
        }
    }
}

#[cfg(test)]
mod tests;
