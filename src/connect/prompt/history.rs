//! The prompt's history, and its file.
//!
//! Control characters are kept as their stand-ins: the file's format would lose a carriage return at the end of a
//! line, and a recalled line must not have any.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;

use super::painter::LineEditor;
use super::stand_in::conceal;
use super::terminal::io_error;
use crate::messages;

/// How many lines are kept.
pub(super) const LENGTH: usize = 1000;

/// The history's file. The editor has the lines.
#[derive(Debug)]
pub(super) struct History {
    /// `None` keeps the history in memory.
    pub(super) path: Option<PathBuf>,
}

impl History {
    pub(super) fn load(&mut self, editor: &mut LineEditor) {
        let Some(path) = &self.path else { return };
        // Opening a FIFO would block.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            self.give_up(io::Error::other("not a regular file").into());
            return;
        }
        match editor.load_history(path) {
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.give_up(error),
            Ok(()) => {}
        }
    }

    pub(super) fn add(&mut self, editor: &mut LineEditor, lines: &[String]) {
        for line in lines {
            // A history in memory takes every line.
            let _ = editor.add_history_entry(conceal(line).as_ref());
        }
        let Some(path) = &self.path else { return };
        let kept = create_directory(path).map_err(ReadlineError::Io);
        if let Err(error) = kept.and_then(|()| editor.append_history(path)) {
            self.give_up(error);
        }
    }

    /// Goes on without a file: a failed history must not interrupt the conversation.
    fn give_up(&mut self, error: ReadlineError) {
        if let Some(path) = self.path.take() {
            let reason = messages::reason(&io_error(error));
            messages::report(format_args!("could not keep the history in {}: {reason}", path.display()));
        }
    }
}

/// Creates the directory of a history file, accessible only to the user.
fn create_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => DirBuilder::new().recursive(true).mode(0o700).create(directory),
        None => Ok(()),
    }
}
