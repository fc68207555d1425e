//! Transcripts: conversations as plain text, in the notation of the IETF's RFCs.
//!
//! All of this is pure. The reader and the writer turn text into items and back, the player says what to send
//! and when a conversation has left its transcript, the recorder writes down what it is told, and the diff
//! and the update say what is different. None of them has a socket, a clock or a file. The format is
//! specified in capchat-transcript(5).

mod diff;
mod format;
mod player;
#[cfg(test)]
mod properties;
mod reader;
mod recorder;
mod stream;
mod update;
mod verdict;
mod writer;

pub use diff::{Diff, DiffLine};
pub use format::{Entry, Item, LineEnding, Pattern, Side, Transcript};
pub use player::{Player, Turn};
pub use reader::{ParseError, check_playable, read};
pub use recorder::Recorder;
pub use stream::End;
pub use update::{Conflict, rewrite};
pub use verdict::{Divergence, Headline, Step, Verdict};
