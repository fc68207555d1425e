//! A mock server: plays the server side of a transcript to each client.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::blocking;
use crate::deadline::at;
use crate::playing::{self, Performance, Values};
use crate::serve::client::{Admission, Client};
use crate::serve::limits::{LAST_REPLIES, Limits};
use crate::serve::log::LogEvent;
use crate::status::{Failure, Status};
use crate::transcript::{Diff, Follow, Item, Playable, Side};
use crate::transport::Address;

/// A mock server.
#[derive(Debug)]
pub(in crate::serve) struct Mock {
    /// One per client in turn; the last one is also for all further clients. There is at least one.
    transcripts: Vec<Playable>,
    limits: Limits,
    admission: Admission,
    stopping: watch::Receiver<bool>,
    /// How many clients were started.
    started: AtomicUsize,
    /// How many clients did not complete their transcript.
    failed: AtomicUsize,
}

/// Opens transcripts to be played on `address`. Cancel-safe.
pub(super) async fn open(paths: &[PathBuf], address: &Address, values: &Values) -> Result<Vec<Playable>> {
    let mut transcripts = Vec::new();
    for path in paths {
        transcripts.push(open_one(path, address, values).await?);
    }
    values.check_use(&transcripts)?;
    Ok(transcripts)
}

async fn open_one(path: &Path, address: &Address, values: &Values) -> Result<Playable> {
    let transcript = if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        playing::open(path, Side::Server, values)?
    } else {
        // Opening or reading a FIFO may block, and a signal must end it.
        let (path, values) = (path.to_owned(), values.clone());
        let unread = format!("cannot read {}", path.display());
        blocking::run(move || playing::open(&path, Side::Server, &values)).await.context(unread)??
    };
    let reset = transcript.transcript().entries.iter().find(|entry| entry.item == Item::Reset);
    if let (Some(entry), Address::Unix(_)) = (reset, address) {
        let message = format_args!("{}:{}: a Unix socket cannot play 'S RST'", path.display(), entry.line);
        return Err(Failure::usage(message));
    }
    Ok(transcript)
}

impl Mock {
    pub(super) fn new(
        transcripts: Vec<Playable>,
        limits: Limits,
        admission: Admission,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (started, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { transcripts, limits, admission, stopping, started, failed }
    }

    pub(super) fn spawn(mock: &Arc<Self>, client: Client) {
        let mock = Arc::clone(mock);
        // Counted here: tasks may start in a different order.
        let number = mock.started.fetch_add(1, Ordering::Relaxed);
        let last = mock.transcripts.len() - 1;
        tokio::spawn(async move { mock.play(&mock.transcripts[number.min(last)], client).await });
    }

    async fn play(&self, transcript: &Playable, client: Client) {
        let Client { mut stream, peer: client, mut place, .. } = client;
        let started = Instant::now();
        let Some(admitted) = self.admission.admit(&mut stream, client).await else {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return drop(place);
        };
        let mut performance = Performance::new(Follow::new(transcript.clone()), Some(stream));
        let mut stopping = self.stopping.clone();
        let connection_end = self.limits.connection_end(started);
        let (completed, reason) = tokio::select! {
            played = performance.run_for_client(self.limits.idle) => match played {
                Ok(Ok(())) => (true, None),
                Ok(Err(divergence)) => {
                    let diff = Diff::new(transcript, &divergence, &client.to_string());
                    self.admission.log.add(&LogEvent::Diverged { client, diff });
                    (false, None)
                }
                Err(abandoned) => (false, Some(abandoned.reason())),
            },
            () = at(connection_end) => (false, Some("connection time limit")),
            _ = stopping.wait_for(|&stopping| stopping) => (false, None),
        };
        if !completed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        // The result is known, although closing the connection may take a while.
        place.set_served();
        let end = connection_end.map(|end| end.max(Instant::now()) + LAST_REPLIES);
        tokio::select! {
            () = performance.close() => {}
            () = at(end) => {}
        }
        let seconds = started.elapsed().as_secs_f64();
        self.admission.log.add(&LogEvent::Played { client, completed, reason, seconds });
        // The recording is complete before the server may exit.
        drop(admitted);
        drop(place);
    }

    /// Returns an error if a client did not complete its transcript.
    pub(super) fn result(&self, served: usize) -> Result<()> {
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            failed => {
                let (noun, theirs) =
                    if served == 1 { ("client", "its transcript") } else { ("clients", "their transcripts") };
                let what = match &*self.transcripts {
                    [transcript] => transcript.transcript().path.display().to_string(),
                    _ => theirs.to_owned(),
                };
                let message = format_args!("{failed} of {served} {noun} did not complete {what}");
                Err(Failure::new(Status::Mismatch, message).into())
            }
        }
    }
}
