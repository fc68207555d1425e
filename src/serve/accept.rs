//! Accepts clients: within the limits, on every address, and in spite of a lack of descriptors or memory.

use std::future::{pending, poll_fn};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, mem};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::watch;
use tokio::task::{unconstrained, yield_now};
use tokio::time::timeout;

use super::client::Client;
use super::clients::Clients;
use super::log::{Log, LogEvent};
use super::service::Service;
use crate::memory;
use crate::messages::reason;
use crate::transport::{Listener, Peer, Stream, is_the_clients};

/// How long the acceptor waits for a client to disconnect before it tries again, if the system has no
/// descriptor or memory for another one.
const STARVATION_PAUSE: Duration = Duration::from_millis(500);

/// How many clients in a row may fail while they are accepted. After that it is not the clients: the attempts would
/// only burn the processor.
const MOST_EXCUSED: usize = 5000;

/// Accepts clients and hands them to the service.
#[derive(Debug)]
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// The listener that was asked last: the next one is asked first, so that all get their turn.
    turn: usize,
    clients: Arc<Clients>,
    service: Service,
    log: Log,
    stopping: watch::Receiver<bool>,
    /// Whether the last attempt failed, so that a lack is logged once, and not at each attempt.
    is_starved: bool,
    /// How many attempts in a row failed because of a client.
    excused: usize,
    /// Whether the next client had to be waited for.
    has_waited: bool,
    /// A descriptor for the connection that the service makes for the next client: without one, the client waits.
    spare: Option<OwnedFd>,
}

impl Acceptor {
    pub(super) fn new(
        listeners: Vec<Listener>,
        clients: Arc<Clients>,
        service: Service,
        log: Log,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            listeners,
            turn: 0,
            clients,
            service,
            log,
            stopping,
            is_starved: false,
            excused: 0,
            has_waited: false,
            spare: None,
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

    /// Waits for a place, then for a client, or for the end of a lack.
    async fn accept_one(&mut self) {
        if self.clients.is_complete() {
            return pending().await;
        }
        if self.clients.is_full() {
            self.log.add(&LogEvent::Full { clients: self.clients.count() });
            self.clients.wait_until_not_full().await;
        }
        match poll_fn(|cx| self.poll_accept(cx)).await {
            Ok((stream, peer)) => {
                self.welcome(stream, peer);
                // A client that connects alone is answered first: looking for others in vain takes longer.
                if mem::take(&mut self.has_waited) {
                    yield_now().await;
                }
            }
            Err(error) => self.wait_out(&error).await,
        }
    }

    /// Accepts those who connected before the server stopped, beyond the limit too: they get their replies.
    async fn accept_backlog(&mut self) {
        // Unconstrained: tokio's budget would make the backlog look empty after some hundred clients.
        let all = unconstrained(poll_fn(|cx| {
            while !self.clients.is_complete()
                && let Poll::Ready(accepted) = self.poll_accept(cx)
            {
                match accepted {
                    Ok((stream, peer)) => self.welcome(stream, peer),
                    Err(error) if self.is_excused(&error) => {}
                    Err(_) => break,
                }
            }
            Poll::Ready(())
        }));
        all.await;
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        // Before the client is taken from the backlog, where it can wait.
        memory::check_room()?;
        if self.service.dials() && self.spare.is_none() {
            self.spare = Some(eventfd(0, EventfdFlags::CLOEXEC)?);
        }
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

    fn welcome(&mut self, stream: Stream, peer: Peer) {
        self.is_starved = false;
        self.excused = 0;
        let (place, spare) = (self.clients.enter(), self.spare.take());
        self.service.spawn(Client { stream, peer, place, spare });
    }

    /// Whether an error is that of a client, and not one of too many in a row: the next attempt may succeed.
    fn is_excused(&mut self, error: &io::Error) -> bool {
        self.excused += 1;
        is_the_clients(error) && self.excused <= MOST_EXCUSED
    }

    /// Waits until another attempt may succeed: without a descriptor or memory, accept(2) fails immediately
    /// every time, and trying again would only burn the processor.
    async fn wait_out(&mut self, error: &io::Error) {
        if self.is_excused(error) {
            return;
        }
        if !mem::replace(&mut self.is_starved, true) {
            self.log.add(&LogEvent::Starved { error: reason(error), clients: self.clients.count() });
        }
        // Either is a reason to try again.
        let _ = timeout(STARVATION_PAUSE, self.clients.wait_for_change()).await;
    }
}
