//! Takes clients in: within the limit, on every address, and on through a lack of descriptors or memory.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, mem};

use tokio::sync::watch;
use tokio::task::{unconstrained, yield_now};
use tokio::time::timeout;

use super::clients::Clients;
use super::connection::{Connection, Terms};
use super::log::{Event, Log};
use super::play::Mock;
use super::records::Records;
use crate::recording::Recording;
use crate::transport::{Listener, Peer, Stream};

/// How long the acceptor waits for a client to leave before it tries again, where the system has no
/// descriptor or no memory for another one.
const STARVATION_PAUSE: Duration = Duration::from_millis(500);

/// What clients are accepted for.
#[derive(Clone, Debug)]
pub(super) enum Service {
    /// Capitals.
    Capitals(Arc<Terms>),
    /// A transcript.
    Mock(Arc<Mock>),
}

/// Accepts clients and starts a task for each.
#[derive(Debug)]
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// The listener that is asked first, so that none is always last.
    turn: usize,
    clients: Arc<Clients>,
    service: Service,
    records: Option<Records>,
    log: Log,
    stopping: watch::Receiver<bool>,
    /// Whether the last attempt failed, so that a lack is told once and not at each attempt.
    starved: bool,
    /// Whether the next client was waited for.
    has_waited: bool,
}

impl Acceptor {
    pub(super) fn new(
        listeners: Vec<Listener>,
        clients: Arc<Clients>,
        service: Service,
        records: Option<Records>,
        log: Log,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            listeners,
            turn: 0,
            clients,
            service,
            records,
            log,
            stopping,
            starved: false,
            has_waited: false,
        }
    }

    /// Accepts until the server stops.
    pub(super) async fn run(mut self) {
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|&stopping| stopping) => break,
                () = self.accept_one() => {}
            }
        }
        self.accept_backlog().await;
    }

    /// Waits for a place, then for a client; or for the end of a lack.
    async fn accept_one(&mut self) {
        if self.is_booked_out() {
            return pending().await;
        }
        if self.clients.is_full() {
            self.log.tell(&Event::Full { clients: self.clients.count() });
            self.clients.wait_until_not_full().await;
        }
        match poll_fn(|cx| self.poll_accept(cx)).await {
            Ok((stream, peer)) => {
                self.welcome(stream, peer);
                // One who comes alone is answered first: to look for others in vain would take longer than that.
                if mem::take(&mut self.has_waited) {
                    yield_now().await;
                }
            }
            Err(error) => self.wait_out(&error).await,
        }
    }

    /// Takes in those who connected before the server stopped, whatever the limit: they get their answers,
    /// too.
    async fn accept_backlog(&mut self) {
        // Without tokio's budget, which would feign an empty backlog after a hundred or so.
        let all = unconstrained(poll_fn(|cx| {
            while !self.is_booked_out()
                && let Poll::Ready(accepted) = self.poll_accept(cx)
            {
                match accepted {
                    Ok((stream, peer)) => self.welcome(stream, peer),
                    Err(error) if is_the_clients(&error) => {}
                    Err(_) => break,
                }
            }
            Poll::Ready(())
        }));
        all.await;
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        for _ in 0..self.listeners.len() {
            self.turn = (self.turn + 1) % self.listeners.len();
            let accepted = self.listeners[self.turn].poll_accept(cx);
            if accepted.is_ready() {
                return accepted;
            }
        }
        self.has_waited = true;
        Poll::Pending
    }

    /// Whether no client that comes now would be served.
    fn is_booked_out(&self) -> bool {
        matches!(&self.service, Service::Mock(mock) if mock.is_booked_out())
    }

    fn welcome(&mut self, mut stream: Stream, peer: Peer) {
        self.starved = false;
        let place = self.clients.enter();
        let recording = self.record(&mut stream, peer);
        match &self.service {
            Service::Capitals(terms) => {
                let mut connection = Connection::new(stream, peer, Arc::clone(terms));
                tokio::spawn(async move {
                    connection.run().await;
                    drop((connection, recording, place));
                });
            }
            Service::Mock(mock) => {
                mock.begin();
                let (mock, stopping, log) = (Arc::clone(mock), self.stopping.clone(), self.log.clone());
                tokio::spawn(async move {
                    mock.run(stream, peer, stopping, &log).await;
                    drop((recording, place));
                    mock.end();
                });
            }
        }
    }

    /// Begins a client's recording, where there is to be one. (In a box: every idle client's task has room for it.)
    fn record(&self, stream: &mut Stream, peer: Peer) -> Option<Box<ClientRecording>> {
        match self.records.as_ref()?.begin(peer) {
            Ok(recording) => {
                stream.observe(Box::new(recording.clone()));
                Some(Box::new(ClientRecording { recording, client: peer, log: self.log.clone() }))
            }
            Err(error) => {
                self.log.tell(&Event::NotRecorded { client: peer, error: error.to_string() });
                None
            }
        }
    }

    /// Waits until another attempt may go better: accept(2) fails at once, again and again, while there is
    /// no descriptor or no memory, and trying on would only burn the processor.
    async fn wait_out(&mut self, error: &io::Error) {
        if is_the_clients(error) {
            return;
        }
        if !self.starved {
            self.starved = true;
            self.log.tell(&Event::Starved { error: error.to_string(), clients: self.clients.count() });
        }
        // Whichever comes first is a reason to try again.
        let _ = timeout(STARVATION_PAUSE, self.clients.wait_for_leaver()).await;
    }
}

/// A recording that ends with its connection.
struct ClientRecording {
    recording: Recording,
    client: Peer,
    log: Log,
}

impl Drop for ClientRecording {
    fn drop(&mut self) {
        if let Err(error) = self.recording.finish() {
            self.log.tell(&Event::NotRecorded { client: self.client, error: error.to_string() });
        }
    }
}

/// Whether accept(2) failed because of the client that it would have accepted, who is gone, so that the next
/// one can be accepted at once.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
