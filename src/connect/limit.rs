//! The limit on the whole run.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, Status};

/// The limit on the whole run, where there is one.
#[derive(Debug)]
pub(super) struct TimeLimit {
    end: Option<(Instant, Duration)>,
    /// How the server is called in the message.
    address: String,
}

impl TimeLimit {
    pub(super) fn from_now(limit: Option<Duration>, address: &str) -> Self {
        let end = limit.map(|limit| (Instant::now() + limit, limit));
        Self { end, address: address.to_owned() }
    }

    /// Waits for `work`, and fails when the time has run out.
    pub(super) async fn apply<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let Some((end, limit)) = self.end else {
            return Ok(work.await);
        };
        let message = format_args!("not done with {} within {limit:?}", self.address);
        timeout_at(end, work).await.map_err(|_| Failure::new(Status::TimedOut, message).into())
    }
}
