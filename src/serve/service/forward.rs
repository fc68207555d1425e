//! A forwarder: passes bytes between each client and a target, unchanged.
//!
//! Nothing is read from one side before the other side has taken what was read last, so a client costs at most one
//! read in each direction. EOF and resets are passed on as well:
//!
//! ```text
//! dial --fails--> close the client's side
//!   |
//! pass --both sides have ended--> done
//!   |--one side is reset--> pass on what it said before; reset the other side
//!   +--a time limit, the server stops--> close both sides
//! ```

mod closing;
mod direction;
mod passing;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::deadline::at;
use crate::serve::client::{Admission, Client};
use crate::serve::limits::Limits;
use crate::serve::log::LogEvent;
use crate::status::{Failure, Status};
use crate::transport::{Dialer, Peer, Stream};
use passing::Connection;

/// A forwarder.
#[derive(Debug)]
pub(in crate::serve) struct Forward {
    target: Dialer,
    limits: Limits,
    admission: Admission,
    stopping: watch::Receiver<bool>,
    /// Whether the target turned out to be this server. Each client would then become another one, without end.
    is_circular: AtomicBool,
    /// How many clients could not be connected to the target.
    unconnected: AtomicUsize,
}

/// Why a conversation ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Both sides closed their sending sides, this one first.
    Closed(Party),
    Reset(Party),
    /// Neither side sent or took anything for too long.
    Idle,
    /// The client was connected for too long.
    ConnectionTime,
    /// The server stops.
    Stopped,
    /// There is no memory for what a side does not take.
    OutOfMemory,
    /// There was nobody to talk to.
    Unconnected,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Party {
    Client,
    Target,
}

impl Ending {
    fn reason(self) -> &'static str {
        match self {
            Self::Closed(Party::Client) => "closed by client",
            Self::Closed(Party::Target) => "closed by target",
            Self::Reset(Party::Client) => "reset by client",
            Self::Reset(Party::Target) => "reset by target",
            Self::Idle => "idle timeout",
            Self::ConnectionTime => "connection time limit",
            Self::Stopped => "server stopped",
            Self::OutOfMemory => "out of memory",
            Self::Unconnected => "not connected",
        }
    }
}

/// Why a client was not connected to the target.
#[derive(Debug)]
enum NotDialed {
    Unreachable(String),
    Ended(Ending),
}

/// What a conversation came to.
#[derive(Debug)]
struct Outcome {
    ending: Ending,
    /// Whether both sides could receive everything that was said to them, up to EOF.
    clean: bool,
    /// How many bytes were received from the client and from the target.
    received: u64,
    sent: u64,
}

impl Forward {
    pub(super) fn new(
        target: Dialer,
        limits: Limits,
        admission: Admission,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (is_circular, unconnected) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self { target, limits, admission, stopping, is_circular, unconnected }
    }

    pub(super) fn spawn(forward: &Arc<Self>, client: Client) {
        let forward = Arc::clone(forward);
        tokio::spawn(async move { forward.serve(client).await });
    }

    async fn serve(&self, client: Client) {
        let Client { mut stream, peer: client, place, spare } = client;
        let started = Instant::now();
        if self.admission.secure(&mut stream, client).await.is_none() {
            return;
        }
        self.admission.log.add(&LogEvent::Connected { client });
        // Boxed, here and below: it is over before most of the conversation, and would be part of every client's task.
        let dialed = Box::pin(self.dial(&stream, started, spare)).await;
        let outcome = match dialed {
            Ok(target) => self.pass(client, stream, target, started).await,
            Err(not_dialed) => Box::pin(self.turn_away(client, stream, not_dialed)).await,
        };
        let Outcome { ending, clean, received, sent } = outcome;
        let (reason, seconds) = (ending.reason(), started.elapsed().as_secs_f64());
        self.admission.log.add(&LogEvent::Forwarded { client, reason, clean, received, sent, seconds });
        drop(place);
    }

    /// Connects to the target.
    async fn dial(
        &self,
        client: &Stream,
        started: Instant,
        spare: Option<OwnedFd>,
    ) -> Result<Stream, NotDialed> {
        let circular = || {
            NotDialed::Unreachable(format!("cannot forward to {}: it is this server", self.target.address))
        };
        if self.is_circular.load(Ordering::Relaxed) {
            return Err(circular());
        }
        let mut stopping = self.stopping.clone();
        drop(spare);
        tokio::select! {
            // In this order: nobody else can take the descriptor before.
            biased;
            dialed = self.target.dial() => match dialed {
                Ok(target) if target.leads_to_server_of(client) => {
                    self.is_circular.store(true, Ordering::Relaxed);
                    Err(circular())
                }
                Ok(target) => Ok(target),
                Err(error) => Err(NotDialed::Unreachable(error.to_string())),
            },
            _ = stopping.wait_for(|&stopping| stopping) => Err(NotDialed::Ended(Ending::Stopped)),
            () = at(self.limits.connection_end(started)) => Err(NotDialed::Ended(Ending::ConnectionTime)),
        }
    }

    /// Closes the connection of a client that has nobody to talk to.
    async fn turn_away(&self, client: Peer, stream: Stream, not_dialed: NotDialed) -> Outcome {
        let ending = match not_dialed {
            NotDialed::Unreachable(error) => {
                self.unconnected.fetch_add(1, Ordering::Relaxed);
                self.admission.log.add(&LogEvent::Unreachable { client, error });
                Ending::Unconnected
            }
            NotDialed::Ended(ending) => ending,
        };
        Outcome { ending, clean: closing::end(stream, true).await, received: 0, sent: 0 }
    }

    /// Passes bytes until the connections are closed.
    async fn pass(&self, client: Peer, mut stream: Stream, mut target: Stream, started: Instant) -> Outcome {
        let admitted = self.admission.overhear(client, &mut stream, &mut target);
        let mut connection = Connection::new(stream, target);
        let ending = connection.pass(&self.limits, &self.stopping, started).await;
        let (received, sent) = (connection.up.passed(), connection.down.passed());
        let clean = Box::pin(connection.close(ending, admitted)).await;
        Outcome { ending, clean, received, sent }
    }

    /// Returns an error if a client could not be connected to the target.
    pub(super) fn result(&self, served: usize) -> Result<()> {
        match self.unconnected.load(Ordering::Relaxed) {
            0 => Ok(()),
            unconnected => {
                let noun = if served == 1 { "client" } else { "clients" };
                let target = &self.target.address;
                let message =
                    format_args!("{unconnected} of {served} {noun} could not be connected to {target}");
                Err(Failure::new(Status::Failure, message).into())
            }
        }
    }
}
