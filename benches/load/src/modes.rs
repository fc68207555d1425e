//! The ways to load a server, and the rounds in which the servers take turns.

use std::io;
use std::time::Duration;

use crate::generator;
use crate::processors::Processors;
use crate::results::{Figure, Table, Unit};
use crate::servers::{Kind, Server};
use crate::texts::Text;

/// One way to load a server.
pub(crate) enum Mode {
    /// This many connections each send a line, wait for its reply, and send the next.
    RequestReply(usize),
    /// This many connections send short lines without waiting.
    Pipelined(usize),
    /// One connection sends a text without waiting.
    Bulk(Text),
    /// One connection sends lines of this many bytes without waiting.
    Lines(usize),
    /// One connection after the other, with one line each.
    Churn,
    /// This many connections are open and silent.
    Idle(usize),
}

/// Short lines, like a pipeline of commands.
fn pipeline() -> Text {
    Text::of_line("pipeline", "get key:12345678\n")
}

/// Lines of `length` bytes and a line feed.
fn lines_of(length: usize) -> Text {
    Text::of_line("length", &("x".repeat(length) + "\n"))
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// How long request and reply run.
    pub(crate) time: Duration,
    /// How long anything else may take.
    pub(crate) limit: Duration,
    /// How much is sent if nothing waits for replies.
    pub(crate) bytes: usize,
    pub(crate) churn: u32,
}

impl Mode {
    /// The modes that compare servers.
    pub(crate) fn all() -> Vec<Self> {
        let mut modes: Vec<Self> = [1, 50, 1000].map(Self::RequestReply).into();
        modes.extend([1, 8].map(Self::Pipelined));
        modes.extend(Text::all().map(Self::Bulk));
        modes.extend([Self::Churn, Self::Idle(10_000)]);
        modes
    }

    /// How cost grows with the number of clients, and with the length of a message.
    pub(crate) fn growth() -> Vec<Self> {
        let mut modes: Vec<Self> = [1, 10, 100, 1000, 10_000].map(Self::RequestReply).into();
        modes.extend([1, 10, 100, 1000, 10_000, 100_000, 1 << 20].map(Self::Lines));
        modes
    }

    pub(crate) fn name(&self) -> String {
        let counted = |clients: usize| format!("{clients} client{}", if clients == 1 { "" } else { "s" });
        match *self {
            Self::RequestReply(clients) => format!("request and reply, {}", counted(clients)),
            Self::Pipelined(clients) => format!("pipelined, {}", counted(clients)),
            Self::Bulk(ref text) => format!("bulk, {}", text.name),
            Self::Lines(length) => format!("messages of {length} B"),
            Self::Churn => "churn".into(),
            Self::Idle(clients) => format!("idle, {}", counted(clients)),
        }
    }

    /// How many clients a server must serve simultaneously.
    fn clients(&self) -> usize {
        match *self {
            Self::RequestReply(clients) | Self::Pipelined(clients) | Self::Idle(clients) => clients,
            Self::Bulk(_) | Self::Lines(_) | Self::Churn => 1,
        }
    }

    /// Whether the load sends without waiting for replies.
    fn streams(&self) -> bool {
        matches!(self, Self::Pipelined(_) | Self::Bulk(_) | Self::Lines(_))
    }

    fn measure(&self, kind: &Kind, server: &Server, scale: Scale) -> io::Result<Vec<Figure>> {
        let address = server.address;
        let megabytes = |connections: usize, text: &Text| {
            let total = scale.bytes / connections;
            let rate = generator::stream(address, connections, &text.bytes, kind.answer, total, scale.limit)?;
            Ok(vec![Figure::new(self.name(), Unit::MegabytesPerSecond, rate / 1e6)])
        };
        match self {
            Self::RequestReply(connections) => {
                let result = generator::request_reply(address, *connections, scale.time, kind.answer)?;
                let microseconds = |name, value: Duration| {
                    let name = format!("{}, {name}", self.name());
                    Figure::new(name, Unit::Microseconds, value.as_secs_f64() * 1e6)
                };
                Ok(vec![
                    Figure::new(self.name(), Unit::PerSecond, result.per_second),
                    microseconds("p50", result.p50),
                    microseconds("p99", result.p99),
                ])
            }
            Self::Pipelined(connections) => megabytes(*connections, &pipeline()),
            Self::Bulk(text) => megabytes(1, text),
            Self::Lines(length) => megabytes(1, &lines_of(*length)),
            Self::Churn => {
                let rate = generator::churn(address, scale.churn, kind.answer, scale.limit)?;
                Ok(vec![Figure::new(self.name(), Unit::PerSecond, rate)])
            }
            Self::Idle(connections) => {
                let before = server.memory()?;
                let (time, streams) = generator::open(address, *connections, kind.answer)?;
                #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
                let each = server.memory()?.saturating_sub(before) as f64 / streams.len() as f64;
                Ok(vec![
                    Figure::new(
                        format!("open {connections} connections"),
                        Unit::Milliseconds,
                        time.as_secs_f64() * 1e3,
                    ),
                    Figure::new("memory of an idle connection", Unit::Bytes, each),
                ])
            }
        }
    }
}

/// A server, and how much is measured of it.
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) scale: Scale,
}

/// Measures each mode, in rounds in which each server is started anew. A server that fails in a mode is left out of the
/// rest of it. A server that locks up if the load does not wait for replies is left out of all such modes.
pub(crate) fn measure(
    title: &'static str,
    modes: &[Mode],
    subjects: &[Subject],
    processors: &Processors,
) -> Table {
    let mut table = Table::new(title, subjects.iter().map(|subject| subject.kind.name).collect());
    let rounds = subjects.iter().map(|subject| subject.scale.rounds).max().unwrap_or_default();
    let mut locks_up: Vec<Option<String>> = vec![None; subjects.len()];
    for mode in modes {
        let mut out = vec![false; subjects.len()];
        for (index, subject) in subjects.iter().enumerate() {
            if mode.clients() > subject.kind.clients {
                let why = match subject.kind.clients {
                    1 => "serves one client at a time".into(),
                    clients => format!("a process for each client, at most {clients} here"),
                };
                table.note(index, &mode.name(), &why);
                out[index] = true;
            } else if let Some(why) = locks_up[index].as_ref().filter(|_| mode.streams()) {
                table.note(index, &mode.name(), why);
                out[index] = true;
            }
        }
        for round in 0..rounds {
            let mut order: Vec<usize> = (0..subjects.len()).collect();
            if round % 2 == 1 {
                // So that no server always follows the same one.
                order.reverse();
            }
            for index in order {
                let Subject { kind, scale } = &subjects[index];
                if out[index] || round >= scale.rounds {
                    continue;
                }
                let figures = kind.start(processors).and_then(|server| mode.measure(kind, &server, *scale));
                match figures {
                    Ok(figures) => figures.into_iter().for_each(|figure| table.record(round, index, figure)),
                    Err(error) => {
                        table.note(index, &mode.name(), &error.to_string());
                        out[index] = true;
                        if mode.streams() && error.kind() == io::ErrorKind::TimedOut {
                            locks_up[index] = Some(error.to_string());
                        }
                    }
                }
            }
        }
    }
    table
}
