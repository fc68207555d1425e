//! Recordings of live conversations: an observer of a stream that writes a transcript as it goes.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::replace_file::Replacement;
use crate::memory;
use crate::messages::reason;
use crate::transcript::{Recorder, Secrets, Side};
use crate::transport::Observer;

/// What is added to the name of a recording that could not be completed.
const INCOMPLETE: &str = "incomplete";

/// How much is recorded at a time. Its text takes far more memory, above all if it has many lines, and so does the start
/// of a line that is kept.
const CHUNK: usize = 16 * 1024;
const MEMORY_PER_BYTE: usize = 100;
const MEMORY_OF_LINE: usize = 1024 * 1024;

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
    New(NewFile),
    /// A file that replaces another one at the end.
    Replacement(Replacement),
    /// Nothing more is written.
    Finished,
}

#[derive(Debug)]
struct NewFile {
    file: File,
    path: PathBuf,
    /// How long its complete lines are.
    length: u64,
}

impl Recording {
    /// Records to a new file, with holes in place of secrets. Returns an error if it exists or cannot be created.
    pub(crate) fn create(path: &Path, own: Side, secrets: Secrets) -> io::Result<Self> {
        let file = NewFile { file: File::create_new(path)?, path: path.to_owned(), length: 0 };
        Ok(Self::new(own, secrets, Destination::New(file)))
    }

    /// The same, to a temporary file, which replaces `path` at the end.
    pub(crate) fn replace(path: &Path, own: Side, secrets: Secrets) -> io::Result<Self> {
        Ok(Self::new(own, secrets, Destination::Replacement(Replacement::create(path)?)))
    }

    fn new(own: Side, secrets: Secrets, destination: Destination) -> Self {
        let recorder = Recorder::default().masking(secrets);
        let inner = Inner { own, recorder, destination, error: None };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Records what one side of somebody else's conversation says, from now on. Of TLS, that would be cipher text: the
    /// recording ends there.
    pub(crate) fn overhear(&self, side: Side) -> Overheard {
        self.with(|inner| inner.recorder.end_at_tls());
        Overheard { recording: self.clone(), side }
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
                // Something is better than a conversation in which nothing was said.
                (None, Destination::Replacement(replacement)) if replacement.is_empty() => Ok(()),
                (None, Destination::Replacement(replacement)) => replacement.commit(),
                (None, Destination::New(_) | Destination::Finished) => Ok(()),
            }
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records bytes of our own side, or of the other one.
    fn say(&self, is_own: bool, bytes: &[u8]) {
        let own = self.with(|inner| inner.own);
        self.say_as(if is_own { own } else { own.other() }, bytes);
    }

    fn say_as(&self, side: Side, bytes: &[u8]) {
        self.with(|inner| {
            for chunk in bytes.chunks(CHUNK) {
                if inner.error.is_some() {
                    break;
                }
                match memory::check(chunk.len() * MEMORY_PER_BYTE + MEMORY_OF_LINE) {
                    Ok(()) => {
                        let text = inner.recorder.say(side, chunk);
                        inner.write(&text);
                    }
                    Err(error) => inner.fail(error),
                }
            }
        });
    }

    fn record(&self, text: impl FnOnce(&mut Inner) -> String) {
        self.with(|inner| {
            let text = text(inner);
            inner.write(&text);
        });
    }
}

impl NewFile {
    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        let mut rest = text;
        let mut result = Ok(());
        while result.is_ok() && !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => result = Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        let written = &text[..text.len() - rest.len()];
        self.length += memchr::memrchr(b'\n', written).map_or(0, |line_feed| line_feed as u64 + 1);
        result
    }

    /// Takes a recording that cannot go on away from the transcripts: it lacks the end of the conversation.
    /// Returns the error that says so.
    fn give_up(&self, error: &io::Error) -> io::Error {
        let error = reason(error);
        if self.length == 0 {
            // If this fails, an empty file stays.
            let _ = fs::remove_file(&self.path);
            return io::Error::other(error);
        }
        // The last line was written in part.
        let _ = self.file.set_len(self.length);
        let incomplete = self.path.with_added_extension(INCOMPLETE);
        io::Error::other(match fs::rename(&self.path, &incomplete) {
            Ok(()) => format!("{error}; the start is in {}", incomplete.display()),
            Err(_) => format!("{error}; {} has only the start", self.path.display()),
        })
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
        if let Err(error) = written {
            self.fail(error);
        }
    }

    /// Ends the recording: nothing more is written.
    fn fail(&mut self, error: io::Error) {
        self.error = Some(match &self.destination {
            Destination::New(file) => file.give_up(&error),
            Destination::Replacement(_) | Destination::Finished => error,
        });
    }
}

impl Observer for Recording {
    fn received(&mut self, bytes: &[u8]) {
        self.say(false, bytes);
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.say(true, bytes);
    }

    fn peer_ended(&mut self) {
        self.record(|inner| inner.recorder.end(inner.own.other()));
    }

    // Not an EOF.
    fn peer_cut(&mut self) {}

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

/// One side of a conversation between others.
#[derive(Debug)]
pub(crate) struct Overheard {
    recording: Recording,
    side: Side,
}

impl Observer for Overheard {
    fn received(&mut self, bytes: &[u8]) {
        self.recording.say_as(self.side, bytes);
    }

    fn peer_ended(&mut self) {
        self.recording.record(|inner| inner.recorder.end(self.side));
    }

    // Not an EOF.
    fn peer_cut(&mut self) {}

    fn peer_reset(&mut self) {
        self.recording.record(|inner| match self.side {
            Side::Client => inner.recorder.finish(),
            Side::Server => inner.recorder.reset(),
        });
    }

    // What is passed on was received from the other side.
    fn sent(&mut self, _: &[u8]) {}

    fn ended(&mut self) {}

    fn reset(&mut self) {}
}
