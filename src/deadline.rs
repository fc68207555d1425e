//! Deadlines that may not exist: one to wait for, and the limit on a whole run.

use std::future::pending;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::blocking;
use crate::status::{Failure, Status};

/// Waits until the deadline; forever if there is none.
pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        // Boxed: a task without a deadline then reserves no space for a timer.
        Some(deadline) => Box::pin(sleep_until(deadline)).await,
        None => pending().await,
    }
}

/// The limit on a whole run (`--max-time`), if there is one.
#[derive(Debug)]
pub(crate) struct TimeLimit(Option<(Instant, Duration)>);

impl TimeLimit {
    pub(crate) fn from_now(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| (Instant::now() + limit, limit)))
    }

    /// Does work that may block, in a thread if there is a limit. If `grace` after the limit it is still not done, it
    /// is left alone until the program exits, and the failure is [`Status::TimedOut`].
    pub(crate) async fn apply_blocking<T: Send + 'static>(
        &self,
        grace: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let Some((end, limit)) = self.0 else {
            return Ok(work());
        };
        let end = end.max(Instant::now() + grace);
        Ok(Self(Some((end, limit))).apply(blocking::run(work)).await??)
    }

    /// Waits for `work`. Returns a [`Status::TimedOut`] failure if the time runs out first.
    pub(crate) async fn apply<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let Some((end, limit)) = self.0 else {
            return Ok(work.await);
        };
        let message = format_args!("timed out: not finished after {limit:?} (--max-time)");
        timeout_at(end, work).await.map_err(|_| Failure::new(Status::TimedOut, message).into())
    }
}
