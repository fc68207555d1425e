//! Takes clients in: within the limit, on every address, and on through a lack of descriptors or memory.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::timeout;

use super::clients::Clients;
use super::connection::{Connection, Limits};
use super::log::{Event, Log};
use crate::transport::{Listener, Peer, Stream};

/// How long the acceptor waits for a client to leave before it tries again, where the system has no
/// descriptor or no memory for another one.
const STARVATION_PAUSE: Duration = Duration::from_millis(500);

/// Accepts clients and starts a task for each.
#[derive(Debug)]
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// The listener that is asked first, so that none is always last.
    turn: usize,
    clients: Arc<Clients>,
    limits: Limits,
    log: Log,
    stopping: watch::Receiver<bool>,
    /// Whether the last attempt failed, so that a lack is told once and not at each attempt.
    starved: bool,
}

impl Acceptor {
    pub(super) fn new(
        listeners: Vec<Listener>,
        clients: Arc<Clients>,
        limits: Limits,
        log: Log,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { listeners, turn: 0, clients, limits, log, stopping, starved: false }
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
        if self.clients.is_full() {
            self.log.tell(&Event::Full { clients: self.clients.count() });
            self.clients.wait_until_not_full().await;
        }
        match poll_fn(|cx| self.poll_accept(cx)).await {
            Ok((stream, peer)) => self.welcome(stream, peer),
            Err(error) => self.wait_out(&error).await,
        }
    }

    /// Takes in those who connected before the server stopped, whatever the limit: they get their answers,
    /// too.
    async fn accept_backlog(&mut self) {
        // Without tokio's budget, which would feign an empty backlog after a hundred or so.
        let all = unconstrained(poll_fn(|cx| {
            while let Poll::Ready(accepted) = self.poll_accept(cx) {
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
        Poll::Pending
    }

    fn welcome(&mut self, stream: Stream, peer: Peer) {
        self.starved = false;
        let place = self.clients.enter();
        let mut connection =
            Connection::new(stream, peer, self.limits, self.stopping.clone(), self.log.clone());
        tokio::spawn(async move {
            connection.run().await;
            drop(place);
        });
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

/// Whether accept(2) failed because of the client that it would have accepted, who is gone, so that the next
/// one can be accepted at once.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
