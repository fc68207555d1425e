//! Replies in capitals: one client, from its first byte to the clean end of its connection.
//!
//! Two things bound what a client costs. A client with unsent replies is not read from, so one that never reads ties
//! up at most the replies to one read. And the large buffers are shared: a client borrows them while it is polled,
//! so one that is idle owns none.
//!
//! ```text
//! converse --close word, client's end, a time limit--> close: send the rest, end, linger
//!    |                                                   ^
//!    +--the server stops--> drain -----------------------+
//! ```
//!
//! Replies that are lost never look like EOF: the connection is reset.

mod closing;
mod conversing;

use std::borrow::Cow;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::message::{CLOSE_WORD, Messages};
use crate::messages::reason;
use crate::serve::client::{Admission, Client};
use crate::serve::limits::Limits;
use crate::serve::log::LogEvent;
use crate::serve::time_slice::TimeSlice;
use crate::transport::{Peer, Stream};

/// What all clients share: what each has of its own is the cost of an idle one.
#[derive(Debug)]
pub(in crate::serve) struct Capitals {
    pub(super) message_gap: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) admission: Admission,
}

impl Capitals {
    pub(super) fn spawn(capitals: &Arc<Self>, client: Client) {
        let Client { stream, peer, place, .. } = client;
        let mut connection = Connection::new(stream, peer, Arc::clone(capitals));
        tokio::spawn(async move {
            let admission = &connection.capitals.admission;
            if let Some(admitted) = admission.admit(&mut connection.stream, peer).await {
                connection.run().await;
                drop((connection, admitted, place));
            }
        });
    }
}

/// Why a conversation ended.
#[derive(Debug)]
enum Ending {
    /// The client closed its sending side.
    ClientEnd,
    /// The client closed the connection, under TLS without a `close_notify`.
    Cut,
    /// A message contained the close word.
    CloseWord,
    /// The client neither sent nor took anything for too long.
    Idle,
    /// The client was connected for too long.
    ConnectionTime,
    /// The server stops.
    Stopped,
}

impl Ending {
    fn reason(&self) -> &'static str {
        match self {
            Self::ClientEnd => "closed by client",
            Self::Cut => "TLS connection cut, no close_notify",
            Self::CloseWord => CLOSE_WORD,
            Self::Idle => "idle timeout",
            Self::ConnectionTime => "connection time limit",
            Self::Stopped => "server stopped",
        }
    }
}

/// One client, and the conversation with it.
#[derive(Debug)]
struct Connection {
    stream: Stream,
    peer: Peer,
    capitals: Arc<Capitals>,
    messages: Messages,
    /// Replies that the client has not taken yet; nothing is read before they are gone.
    unsent: Cursor<Vec<u8>>,
    /// Whether the stream may have bytes in a buffer of its own.
    is_unflushed: bool,
    slice: TimeSlice,
    started: Instant,
    /// When the client last sent or took something.
    last_heard: Instant,
    received: u64,
    sent: u64,
}

impl Connection {
    fn new(stream: Stream, peer: Peer, capitals: Arc<Capitals>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            peer,
            capitals,
            messages: Messages::default(),
            unsent: Cursor::default(),
            is_unflushed: false,
            slice: TimeSlice::default(),
            started: now,
            last_heard: now,
            received: 0,
            sent: 0,
        }
    }

    /// Serves the client until the connection is closed.
    // By reference: by value, the task that waits here would hold the conversation twice.
    async fn run(&mut self) {
        let ending = self.converse().await;
        let (reason, clean) = match &ending {
            Ok(ending) => (Cow::from(ending.reason()), self.close(ending).await.is_ok()),
            Err(error) => {
                // Replies may be missing.
                self.stream.abort();
                (reason(error).into(), false)
            }
        };
        self.capitals.admission.log.add(&LogEvent::Disconnected {
            client: self.peer,
            reason,
            clean,
            messages: self.messages.count(),
            received: self.received,
            sent: self.sent,
            seconds: self.started.elapsed().as_secs_f64(),
        });
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.get_ref().is_empty() || self.is_unflushed
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The client did not take them in time, or the server exits.
        if !self.unsent.get_ref().is_empty() {
            self.stream.abort();
        }
    }
}
