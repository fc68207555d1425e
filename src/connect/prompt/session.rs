//! The line editor's own thread: it reads a line for each request.
//!
//! It has a thread because nothing can cancel a call of `readline`.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;

use rustix::termios::Termios;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::{ColorMode, CompletionType, Config, Event, EventHandler, ExternalPrinter};
use tokio::sync::mpsc as async_mpsc;

use super::history::{self, History};
use super::keys::{Keys, Paste};
use super::layout;
use super::line::{Line, Prompt, Typed};
use super::painter::{LineEditor, Painter};
use super::screen::Screen;
use super::stand_in::reveal;
use super::style::Style;
use super::suspend::Suspend;
use super::terminal::{columns, discard_input, io_error};
use crate::blocking;

/// Makes the editor repaint its prompt, and with it the text that waits: a message for its external printer, which
/// must end with a line feed. One line up and one down leaves the cursor where it was, except on the first row.
const WAKE: &str = "\x1b[A\n";

/// Asks for a line.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) prompt: Prompt,
    /// What is typed already.
    pub(super) typed: Typed,
}

/// What the user did.
#[derive(Debug)]
pub(super) enum Action {
    /// Typed a line, or pasted several.
    Lines(Vec<String>),
    /// Pressed Ctrl-D on an empty line.
    End,
    /// Pressed Ctrl-C on an empty line.
    Interrupt,
    /// Typed this, until the line was recalled.
    Recalled(Typed),
    /// Typed or pasted a byte that is not UTF-8. What was typed is lost.
    NotText,
    /// The terminal cannot be read.
    Failed(io::Error),
}

/// What the editor's thread works with.
pub(super) struct Session {
    pub(super) screen: Arc<Screen>,
    pub(super) line: Arc<Line>,
    pub(super) history: History,
    pub(super) style: Style,
    /// The terminal's attributes for the shell.
    pub(super) attributes: Termios,
    pub(super) paste: Arc<Paste>,
    /// Whether the terminal cannot be painted on, and the kernel edits the line.
    pub(super) is_dumb: bool,
}

impl Session {
    /// Reads a line for each request, after it has sent its waker.
    pub(super) fn run(
        mut self,
        requests: &mpsc::Receiver<Request>,
        actions: &async_mpsc::UnboundedSender<Action>,
        waker: &mpsc::Sender<mpsc::Sender<()>>,
    ) {
        let editor = self.line_editor().and_then(|mut editor| {
            if !self.is_dumb {
                let _ = waker.send(start_waker(editor.create_external_printer()?)?);
            }
            Ok(editor)
        });
        let mut editor = match editor {
            Ok(editor) => editor,
            Err(error) => {
                let _ = actions.send(Action::Failed(io_error(error)));
                return;
            }
        };
        self.history.load(&mut editor);
        for request in requests {
            let action =
                self.read(&mut editor, request).unwrap_or_else(|error| Action::Failed(io_error(error)));
            if actions.send(action).is_err() {
                return;
            }
        }
    }

    fn line_editor(&self) -> rustyline::Result<LineEditor> {
        let config = Config::builder()
            .max_history_size(history::LENGTH)?
            .history_ignore_space(true)
            // Completing without a list makes the painter's changes.
            .completion_type(CompletionType::List)
            // The painter decides about colors, and paints more than those.
            .color_mode(ColorMode::Forced)
            .build();
        let mut editor = LineEditor::with_config(config)?;
        editor.set_auto_add_history(false);
        editor.set_helper(Some(Painter {
            screen: Arc::clone(&self.screen),
            line: Arc::clone(&self.line),
            style: self.style,
        }));
        let keys = Keys {
            line: Arc::clone(&self.line),
            screen: Arc::clone(&self.screen),
            suspend: Suspend { attributes: self.attributes.clone() },
            paste: Arc::clone(&self.paste),
        };
        editor.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
        Ok(editor)
    }

    fn read(&mut self, editor: &mut LineEditor, request: Request) -> rustyline::Result<Action> {
        let Request { prompt, typed } = request;
        self.line.start(prompt.clone());
        // A dumb terminal that shows the prompt already cannot show it again in the same place.
        let text = if self.is_dumb && prompt.is_servers { "" } else { &prompt.text };
        let result = editor.readline_with_initial(text, (&typed.before, &typed.after));
        if let Err(ReadlineError::Interrupted) = result
            && self.line.is_recalled()
        {
            let typed = self.line.typed();
            let shown = prompt.text + &typed.before + &typed.after;
            self.screen.take_erased(layout::rows(&shown, columns()))?;
            return Ok(Action::Recalled(typed));
        }
        if self.is_dumb && matches!(result, Err(ReadlineError::Eof)) {
            // The kernel ends the prompt's line for other keys only.
            Screen::end_typing()?;
        }
        let action = match result {
            Ok(text) => {
                let lines = lines_of(&text);
                if !self.line.is_secret() {
                    self.history.add(editor, &lines);
                }
                Action::Lines(lines.iter().map(|line| reveal(line)).collect())
            }
            Err(ReadlineError::Eof) => Action::End,
            Err(ReadlineError::Interrupted) => Action::Interrupt,
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.paste.give_up();
                discard_input()?;
                Action::NotText
            }
            Err(error) => Action::Failed(io_error(error)),
        };
        self.screen.take()?;
        Ok(action)
    }
}

/// The lines that the editor returned: one, or several in a pasted block.
fn lines_of(text: &str) -> Vec<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(str::to_owned).collect()
}

/// A thread that wakes the editor, because waking it blocks while it searches the history.
fn start_waker(mut printer: impl ExternalPrinter + Send + 'static) -> io::Result<mpsc::Sender<()>> {
    let (sender, wakes) = mpsc::channel();
    blocking::spawn(move || {
        while wakes.recv().is_ok() {
            // One wake serves all texts that wait.
            while wakes.try_recv().is_ok() {}
            if printer.print(WAKE.to_owned()).is_err() {
                break;
            }
        }
    })?;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_block_is_its_lines() {
        assert_eq!(lines_of("one"), ["one"]);
        assert_eq!(lines_of(""), [""]);
        assert_eq!(lines_of("one\n\ntwo"), ["one", "", "two"]);
        assert_eq!(lines_of("one\ntwo\n"), ["one", "two"]);
    }
}
