//! Finds transcripts: the files named, and those in the directories named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::connections::check_addresses;
use crate::messages::{self, reason};
use crate::playing::{Values, is_standard_input, open, open_to_update};
use crate::status::Failure;
use crate::transcript::{Playable, Side};
use crate::transport::{Address, Dialer, Family};

/// The extension of transcripts in directories.
const EXTENSION: &str = "chat";

/// Where the transcripts are, and what they are for.
pub(super) struct Sources {
    pub(super) paths: Vec<PathBuf>,
    pub(super) values: Values,
    pub(super) dialer: Dialer,
    pub(super) updates: bool,
}

/// Reads all transcripts of `paths`. Reports each that is invalid; the last one is the error.
pub(super) fn open_all(settings: &Sources) -> Result<Vec<Playable>> {
    let Sources { paths, values, dialer, updates } = settings;
    let mut transcripts = Vec::new();
    let mut last_error = None;
    for path in find_all(paths)? {
        let opened = if *updates { open_to_update(&path, values) } else { open(&path, Side::Client, values) };
        match opened.and_then(|playable| check_connections(playable, dialer, *updates)) {
            Ok(transcript) => transcripts.push(transcript),
            Err(error) => {
                if let Some(error) = last_error.replace(error) {
                    messages::report(messages::with_causes(&error));
                }
            }
        }
    }
    match last_error {
        None => values.check_use(&transcripts).map(|()| transcripts),
        Some(error) => Err(error),
    }
}

/// Returns a usage failure if the connections of a transcript cannot be opened, or not in an update.
fn check_connections(playable: Playable, dialer: &Dialer, updates: bool) -> Result<Playable> {
    if updates {
        playable
            .check_one_connection("--update does not take several; edit the file by hand")
            .map_err(Failure::usage)?;
    }
    check_addresses(&playable, dialer)?;
    Ok(playable)
}

fn find_all(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if is_standard_input(path) {
            files.push(path.clone());
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = files.len();
                find_below(path, &mut files).map_err(|error| not_read(path, &error))?;
                if files.len() == before {
                    let message = format_args!("no *.{EXTENSION} files in '{}'", path.display());
                    return Err(Failure::usage(message));
                }
            }
            Ok(_) => files.push(path.clone()),
            Err(error) if is_address(path, &error) => {
                let message = format_args!("no file '{0}' (for an address, use -a {0})", path.display());
                return Err(Failure::usage(message));
            }
            Err(error) => return Err(not_read(path, &error)),
        }
    }
    Ok(files)
}

fn find_below(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Links to files are followed, but not links to directories, which may form a loop.
        if entry.file_type()?.is_dir() {
            find_below(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => files.push(path),
                Ok(_) => {}
                // A link to nothing, such as an editor's lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn not_read(path: &Path, error: &io::Error) -> anyhow::Error {
    Failure::usage(format_args!("cannot read {}: {}", path.display(), reason(error)))
}

/// Whether a path that does not exist was likely meant as the server's address.
fn is_address(path: &Path, error: &io::Error) -> bool {
    let word = path.to_string_lossy();
    error.kind() == io::ErrorKind::NotFound
        && (word.contains(':') || word.bytes().all(|byte| byte.is_ascii_digit()))
        && Address::from_text(&word, &Address::built_in(Family::Any), Family::Any)
            .is_ok_and(|address| matches!(address, Address::Tcp { .. }) || word.starts_with("unix:"))
}
