//! Transcripts: conversations as plain text, in the notation of the IETF's RFCs. See capchat-transcript(5).
//!
//! Nothing here has a socket, a clock or a file. `reader` and `writer` turn text into the items of `format` and
//! back, `player` plays one side, `recorder` writes down a conversation, `update` rewrites a transcript, and
//! `compare` says for all of them what an item matches. A `divergence` is what went wrong, and `diff` shows it.

mod compare;
mod diff;
mod divergence;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod holdback;
mod playable;
mod player;
#[cfg(test)]
mod properties;
mod reader;
mod recorder;
mod report_text;
mod scan;
mod secrets;
mod skipped;
mod template;
#[cfg(any(test, fuzzing))]
mod testing;
mod update;
mod variables;
mod writer;

pub(crate) use diff::{Diff, DiffLine};
pub(crate) use divergence::Divergence;
pub(crate) use format::{Connection, Item, Side, Transcript};
pub(crate) use playable::Playable;
pub(crate) use player::{End, Follow, Learn, Player, Prologue, Step, Turn};
pub(crate) use reader::{ParseError, read};
pub(crate) use recorder::Recorder;
pub(crate) use report_text::ReportText;
pub(crate) use secrets::{Secret, Secrets};
pub(crate) use update::{Rewriting, fill_in, rewrite};
pub(crate) use variables::{Variables, check_value, is_name};
