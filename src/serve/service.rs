//! What the server does with its clients: the kind of service is decided here, once. Each client gets a task of its
//! own, in which it is admitted and served.

mod capitals;
mod forward;
mod mock;

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::watch;

use super::Settings;
use super::client::{Admission, Client};
use super::limits::Limits;
use super::log::Log;
use super::records::Records;
use capitals::Capitals;
use forward::Forward;
use mock::Mock;

/// A service. Clones are the same service.
#[derive(Clone, Debug)]
pub(super) enum Service {
    /// Replies in capitals.
    Capitals(Arc<Capitals>),
    /// Plays a transcript.
    Mock(Arc<Mock>),
    /// Passes bytes to another server and back.
    Forward(Arc<Forward>),
}

impl Service {
    /// Opens the service that the settings ask for: nothing of it can fail later. Cancel-safe.
    pub(super) async fn open(
        settings: &Settings,
        log: &Log,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Self> {
        let limits = Limits { idle: settings.idle_timeout, connection: settings.max_connection_time };
        let admission = || -> Result<Admission> {
            let secrets = settings.values.secrets();
            let open = |directory| Records::open(directory, secrets.clone());
            let records = settings.record.as_deref().map(open).transpose()?;
            let (tls, log, stopping) = (settings.tls.clone(), log.clone(), stopping.clone());
            Ok(Admission { records, tls, handshake_limit: limits.handshake(), log, stopping })
        };
        if !settings.play.is_empty() {
            let transcripts = mock::open(&settings.play, &settings.address, &settings.values).await?;
            return Ok(Self::Mock(Arc::new(Mock::new(transcripts, limits, admission()?, stopping.clone()))));
        }
        if let Some(target) = &settings.forward {
            let forward = Forward::new(target.clone(), limits, admission()?, stopping.clone());
            return Ok(Self::Forward(Arc::new(forward)));
        }
        Ok(Self::Capitals(Arc::new(Capitals {
            message_gap: settings.message_gap,
            limits,
            stopping: stopping.clone(),
            admission: admission()?,
        })))
    }

    /// Whether it makes a connection of its own for each client.
    pub(super) fn dials(&self) -> bool {
        match self {
            Self::Forward(_) => true,
            Self::Capitals(_) | Self::Mock(_) => false,
        }
    }

    /// Serves a client.
    pub(super) fn spawn(&self, client: Client) {
        match self {
            Self::Capitals(capitals) => Capitals::spawn(capitals, client),
            Self::Mock(mock) => Mock::spawn(mock, client),
            Self::Forward(forward) => Forward::spawn(forward, client),
        }
    }

    /// How it went with `served` clients. Returns an error if any did not do what it should have.
    pub(super) fn result(&self, served: usize) -> Result<()> {
        match self {
            Self::Capitals(_) => Ok(()),
            Self::Mock(mock) => mock.result(served),
            Self::Forward(forward) => forward.result(served),
        }
    }
}
