//! Transcripts on live connections and on disk, for all subcommands: opening a file, playing it on links,
//! recording, and replacing a file.

mod links;
mod open;
mod play;
mod recording;
mod replace_file;
mod trace;
mod values;

pub(crate) use open::{is_standard_input, open, open_to_update};
pub(crate) use play::{Dialing, Opener, Performance};
pub(crate) use recording::Recording;
pub(crate) use replace_file::replace_file;
pub(crate) use trace::Trace;
pub(crate) use values::{SecretName, Setting, Values};
