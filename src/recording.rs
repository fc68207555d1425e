//! Transcripts of live conversations, as files: what a stream is told to say of itself, written at once.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::transcript::{Recorder, Side};
use crate::transport::Observer;

/// A conversation that is being recorded. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// Our own side.
    own: Side,
    recorder: Recorder,
    destination: Destination,
    /// Why not all was written. Told at the end: the conversation is worth more.
    error: Option<io::Error>,
}

#[derive(Debug)]
enum Destination {
    /// A new file.
    File(File),
    /// A file that replaces another one in the end.
    Replacement(NamedTempFile, PathBuf),
    /// Nothing is written any more.
    Finished,
}

impl Recording {
    /// Records into a new file.
    ///
    /// # Errors
    /// Where there is such a file already, or it cannot be made.
    pub(crate) fn create(path: &Path, own: Side) -> io::Result<Self> {
        Ok(Self::new(own, Destination::File(File::create_new(path)?)))
    }

    /// Records into a file beside `path`, which it replaces in the end.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(crate) fn replace(path: &Path, own: Side) -> io::Result<Self> {
        let (file, path) = replacement(path)?;
        Ok(Self::new(own, Destination::Replacement(file, path)))
    }

    fn new(own: Side, destination: Destination) -> Self {
        let inner = Inner { own, recorder: Recorder::default(), destination, error: None };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Writes what is left. From then on nothing is recorded.
    ///
    /// # Errors
    /// Where not all could be written, or the file could not be replaced.
    pub fn finish(&self) -> io::Result<()> {
        self.with(|inner| {
            let text = inner.recorder.finish();
            inner.write(&text);
            let destination = std::mem::replace(&mut inner.destination, Destination::Finished);
            if let Some(error) = inner.error.take() {
                return Err(error);
            }
            match destination {
                Destination::Replacement(file, path) => persist(file, &path),
                _ => Ok(()),
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
        let written = match &mut self.destination {
            _ if text.is_empty() || self.error.is_some() => return,
            Destination::File(file) => file.write_all(text.as_bytes()),
            Destination::Replacement(file, _) => file.write_all(text.as_bytes()),
            Destination::Finished => return,
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

    fn reset(&mut self) {
        self.record(|inner| match inner.own {
            Side::Client => inner.recorder.reset(),
            // The notation has no reset by a client: what it said is all there is.
            Side::Server => inner.recorder.finish(),
        });
    }

    fn resets(&mut self) {
        self.record(|inner| match inner.own {
            Side::Client => inner.recorder.finish(),
            Side::Server => inner.recorder.reset(),
        });
    }
}

/// Writes a file anew: whoever reads it sees the old text or the new one, and nothing in between.
///
/// # Errors
/// Where it cannot be written; the old file is as it was then.
pub fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let (mut file, path) = replacement(path)?;
    file.write_all(text.as_bytes())?;
    persist(file, &path)
}

/// A file beside `path`, and where it is to go: a link's target, so that the link stays.
fn replacement(path: &Path) -> io::Result<(NamedTempFile, PathBuf)> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&path).ok();
    if old.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A new file is made as any other program makes one, whatever the mask is.
    let permissions = old.map_or_else(|| Permissions::from_mode(0o666), |metadata| metadata.permissions());
    let file =
        tempfile::Builder::new().prefix(&format!(".{name}.")).permissions(permissions).tempfile_in(folder)?;
    Ok((file, path))
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
