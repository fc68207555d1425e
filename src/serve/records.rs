//! A directory of recordings, one per connection.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::playing::Recording;
use crate::transcript::Side;
use crate::transport::Peer;

/// The directory.
#[derive(Debug)]
pub(super) struct Records {
    directory: PathBuf,
    count: AtomicU64,
}

impl Records {
    /// Opens a directory, and creates it if needed.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create directory {}", directory.display()))?;
        Ok(Self { directory: directory.to_owned(), count: AtomicU64::new(0) })
    }

    /// Creates the recording of a client: a file named by the time, the client and a number.
    pub(super) fn create(&self, client: Peer) -> io::Result<Recording> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(['-', ':'], "");
        let client: String = client.to_string().chars().map(in_file_name).collect();
        let name = format!("{time}-{client}-{number}");
        match Recording::create(&self.directory.join(format!("{name}.chat")), Side::Server) {
            // Another server that records here: clients of Unix sockets have no names to tell them apart.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let name = format!("{name}-{}.chat", process::id());
                Recording::create(&self.directory.join(name), Side::Server)
            }
            created => created,
        }
    }
}

fn in_file_name(character: char) -> char {
    if character.is_ascii_alphanumeric() || character == '.' { character } else { '_' }
}
