//! What the server tells of its clients, on standard error.
//!
//! A thread of its own writes the lines, behind a bounded queue: a reader that is slow or dead costs lines,
//! which are counted, and never holds up a client.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::transcript::Diff;
use crate::transport::Peer;

/// How many lines may wait for the log's reader.
const QUEUE: usize = 4096;

/// How long the last lines may take to be written when the server ends.
const FINISH_LIMIT: Duration = Duration::from_millis(500);

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Quiet,
    /// When clients come and go, and what holds the server up.
    Normal,
    /// Also how single messages were handled.
    Verbose,
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A sentence a line.
    Text,
    /// A JSON object a line.
    Json,
}

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Connected {
        client: Peer,
    },
    /// An unfinished message was answered at a quiet gap.
    Paused {
        client: Peer,
        bytes: usize,
    },
    Disconnected {
        client: Peer,
        reason: Cow<'static, str>,
        /// Whether the client saw an end of stream, or can have, and not a reset.
        in_order: bool,
        messages: u64,
        received: u64,
        sent: u64,
        seconds: f64,
    },
    /// A client of a mock said something else than the transcript.
    Diverged {
        client: Peer,
        diff: Diff,
    },
    /// A mock has played to a client.
    Played {
        client: Peer,
        followed: bool,
        seconds: f64,
    },
    /// A client's recording is not whole.
    NotRecorded {
        client: Peer,
        error: String,
    },
    /// The limit of clients is reached.
    Full {
        clients: usize,
    },
    /// The system lacks what another client needs.
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
    /// Lines were lost because nobody read the log fast enough.
    Dropped {
        lines: u64,
    },
}

impl Event {
    fn level(&self) -> Level {
        match self {
            Self::Paused { .. } | Self::Stopped { clients: 0 } => Level::Verbose,
            _ => Level::Normal,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { client } => write!(f, "{client} connected"),
            Self::Paused { client, bytes } => write!(f, "{client} paused: answered with {bytes} bytes"),
            Self::Disconnected { client, reason, in_order, messages, received, sent, seconds } => {
                let how = if *in_order { "" } else { ", not in order" };
                write!(
                    f,
                    "{client} disconnected{how}: {reason}; messages {messages}, bytes received {received}, \
                     sent {sent}, seconds {seconds:.3}"
                )
            }
            Self::Diverged { client, diff } => {
                write!(f, "{client} left the transcript: {}", diff.headline)?;
                diff.lines.iter().try_for_each(|line| write!(f, "\n{line}"))
            }
            Self::Played { client, followed, seconds } => {
                let how = if *followed { "followed" } else { "did not follow" };
                write!(f, "{client} disconnected: {how} the transcript; seconds {seconds:.3}")
            }
            Self::NotRecorded { client, error } => write!(f, "{client} could not be recorded: {error}"),
            Self::Full { clients } => write!(f, "clients {clients}: the limit is reached, new ones wait"),
            Self::Starved { error, clients } => {
                write!(f, "could not accept a client beside {clients}: {error}; trying again")
            }
            Self::Stopping { signal, clients } => write!(f, "{signal}: stopping, clients {clients}"),
            Self::Stopped { clients: 0 } => write!(f, "stopped"),
            Self::Stopped { clients } => write!(f, "stopped, clients that had not left {clients}"),
            Self::Dropped { lines } => write!(f, "log lines lost {lines}"),
        }
    }
}

impl Serialize for Peer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An event with the time at which it was told, as a JSON line has it.
#[derive(Serialize)]
struct Stamped<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

/// Where events go. Clones write to the same log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    level: Level,
    format: Format,
    queue: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(String),
    /// To be dropped once every line before it is written.
    Finish(SyncSender<()>),
}

impl Log {
    /// Starts the thread that writes the log.
    pub(super) fn start(level: Level, format: Format) -> Self {
        let (queue, entries) = sync_channel(QUEUE);
        if level > Level::Quiet {
            thread::spawn(move || write_entries(&entries));
        }
        Self { level, format, queue, dropped: Arc::default() }
    }

    /// Writes an event, unless it is more than the level asks for. Never waits.
    pub(super) fn tell(&self, event: &Event) {
        if event.level() > self.level {
            return;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 && !self.enqueue(&Event::Dropped { lines: dropped }) {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        if !self.enqueue(event) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enqueue(&self, event: &Event) -> bool {
        self.queue.try_send(Entry::Line(self.format(event))).is_ok()
    }

    fn format(&self, event: &Event) -> String {
        match self.format {
            Format::Text => format!("{event}\n"),
            Format::Json => {
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                let line = serde_json::to_string(&Stamped { time, event });
                line.map_or_else(|error| format!("{error}\n"), |line| line + "\n")
            }
        }
    }

    /// Waits until all lines are written, or for a moment.
    pub(super) fn finish(&self) {
        let (written, all_written) = sync_channel(1);
        if self.level > Level::Quiet && self.queue.try_send(Entry::Finish(written)).is_ok() {
            // After a timeout, nobody reads the log.
            let _ = all_written.recv_timeout(FINISH_LIMIT);
        }
    }
}

fn write_entries(entries: &Receiver<Entry>) {
    let mut stderr = std::io::stderr();
    for entry in entries {
        match entry {
            // A reader that is gone can be told nothing; another one may open the same file later.
            Entry::Line(line) => drop(stderr.write_all(line.as_bytes())),
            Entry::Finish(written) => drop(written),
        }
    }
}
