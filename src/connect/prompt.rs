//! The prompt on a terminal.

mod display;
mod editor;
mod escape;
mod history;
mod interactive;
mod keys;
mod layout;
mod line;
mod outbox;
mod painter;
mod screen;
mod session;
mod stand_in;
mod style;
mod suspend;
mod terminal;
mod unterminated;

use std::path::PathBuf;

use super::Lockstep;
pub(super) use interactive::run;
pub(super) use terminal::Terminal;

/// Prompt settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The text of the prompt.
    pub(crate) text: String,
    /// The history's file; `None` keeps no history.
    pub(crate) history: Option<PathBuf>,
    /// What a line waits for after the one before; `None` is nothing.
    pub(crate) lockstep: Option<Lockstep>,
    /// Whether the terminal can only be written to line by line.
    pub(crate) is_dumb: bool,
    /// Whether the prompt and the server's text have colors.
    pub(crate) has_colors: bool,
}
