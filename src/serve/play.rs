//! A mock server: one client, and the server's side of a transcript.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::log::{Event, Log};
use crate::failure::{Failure, Status};
use crate::playing::play;
use crate::transcript::{Diff, Follow, Playable};
use crate::transport::{Peer, Stream};

/// What is played to every client, and how it went so far.
#[derive(Debug)]
pub(super) struct Mock {
    playable: Playable,
    /// How many clients are played to.
    limit: usize,
    begun: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicUsize,
    all_done: Notify,
}

impl Mock {
    pub(super) fn new(playable: Playable, limit: Option<NonZeroUsize>) -> Self {
        Self {
            playable,
            limit: limit.map_or(usize::MAX, NonZeroUsize::get),
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            all_done: Notify::new(),
        }
    }

    /// Whether no more clients are played to.
    pub(super) fn is_booked_out(&self) -> bool {
        self.begun.load(Ordering::Relaxed) >= self.limit
    }

    /// Counts a client that is about to be played to.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until as many clients as are to be were played to.
    pub(super) async fn wait_until_done(&self) {
        loop {
            let all_done = self.all_done.notified();
            if self.done.load(Ordering::Relaxed) >= self.limit {
                return;
            }
            all_done.await;
        }
    }

    /// How it went.
    ///
    /// # Errors
    /// [`Status::Mismatch`] where a client did not follow the transcript.
    pub(super) fn result(&self) -> Result<()> {
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            failed => {
                let (done, path) =
                    (self.done.load(Ordering::Relaxed), self.playable.transcript().path.display());
                let message = format_args!("{failed} of {done} clients did not follow {path}");
                Err(Failure::new(Status::Mismatch, message).into())
            }
        }
    }

    /// Plays to one client.
    pub(super) async fn run(
        &self,
        stream: Stream,
        peer: Peer,
        mut stopping: watch::Receiver<bool>,
        log: &Log,
    ) {
        log.tell(&Event::Connected { client: peer });
        let started = Instant::now();
        let mut player = Follow::new(self.playable.clone());
        let followed = tokio::select! {
            result = play(&mut player, stream) => match result {
                Ok(()) => true,
                Err(divergence) => {
                    let diff = Diff::new(&self.playable, &divergence, &peer.to_string());
                    log.tell(&Event::Diverged { client: peer, diff });
                    false
                }
            },
            _ = stopping.wait_for(|&stopping| stopping) => false,
        };
        log.tell(&Event::Played { client: peer, followed, seconds: started.elapsed().as_secs_f64() });
        if !followed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a client that was played to.
    pub(super) fn end(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.all_done.notify_waiters();
    }
}
