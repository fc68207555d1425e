//! A client, and what each goes through before it is served, whatever the service.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::memory;
use crate::messages::reason;
use crate::playing::Recording;
use crate::transcript::Side;
use crate::transport::{Peer, Stream, Tls};

use super::clients::Place;
use super::log::{Log, LogEvent};
use super::records::Records;

/// What a handshake takes: its messages, and the certificates in them.
const HANDSHAKE_MEMORY: usize = 256 * 1024;

/// A client that was accepted.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) place: Place,
    /// Closed right before the service makes a connection of its own, which then gets the descriptor.
    pub(super) spare: Option<OwnedFd>,
}

/// How clients are admitted.
#[derive(Debug)]
pub(super) struct Admission {
    /// Where conversations are recorded, if they are.
    pub(super) records: Option<Records>,
    /// TLS from the start, if any.
    pub(super) tls: Option<Tls>,
    /// How long the handshake may take.
    pub(super) handshake_limit: Duration,
    pub(super) log: Log,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Admission {
    /// Admits a client, in the client's own task. Drop the result when the conversation is over. `None` if there is to
    /// be none, because the handshake failed, which is logged.
    pub(super) async fn admit(&self, stream: &mut Stream, client: Peer) -> Option<Admitted> {
        self.secure(stream, client).await?;
        let recording = self.record(client, |recording| stream.observe(recording.clone()));
        self.log.add(&LogEvent::Connected { client });
        Some(Admitted { _recording: recording })
    }

    /// Makes the TLS handshake, if there is to be one. `None` if it failed, which is logged.
    pub(super) async fn secure(&self, stream: &mut Stream, client: Peer) -> Option<()> {
        match &self.tls {
            // Boxed: every idle client's task has space for it.
            Some(tls) => Box::pin(self.start_tls(tls, stream, client)).await,
            None => Some(()),
        }
    }

    async fn start_tls(&self, tls: &Tls, stream: &mut Stream, client: Peer) -> Option<()> {
        let failed = |error| self.log.add(&LogEvent::NoTls { client, error });
        if let Err(error) = memory::check(HANDSHAKE_MEMORY) {
            failed(reason(&error));
            return None;
        }
        let end = Instant::now() + self.handshake_limit;
        let mut stopping = self.stopping.clone();
        tokio::select! {
            handshake = timeout_at(end, stream.start_tls(tls)) => match handshake {
                Ok(Ok(())) => return Some(()),
                Ok(Err(error)) => failed(error.to_string()),
                Err(_) => {
                    failed(format!("TLS handshake not finished within {:?}", self.handshake_limit));
                    return None;
                }
            },
            _ = stopping.wait_for(|&stopping| stopping) => {
                failed("server stopped during the TLS handshake".to_owned());
                return None;
            }
        }
        // Closed with input that nobody read, the connection would be reset, and the alert lost.
        let mut discarded = [0; 512];
        let close = async {
            stream.shutdown().await?;
            while stream.read(&mut discarded).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let _ = timeout_at(end, close).await;
        None
    }

    /// Records what a client and a target say to each other.
    pub(super) fn overhear(&self, client: Peer, stream: &mut Stream, target: &mut Stream) -> Admitted {
        let recording = self.record(client, |recording| {
            stream.observe(recording.overhear(Side::Client));
            target.observe(recording.overhear(Side::Server));
        });
        Admitted { _recording: recording }
    }

    fn record(&self, client: Peer, observe: impl FnOnce(&Recording)) -> Option<Box<ClientRecording>> {
        match self.records.as_ref()?.create(client) {
            Ok(recording) => {
                observe(&recording);
                Some(Box::new(ClientRecording { recording, client, log: self.log.clone() }))
            }
            Err(error) => {
                self.log.add(&LogEvent::NotRecorded { client, error: reason(&error) });
                None
            }
        }
    }
}

/// What goes with a client that was admitted.
pub(super) struct Admitted {
    // Boxed: every idle client's task has space for it.
    _recording: Option<Box<ClientRecording>>,
}

/// A recording that ends with its connection.
struct ClientRecording {
    recording: Recording,
    client: Peer,
    log: Log,
}

impl Drop for ClientRecording {
    fn drop(&mut self) {
        if let Err(error) = self.recording.finish() {
            self.log.add(&LogEvent::NotRecorded { client: self.client, error: reason(&error) });
        }
    }
}
