//! The line being typed, as the line editor's callbacks and its thread share it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stand_in::conceal;

/// A half-typed line, around the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) before: String,
    pub(super) after: String,
}

impl Typed {
    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// What the editor shows before the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// Whether it is the server's unterminated line, which may be on the screen already.
    pub(super) is_servers: bool,
    /// Whether the line is masked, and not kept.
    pub(super) is_secret: bool,
}

/// A change of the line that no command of the editor makes.
#[derive(Debug)]
pub(super) enum Edit {
    Insert(String),
    Clear,
}

/// The line being typed.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    prompt: Prompt,
    typed: Typed,
    edit: Option<Edit>,
    is_recalled: bool,
}

impl Line {
    /// Starts a line.
    pub(super) fn start(&self, prompt: Prompt) {
        *self.lock() = State { prompt, ..State::default() };
    }

    pub(super) fn prompt(&self) -> Prompt {
        self.lock().prompt.clone()
    }

    pub(super) fn set_prompt(&self, prompt: Prompt) {
        self.lock().prompt = prompt;
    }

    pub(super) fn is_secret(&self) -> bool {
        self.lock().prompt.is_secret
    }

    /// Notes what is typed now: the editor keeps it to itself if it is interrupted.
    pub(super) fn see(&self, line: &str, cursor: usize) {
        let (before, after) = line.split_at(cursor);
        let typed = &mut self.lock().typed;
        before.clone_into(&mut typed.before);
        after.clone_into(&mut typed.after);
    }

    /// What is typed, without characters that the editor cannot lay out.
    pub(super) fn typed(&self) -> Typed {
        let Typed { before, after } = &self.lock().typed;
        Typed { before: conceal(before).into_owned(), after: conceal(after).into_owned() }
    }

    /// Makes this change when the editor next completes, which is the one command that can change the line freely.
    pub(super) fn edit(&self, edit: Edit) {
        self.lock().edit = Some(edit);
    }

    pub(super) fn has_edit(&self) -> bool {
        self.lock().edit.is_some()
    }

    pub(super) fn take_edit(&self) -> Option<Edit> {
        self.lock().edit.take()
    }

    /// Asks the editor's thread for the half-typed line back, once the editor is interrupted.
    pub(super) fn recall(&self) {
        self.lock().is_recalled = true;
    }

    pub(super) fn is_recalled(&self) -> bool {
        self.lock().is_recalled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
