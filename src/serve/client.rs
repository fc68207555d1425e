//! A client, and what each goes through before it is served, whatever the service.

use crate::messages::reason;
use crate::playing::Recording;
use crate::transcript::Side;
use crate::transport::{Peer, Stream};

use super::clients::Place;
use super::log::{Log, LogEvent};
use super::records::Records;

/// A client that was accepted.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) place: Place,
}

/// How clients are admitted.
#[derive(Debug)]
pub(super) struct Admission {
    /// Where conversations are recorded, if they are.
    pub(super) records: Option<Records>,
    pub(super) log: Log,
}

impl Admission {
    /// Admits a client, in the client's own task. Drop the result when the conversation is over.
    pub(super) fn admit(&self, stream: &mut Stream, client: Peer) -> Admitted {
        let recording = self.record(client, |recording| stream.observe(recording.clone()));
        self.log.add(&LogEvent::Connected { client });
        Admitted { _recording: recording }
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
