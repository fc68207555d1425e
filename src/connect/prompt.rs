//! The prompt on a terminal.

mod editor;
mod escape;
mod history;
mod interactive;
mod screen;
mod session;
mod suspend;

use std::path::PathBuf;

pub(super) use interactive::run;

/// Prompt settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The text of the prompt.
    pub(crate) text: String,
    /// The history's file; `None` keeps no history.
    pub(crate) history: Option<PathBuf>,
    /// Whether the prompt returns only once the reply has arrived.
    pub(crate) lockstep: bool,
}
