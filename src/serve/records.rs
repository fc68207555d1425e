//! A directory of recordings, one per connection.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::playing::Recording;
use crate::transcript::{Secrets, Side};
use crate::transport::Peer;

/// The directory.
#[derive(Debug)]
pub(super) struct Records {
    directory: PathBuf,
    /// What the recordings do not show.
    secrets: Secrets,
    count: AtomicU64,
}

impl Records {
    /// Opens a directory, and creates it if needed.
    pub(super) fn open(directory: &Path, secrets: Secrets) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create directory {}", directory.display()))?;
        Ok(Self { directory: directory.to_owned(), secrets, count: AtomicU64::new(0) })
    }

    /// Creates the recording of a client: a file named by the time, the client and a number.
    pub(super) fn create(&self, client: Peer) -> io::Result<Recording> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(['-', ':'], "");
        let client: String = client.to_string().chars().map(in_file_name).collect();
        let name = format!("{time}-{client}-{number}");
        let create =
            |name: &str| Recording::create(&self.directory.join(name), Side::Server, self.secrets.clone());
        match create(&format!("{name}.chat")) {
            // Another server that records here: clients of Unix sockets have no names to tell them apart.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                create(&format!("{name}-{}.chat", process::id()))
            }
            created => created,
        }
    }
}

fn in_file_name(character: char) -> char {
    if character.is_ascii_alphanumeric() || character == '.' { character } else { '_' }
}
