//! Waiting until a moment that may never come.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until the deadline, for ever where there is none.
pub async fn at(deadline: Option<Instant>) {
    match deadline {
        // In a box, so that one who waits for no deadline has no room for a timer.
        Some(deadline) => Box::pin(sleep_until(deadline)).await,
        None => pending().await,
    }
}
