//! Transcripts: conversations as plain text, in the notation of the IETF's RFCs.
//!
//! All of this is pure. The reader and the writer turn text into items and back, the player says what to send
//! and when a conversation has left its transcript, the recorder writes down what it is told, and the diff
//! and the update say what is different. None of them has a socket, a clock or a file. The format is
//! specified in capchat-transcript(5).

mod compare;
mod diff;
mod divergence;
mod format;
#[cfg(test)]
mod old;
mod playable;
mod player;
#[cfg(test)]
mod properties;
mod reader;
mod recorder;
#[cfg(test)]
mod testing;
mod update;
#[cfg(test)]
mod versus;
mod writer;

pub(crate) use diff::{Diff, DiffLine};
pub(crate) use divergence::Divergence;
#[cfg(test)]
pub(crate) use format::Transcript;
pub(crate) use format::{Item, Side};
pub(crate) use playable::Playable;
pub(crate) use player::{End, Follow, Learn, Player, Step, Turn};
pub(crate) use reader::read;
pub(crate) use recorder::Recorder;
pub(crate) use update::{Conflict, rewrite};
