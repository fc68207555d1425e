//! What the terminal shows: the server's text, and below it the line being typed.
//!
//! While a line is being typed, the screen belongs to the line editor's thread. Text then waits here until the
//! editor next paints its prompt, and is painted with it, above the prompt, in one piece. So no text is lost or
//! shown twice, whenever the editor starts or ends.

use std::io::{self, Write};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::layout;
use super::style::Style;
use super::terminal::columns;

/// Moves to the top of the screen and clears it.
const CLEAR: &str = "\x1b[H\x1b[J";

/// How much text may wait for the editor, which paints none while the user searches the history.
const ROOM: usize = 256 * 1024;

/// The terminal, shared by the main flow and the editor's thread.
#[derive(Debug)]
pub(super) struct Screen {
    state: Mutex<State>,
    style: Style,
    /// Whether the editor has painted its prompt since it was last asked to: then the terminal is in raw mode.
    painted: watch::Sender<bool>,
    /// Notified when the text that waited is shown.
    shown: Notify,
}

#[derive(Debug)]
struct State {
    owner: Owner,
    /// Complete lines that wait for the editor to paint them.
    above: String,
    is_at_line_start: bool,
    /// Whether the editor's prompt is on the first row, because the user has cleared the screen.
    is_cleared: bool,
}

/// Who writes to the screen.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    /// Whoever has something to show.
    Anybody,
    /// The line editor, until its line is complete.
    Editor,
    /// Anybody, but the user is typing after this prompt on a dumb terminal.
    Typist { prompt: String },
}

impl Screen {
    pub(super) fn new(style: Style) -> Self {
        let state =
            State { owner: Owner::Anybody, above: String::new(), is_at_line_start: true, is_cleared: false };
        Self { state: Mutex::new(state), style, painted: watch::Sender::new(false), shown: Notify::new() }
    }

    /// Shows text of the server immediately, or above the line being typed; then the text must consist of complete
    /// lines, or be the next prompt of a dumb terminal. Returns whether the editor must be woken for it.
    pub(super) fn show(&self, text: &str) -> io::Result<bool> {
        let mut state = self.lock();
        match &state.owner {
            Owner::Anybody => state.write(text, self.style)?,
            Owner::Editor => state.above.push_str(&self.style.server(text)),
            Owner::Typist { prompt } => {
                // The kernel has what is typed, so only the prompt can be repeated.
                let prompt = if text.ends_with('\n') { prompt } else { "" };
                write(&format!("\n{text}{prompt}"))?;
            }
        }
        Ok(state.owner == Owner::Editor)
    }

    /// Whether the server's text is a prompt that fits on a row, where the editor can paint it again.
    pub(super) fn fits(prompt: &str) -> bool {
        layout::rows(prompt, columns()) == 1
    }

    /// Gives the screen to the editor, at the start of a line or after the unterminated line that is its prompt.
    pub(super) fn give_to_editor(&self, is_prompt_shown: bool) -> io::Result<()> {
        let mut state = self.lock();
        if !is_prompt_shown {
            state.end_line()?;
        }
        state.owner = Owner::Editor;
        self.painted.send_replace(false);
        Ok(())
    }

    /// Lets the user type on a dumb terminal, after this prompt.
    pub(super) fn give_to_typist(&self, prompt: &str, is_prompt_shown: bool) -> io::Result<()> {
        let mut state = self.lock();
        if !is_prompt_shown {
            state.end_line()?;
        }
        state.owner = Owner::Typist { prompt: prompt.to_owned() };
        Ok(())
    }

    /// Ends the line of a prompt on a dumb terminal, which the kernel has not ended.
    pub(super) fn end_typing() -> io::Result<()> {
        write("\n")
    }

    /// Takes the screen back, after a line that has ended, and shows what the editor did not paint.
    pub(super) fn take(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.is_cleared = false;
        state.take_back(&self.shown)
    }

    /// Takes the screen back after the editor was interrupted, and erases the prompt and the line, which
    /// take this many rows.
    pub(super) fn take_erased(&self, rows: usize) -> io::Result<()> {
        write(&format!("\x1b[{rows}A\x1b[J"))?;
        let mut state = self.lock();
        state.is_cleared &= state.above.is_empty();
        state.take_back(&self.shown)
    }

    /// Ends an unterminated line.
    pub(super) fn end_line(&self) -> io::Result<()> {
        self.lock().end_line()
    }

    /// For the editor, as it paints its prompt: the text that belongs above it.
    pub(super) fn text_above_prompt(&self) -> String {
        let mut state = self.lock();
        let mut above = mem::take(&mut state.above);
        // The line feed that wakes the editor has moved the cursor to the second row.
        if !above.is_empty() && mem::take(&mut state.is_cleared) {
            above.insert_str(0, CLEAR);
        }
        drop(state);
        self.painted.send_replace(true);
        self.shown.notify_waiters();
        above
    }

    /// For the editor, which is about to clear the screen.
    pub(super) fn set_cleared(&self) {
        self.lock().is_cleared = true;
    }

    /// Whether more text may be shown.
    pub(super) fn has_room(&self) -> bool {
        self.lock().above.len() < ROOM
    }

    /// Waits until more text may be shown.
    pub(super) async fn room(&self) {
        loop {
            let shown = self.shown.notified();
            if self.has_room() {
                return;
            }
            shown.await;
        }
    }

    /// Waits until the editor has painted its prompt.
    pub(super) async fn painted(&self) {
        // It cannot be closed: `self` holds the sender.
        let _ = self.painted.subscribe().wait_for(|&painted| painted).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, text: &str, style: Style) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.is_at_line_start = text.ends_with('\n');
        write(&style.server(text))
    }

    fn take_back(&mut self, shown: &Notify) -> io::Result<()> {
        self.owner = Owner::Anybody;
        self.is_at_line_start = true;
        shown.notify_waiters();
        // It is complete lines.
        write(&mem::take(&mut self.above))
    }

    fn end_line(&mut self) -> io::Result<()> {
        if mem::replace(&mut self.is_at_line_start, true) { Ok(()) } else { write("\n") }
    }
}

/// Writes to the terminal, unbuffered.
pub(super) fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
