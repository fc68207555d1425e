//! How many clients are connected, and how many may be.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The clients that are connected.
#[derive(Debug)]
pub(super) struct Clients {
    count: AtomicUsize,
    limit: usize,
    left: Notify,
}

/// One client's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Clients>);

impl Clients {
    pub(super) fn new(limit: Option<NonZeroUsize>) -> Self {
        Self {
            count: AtomicUsize::new(0),
            limit: limit.map_or(usize::MAX, NonZeroUsize::get),
            left: Notify::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether no client may come before another one leaves.
    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.limit
    }

    /// Takes a place for a client, whether one is free or not.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.count.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }

    /// Waits until there is a place.
    pub(super) async fn wait_until_not_full(&self) {
        self.wait_until(|| !self.is_full()).await;
    }

    /// Waits until all clients have left.
    pub(super) async fn wait_until_none(&self) {
        self.wait_until(|| self.count() == 0).await;
    }

    /// Waits until the next client leaves.
    pub(super) async fn wait_for_leaver(&self) {
        self.left.notified().await;
    }

    async fn wait_until(&self, condition: impl Fn() -> bool) {
        loop {
            let left = self.left.notified();
            if condition() {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.left.notify_waiters();
    }
}
