//! What the terminal shows: the server's text, and below it the line being typed.
//!
//! While a line is being typed, the screen belongs to the line editor's thread. Text then waits here until the
//! editor next paints its prompt, and is painted with it, above the prompt, in one piece. So no text is lost or
//! shown twice, whenever the editor starts or ends.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// Turn bracketed paste on and off, as the editor does (xterm's control sequences).
pub(super) const START_BRACKETED_PASTE: &str = "\x1b[?2004h";
pub(super) const END_BRACKETED_PASTE: &str = "\x1b[?2004l";

/// How much text may wait for the editor, which paints none while the user searches the history.
const ROOM: usize = 256 * 1024;

/// The terminal, shared by the main flow and the editor's thread.
#[derive(Debug)]
pub(super) struct Screen {
    state: Mutex<State>,
    /// Whether the editor has painted its prompt since it was last asked to: then the terminal is in raw mode.
    painted: watch::Sender<bool>,
    /// Notified when the text that waited is shown.
    shown: Notify,
}

#[derive(Debug)]
struct State {
    /// Whether the editor has the screen.
    is_editing: bool,
    /// Complete lines that wait for the editor to paint them.
    above: String,
    is_at_line_start: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let state = State { is_editing: false, above: String::new(), is_at_line_start: true };
        Self { state: Mutex::new(state), painted: watch::Sender::new(false), shown: Notify::new() }
    }

    /// Shows text immediately, or above the line being typed; then the text must consist of complete lines.
    /// Returns whether the editor must be woken for it.
    pub(super) fn show(&self, text: &str) -> io::Result<bool> {
        let mut state = self.lock();
        if state.is_editing {
            state.above.push_str(text);
            return Ok(true);
        }
        state.write(text)?;
        Ok(false)
    }

    /// Gives the screen to the editor, at the start of a line.
    pub(super) fn give_to_editor(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.end_line()?;
        state.is_editing = true;
        self.painted.send_replace(false);
        Ok(())
    }

    /// Takes the screen back from an editor that has ended, and shows what it did not paint.
    pub(super) fn take_from_editor(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.is_editing = false;
        state.is_at_line_start = true;
        let above = std::mem::take(&mut state.above);
        self.shown.notify_waiters();
        state.write(&above)
    }

    /// Ends an unterminated line.
    pub(super) fn end_line(&self) -> io::Result<()> {
        self.lock().end_line()
    }

    /// For the editor, as it paints its prompt: the text that belongs above it.
    pub(super) fn text_above_prompt(&self) -> String {
        let above = std::mem::take(&mut self.lock().above);
        self.painted.send_replace(true);
        self.shown.notify_waiters();
        above
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
    fn write(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.is_at_line_start = text.ends_with('\n');
        write(text)
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.is_at_line_start { Ok(()) } else { self.write("\n") }
    }
}

/// Writes to the terminal, unbuffered.
pub(super) fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
