//! Where the prompt's history is kept between runs.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The history's file, by the XDG Base Directory Specification: `$XDG_STATE_HOME/capchat/history`, where
/// that variable is not set (or not absolute) `~/.local/state/capchat/history`. `None` without a home.
pub(super) fn path() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(env::home_dir()?.join(".local/state")))?;
    Some(state.join("capchat/history"))
}

/// Makes the folder of a history's file, for the user alone.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}
