//! Opens transcripts.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::Result;

use crate::messages::reason;
use crate::status::Failure;
use crate::transcript::{self, Playable, Side};

/// Reads a transcript of which the side `own` is to be played.
///
/// Returns a usage failure if it cannot be read, is invalid, or that side of it cannot be played.
pub(crate) fn open(path: &Path, own: Side) -> Result<Playable> {
    // A device may never end, unlike a pipe to which a transcript is written.
    let is_device = |file_type: fs::FileType| file_type.is_char_device() || file_type.is_block_device();
    if fs::metadata(path).is_ok_and(|metadata| is_device(metadata.file_type())) {
        return Err(Failure::usage(format_args!("{}: not a regular file", path.display())));
    }
    let bytes = fs::read(path).map_err(|error| {
        Failure::usage(format_args!("cannot read {}: {}", path.display(), reason(&error)))
    })?;
    transcript::read(path, &bytes)
        .and_then(|transcript| Playable::new(transcript, own))
        .map_err(Failure::usage)
}
