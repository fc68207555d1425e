//! Recordings of live conversations: an observer of a stream that writes a transcript as it goes.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::replace_file::Replacement;
use crate::transcript::{Recorder, Side};
use crate::transport::Observer;

/// A conversation that is being recorded. Clones are the same recording.
#[derive(Clone, Debug)]
pub(crate) struct Recording(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    own: Side,
    recorder: Recorder,
    destination: Destination,
    /// Reported at the end: a failed recording must not interrupt the conversation.
    error: Option<io::Error>,
}

#[derive(Debug)]
enum Destination {
    /// A new file, complete up to the last line that was written.
    New(File),
    /// A file that replaces another one at the end.
    Replacement(Replacement),
    /// Nothing more is written.
    Finished,
}

impl Recording {
    /// Records to a new file. Returns an error if it exists or cannot be created.
    pub(crate) fn create(path: &Path, own: Side) -> io::Result<Self> {
        Ok(Self::new(own, Destination::New(File::create_new(path)?)))
    }

    /// Records to a temporary file, which replaces `path` at the end.
    pub(crate) fn replace(path: &Path, own: Side) -> io::Result<Self> {
        Ok(Self::new(own, Destination::Replacement(Replacement::create(path)?)))
    }

    fn new(own: Side, destination: Destination) -> Self {
        let inner = Inner { own, recorder: Recorder::default(), destination, error: None };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Writes what is left; nothing is recorded after that.
    ///
    /// Returns an error if anything could not be written, or the file could not be replaced.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.with(|inner| {
            let text = inner.recorder.finish();
            inner.write(&text);
            let destination = std::mem::replace(&mut inner.destination, Destination::Finished);
            match (inner.error.take(), destination) {
                (Some(error), _) => Err(error),
                (None, Destination::Replacement(replacement)) => replacement.commit(),
                (None, Destination::New(_) | Destination::Finished) => Ok(()),
            }
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, text: impl FnOnce(&mut Inner) -> String) {
        self.with(|inner| {
            let text = text(inner);
            inner.write(&text);
        });
    }
}

impl Inner {
    fn write(&mut self, text: &str) {
        if text.is_empty() || self.error.is_some() {
            return;
        }
        let written = match &mut self.destination {
            Destination::New(file) => file.write_all(text.as_bytes()),
            Destination::Replacement(replacement) => replacement.write_all(text.as_bytes()),
            Destination::Finished => Ok(()),
        };
        self.error = written.err();
    }
}

impl Observer for Recording {
    fn received(&mut self, bytes: &[u8]) {
        self.record(|inner| inner.recorder.say(inner.own.other(), bytes));
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.record(|inner| inner.recorder.say(inner.own, bytes));
    }

    fn peer_ended(&mut self) {
        self.record(|inner| inner.recorder.end(inner.own.other()));
    }

    fn ended(&mut self) {
        self.record(|inner| inner.recorder.end(inner.own));
    }

    fn peer_reset(&mut self) {
        self.record(|inner| match inner.own {
            Side::Client => inner.recorder.reset(),
            // The notation has no reset by a client: the recording ends with what it said.
            Side::Server => inner.recorder.finish(),
        });
    }

    fn reset(&mut self) {
        self.record(|inner| match inner.own {
            Side::Client => inner.recorder.finish(),
            Side::Server => inner.recorder.reset(),
        });
    }
}
