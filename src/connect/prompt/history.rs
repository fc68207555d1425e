//! The prompt's history on disk.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Creates the directory of a history file, accessible only to the user.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => DirBuilder::new().recursive(true).mode(0o700).create(directory),
        None => Ok(()),
    }
}
