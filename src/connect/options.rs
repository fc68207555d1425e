//! What a client is started with.

use std::path::PathBuf;
use std::time::Duration;

use super::check::CheckOptions;
use super::eol::Eol;
use crate::transport::Dialer;

/// What a client is started with.
#[derive(Debug)]
pub struct Options {
    /// How the server is reached.
    pub dialer: Dialer,
    /// Whether each line waits for the reply to the one before.
    pub lockstep: bool,
    /// How lines that are sent end.
    pub eol: Eol,
    /// How long the server may keep silent while it owes a reply; `None` for ever.
    pub timeout: Option<Duration>,
    /// How long everything may take; `None` for ever.
    pub max_time: Option<Duration>,
    /// The transcripts that are played; `None` for a conversation.
    pub check: Option<CheckOptions>,
    /// Where the conversation is recorded, where it is.
    pub record: Option<PathBuf>,
    /// The prompt on a terminal.
    pub prompt: String,
    /// Whether the prompt's history is read and kept.
    pub history: bool,
    /// Whether standard error tells what happens to the connection.
    pub verbose: bool,
}
