//! Replaces a file: whoever reads it sees the old text or the new one, and never anything in between.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How much of a file's name its temporary file shows, in bytes: names are limited to 255 (Linux).
const PREFIX: usize = 64;

/// Replaces the text of a file that had these lines when it was read. If that fails, the file is unchanged.
///
/// Returns an error if the file has changed since it was read.
pub(crate) fn replace_file(path: &Path, old: &[String], text: &str) -> io::Result<()> {
    let mut replacement = Replacement::create(path)?;
    replacement.write_all(text.as_bytes())?;
    replacement.complete()?;
    // As late as possible. What is written after this, and before the rename, is lost.
    if !fs::read_to_string(&replacement.path)?.split_terminator('\n').eq(old) {
        return Err(io::Error::other("the file was changed during the update"));
    }
    replacement.put_in_place()
}

/// A temporary file that is to replace another one. Dropped uncommitted, it is removed.
#[derive(Debug)]
pub(super) struct Replacement {
    file: NamedTempFile,
    path: PathBuf,
    is_empty: bool,
}

impl Replacement {
    /// Creates a temporary file next to `path`; if that is a link, next to its target, so that the link stays.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&path).ok();
        if old.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // New files get the usual permissions, as far as the umask allows.
        let permissions =
            old.map_or_else(|| Permissions::from_mode(0o666), |metadata| metadata.permissions());
        let file = tempfile::Builder::new()
            .prefix(&format!(".{}.", &name[..name.floor_char_boundary(PREFIX)]))
            .permissions(permissions)
            .tempfile_in(directory(&path))
            .map_err(without_path)?;
        Ok(Self { file, path, is_empty: true })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_empty &= bytes.is_empty();
        self.file.as_file_mut().write_all(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Puts the file in place, on disk.
    pub(super) fn commit(self) -> io::Result<()> {
        self.complete()?;
        self.put_in_place()
    }

    /// Gives the file the owner and the permissions of the old one, and its text to the disk.
    fn complete(&self) -> io::Result<()> {
        let file = self.file.as_file();
        if let Ok(old) = fs::metadata(&self.path) {
            // Only root may give a file away, but its owner may have several groups.
            let _ = fchown(file, Some(old.uid()), Some(old.gid()))
                .or_else(|_| fchown(file, None, Some(old.gid())));
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    }

    fn put_in_place(self) -> io::Result<()> {
        self.file.persist(&self.path).map_err(|error| error.error)?;
        // The new name survives a crash once the directory is on disk. Not every file system can do that.
        let _ = File::open(directory(&self.path)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The plain error: the name of a temporary file means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    let plain = error.get_ref().and_then(|error| error.source()).and_then(|cause| cause.downcast_ref());
    match plain.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}
