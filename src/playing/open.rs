//! Opens transcripts.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::Result;

use super::values::Values;
use crate::messages::reason;
use crate::status::Failure;
use crate::transcript::{self, ParseError, Playable, Side, Transcript};

/// What reports call standard input.
const STANDARD_INPUT: &str = "<stdin>";

/// Whether a path stands for standard input. A file of that name is `./-`.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a transcript of which the side `own` is to be played, with these values.
///
/// Returns a usage failure if it cannot be read, is invalid, or that side of it cannot be played.
pub(crate) fn open(path: &Path, own: Side, values: &Values) -> Result<Playable> {
    open_with(path, values, |transcript| Playable::new(transcript, own, values.variables()))
}

/// The same, of a transcript that is to be updated: what the server says may be left open.
pub(crate) fn open_to_update(path: &Path, values: &Values) -> Result<Playable> {
    open_with(path, values, |transcript| Playable::to_update(transcript, values.variables()))
}

fn open_with(
    path: &Path,
    values: &Values,
    playable: impl FnOnce(Transcript) -> Result<Playable, ParseError>,
) -> Result<Playable> {
    let (path, bytes) = if is_standard_input(path) {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        (Path::new(STANDARD_INPUT), read.map(|_| bytes))
    } else {
        // A device may never end, unlike a pipe to which a transcript is written.
        let is_device = |file_type: fs::FileType| file_type.is_char_device() || file_type.is_block_device();
        if fs::metadata(path).is_ok_and(|metadata| is_device(metadata.file_type())) {
            return Err(Failure::usage(format_args!("{}: not a regular file", path.display())));
        }
        (path, fs::read(path))
    };
    let bytes = bytes.map_err(|error| {
        Failure::usage(format_args!("cannot read {}: {}", path.display(), reason(&error)))
    })?;
    transcript::read(path, &bytes)
        .and_then(playable)
        .map_err(|error| Failure::usage(values.secrets().mask_text(&error.to_string())))
}
