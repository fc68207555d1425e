//! Waiting until a moment that may never come.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until the deadline, for ever where there is none.
pub async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
