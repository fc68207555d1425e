//! A mock server: plays the server side of a transcript to each client.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::playing::{self, Performance};
use crate::serve::client::{Admission, Client};
use crate::serve::log::LogEvent;
use crate::status::{Failure, Status};
use crate::transcript::{Diff, Follow, Item, Playable, Side};
use crate::transport::Address;

/// A mock server.
#[derive(Debug)]
pub(in crate::serve) struct Mock {
    transcript: Playable,
    admission: Admission,
    stopping: watch::Receiver<bool>,
    /// How many clients did not complete the transcript.
    failed: AtomicUsize,
}

/// Opens a transcript to be played on `address`.
pub(super) fn open(path: &Path, address: &Address) -> Result<Playable> {
    let transcript = playing::open(path, Side::Server)?;
    let reset = transcript.transcript().entries.iter().find(|entry| entry.item == Item::Reset);
    if let (Some(entry), Address::Unix(_)) = (reset, address) {
        let message = format_args!("{}:{}: a Unix socket cannot play 'S RST'", path.display(), entry.line);
        return Err(Failure::usage(message));
    }
    Ok(transcript)
}

impl Mock {
    pub(super) fn new(transcript: Playable, admission: Admission, stopping: watch::Receiver<bool>) -> Self {
        Self { transcript, admission, stopping, failed: AtomicUsize::new(0) }
    }

    pub(super) fn spawn(mock: &Arc<Self>, client: Client) {
        let mock = Arc::clone(mock);
        tokio::spawn(async move { mock.play(client).await });
    }

    async fn play(&self, client: Client) {
        let Client { mut stream, peer: client, mut place } = client;
        let started = Instant::now();
        let admitted = self.admission.admit(&mut stream, client);
        let mut performance = Performance::new(Follow::new(self.transcript.clone()), stream);
        let mut stopping = self.stopping.clone();
        let completed = tokio::select! {
            outcome = performance.run() => match outcome {
                Ok(()) => true,
                Err(divergence) => {
                    let diff = Diff::new(&self.transcript, &divergence, &client.to_string());
                    self.admission.log.add(&LogEvent::Diverged { client, diff });
                    false
                }
            },
            _ = stopping.wait_for(|&stopping| stopping) => false,
        };
        if !completed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        // The result is known, although closing the connection may take a while.
        place.set_served();
        performance.close().await;
        let seconds = started.elapsed().as_secs_f64();
        self.admission.log.add(&LogEvent::Played { client, completed, seconds });
        // The recording is complete before the server may exit.
        drop(admitted);
        drop(place);
    }

    /// Returns an error if a client did not complete the transcript.
    pub(super) fn result(&self, served: usize) -> Result<()> {
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            failed => {
                let path = self.transcript.transcript().path.display();
                let noun = if served == 1 { "client" } else { "clients" };
                let message = format_args!("{failed} of {served} {noun} did not complete {path}");
                Err(Failure::new(Status::Mismatch, message).into())
            }
        }
    }
}
