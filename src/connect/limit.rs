//! The limit on the whole run.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, Status};

/// The limit on the whole run, where there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit(Option<(Instant, Duration)>);

impl TimeLimit {
    pub(super) fn from_now(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| (Instant::now() + limit, limit)))
    }

    /// Waits for `work`, and fails when the time has run out.
    pub(super) async fn apply<T>(self, work: impl Future<Output = T>) -> Result<T> {
        let Some((end, limit)) = self.0 else {
            return Ok(work.await);
        };
        timeout_at(end, work)
            .await
            .map_err(|_| Failure::new(Status::TimedOut, format_args!("not done within {limit:?}")).into())
    }
}
