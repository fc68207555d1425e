//! A folder of recordings, one for each connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::recording::Recording;
use crate::transcript::Side;
use crate::transport::Peer;

/// The folder.
#[derive(Debug)]
pub(super) struct Records {
    folder: PathBuf,
    count: AtomicU64,
}

impl Records {
    /// Opens a folder, and makes it where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), count: AtomicU64::new(0) })
    }

    /// Begins a client's recording, in a file that is called by the time, the client and a number.
    ///
    /// # Errors
    /// Where its file cannot be made.
    pub(super) fn begin(&self, client: Peer) -> std::io::Result<Recording> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(['-', ':'], "");
        let client: String = client.to_string().chars().map(in_file_name).collect();
        Recording::create(&self.folder.join(format!("{time}-{client}-{number}.chat")), Side::Server)
    }
}

fn in_file_name(character: char) -> char {
    if character.is_ascii_alphanumeric() || character == '.' { character } else { '_' }
}
