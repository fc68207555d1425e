//! How many clients are connected, were accepted and were served, and how many may be.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The clients of a server.
#[derive(Debug)]
pub(super) struct Clients {
    connected: AtomicUsize,
    accepted: AtomicUsize,
    served: AtomicUsize,
    /// How many may be connected at a time.
    limit: usize,
    /// How many are accepted in all.
    total: usize,
    /// Notified when a client disconnects, or counts as served.
    changed: Notify,
}

/// A client's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    clients: Arc<Clients>,
    is_served: bool,
}

impl Clients {
    /// `None` means no limit.
    pub(super) fn new(limit: Option<NonZeroUsize>, total: Option<NonZeroUsize>) -> Self {
        let or_unlimited = |number: Option<NonZeroUsize>| number.map_or(usize::MAX, NonZeroUsize::get);
        Self {
            connected: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            limit: or_unlimited(limit),
            total: or_unlimited(total),
            changed: Notify::new(),
        }
    }

    /// How many are connected.
    pub(super) fn count(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// How many were served.
    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Whether another client must wait until one disconnects.
    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.limit
    }

    /// Whether no more clients are accepted.
    pub(super) fn is_complete(&self) -> bool {
        self.accepted.load(Ordering::Relaxed) >= self.total
    }

    /// Takes a place for a client, even if none is free.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Place { clients: Arc::clone(self), is_served: false }
    }

    /// Waits until a place is free.
    pub(super) async fn wait_until_not_full(&self) {
        self.wait_until(|| !self.is_full()).await;
    }

    /// Waits until all clients have disconnected.
    pub(super) async fn wait_until_none(&self) {
        self.wait_until(|| self.count() == 0).await;
    }

    /// Waits until as many clients as are accepted in all were served.
    pub(super) async fn wait_until_all_served(&self) {
        self.wait_until(|| self.served() >= self.total).await;
    }

    /// Waits until the next client disconnects.
    pub(super) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    async fn wait_until(&self, condition: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if condition() {
                return;
            }
            changed.await;
        }
    }
}

impl Place {
    /// Counts the client as served, although its connection is still being closed.
    pub(super) fn set_served(&mut self) {
        if !std::mem::replace(&mut self.is_served, true) {
            self.clients.served.fetch_add(1, Ordering::Relaxed);
            self.clients.changed.notify_waiters();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set_served();
        self.clients.connected.fetch_sub(1, Ordering::Relaxed);
        self.clients.changed.notify_waiters();
    }
}
