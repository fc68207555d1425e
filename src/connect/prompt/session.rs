//! The line editor's own thread: rustyline, what it paints, what its keys do, and its history.
//!
//! It has a thread because nothing can cancel a call of `readline`.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use rustix::termios::Termios;
use rustyline::completion::Completer;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, ColorMode, ConditionalEventHandler, Config, Event, EventContext, EventHandler, ExternalPrinter,
    Helper, KeyEvent, Movement, RepeatCount,
};
use tokio::sync::mpsc as async_mpsc;

use super::history;
use super::screen::Screen;
use super::suspend::Suspend;
use crate::messages;

/// How many lines the history keeps.
const HISTORY_LENGTH: usize = 1000;

/// Makes the editor repaint its prompt, and with it the text that waits: a message for its external printer, which
/// must end with a line feed. One line up and one down leaves the cursor where it was.
const WAKE: &str = "\x1b[A\n";

/// What the user did.
#[derive(Debug)]
pub(super) enum Action {
    /// Typed a line, or pasted several.
    Lines(Vec<String>),
    /// Pressed Ctrl-D.
    End,
    /// Pressed Ctrl-C, on an empty line or without a prompt.
    Interrupt,
    /// The terminal cannot be read.
    Failed(ReadlineError),
}

/// What the editor's thread works with.
pub(super) struct Session {
    pub(super) prompt: String,
    /// The history's file, if one is kept.
    pub(super) history: Option<PathBuf>,
    pub(super) screen: Arc<Screen>,
    /// The terminal's attributes without the editor.
    pub(super) attributes: Termios,
}

type LineEditor = rustyline::Editor<PromptPainter, FileHistory>;

impl Session {
    /// Reads a line for each request, after it has sent its waker.
    pub(super) fn run(
        mut self,
        requests: &mpsc::Receiver<()>,
        actions: &async_mpsc::UnboundedSender<Action>,
        waker: &mpsc::Sender<Option<mpsc::Sender<()>>>,
    ) {
        let mut editor = match self.line_editor() {
            Ok(editor) => editor,
            Err(error) => {
                let _ = actions.send(Action::Failed(error));
                return;
            }
        };
        let printer = editor.create_external_printer().ok();
        let is_plain = printer.is_none();
        let _ = waker.send(printer.map(start_waker));
        self.load_history(&mut editor);
        for () in requests {
            let result = editor.readline(&self.prompt);
            if is_plain && matches!(result, Err(ReadlineError::Eof)) {
                // Nothing else ends the prompt's line.
                let _ = self.screen.show("\n");
            }
            let shown = self.screen.take_from_editor();
            let action = match result {
                Ok(text) => {
                    let lines = lines_of(&text);
                    self.add_to_history(&mut editor, &lines);
                    Action::Lines(lines)
                }
                Err(ReadlineError::Eof) => Action::End,
                Err(ReadlineError::Interrupted) => Action::Interrupt,
                Err(error) => Action::Failed(error),
            };
            let action = shown.map_or_else(|error| Action::Failed(error.into()), |()| action);
            if actions.send(action).is_err() {
                return;
            }
        }
    }

    fn line_editor(&self) -> rustyline::Result<LineEditor> {
        let config = Config::builder()
            .max_history_size(HISTORY_LENGTH)?
            .history_ignore_space(true)
            // The highlighter paints the prompt: NO_COLOR must not turn it off.
            .color_mode(ColorMode::Forced)
            .build();
        let mut editor = LineEditor::with_config(config)?;
        editor.set_auto_add_history(false);
        editor.set_helper(Some(PromptPainter(Arc::clone(&self.screen))));
        editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
        let attributes = self.attributes.clone();
        editor
            .bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend { attributes })));
        // There is nothing to complete, and line protocols use tabs.
        editor.bind_sequence(KeyEvent::from('\t'), EventHandler::Simple(Cmd::SelfInsert(1, '\t')));
        Ok(editor)
    }

    fn load_history(&mut self, editor: &mut LineEditor) {
        let Some(path) = &self.history else { return };
        // Opening a FIFO would block.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            self.give_up_history(&io::Error::other("not a regular file").into());
            return;
        }
        match editor.load_history(path) {
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.give_up_history(&error),
            Ok(()) => {}
        }
    }

    fn add_to_history(&mut self, editor: &mut LineEditor, lines: &[String]) {
        for line in lines {
            // A history in memory takes every line.
            let _ = editor.add_history_entry(line.as_str());
        }
        let Some(path) = &self.history else { return };
        let kept = history::create_directory(path).map_err(ReadlineError::Io);
        if let Err(error) = kept.and_then(|()| editor.append_history(path)) {
            self.give_up_history(&error);
        }
    }

    /// Goes on without a file: a failed history must not interrupt the conversation.
    fn give_up_history(&mut self, error: &ReadlineError) {
        if let Some(path) = self.history.take() {
            messages::report(format_args!("could not keep the history in {}: {error}", path.display()));
        }
    }
}

/// The lines that the editor returned: one, or several in a pasted block.
fn lines_of(text: &str) -> Vec<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(str::to_owned).collect()
}

/// A thread that wakes the editor, because waking it blocks while it searches the history.
fn start_waker(mut printer: impl ExternalPrinter + Send + 'static) -> mpsc::Sender<()> {
    let (sender, wakes) = mpsc::channel();
    thread::spawn(move || {
        while wakes.recv().is_ok() {
            // One wake serves all texts that wait.
            while wakes.try_recv().is_ok() {}
            if printer.print(WAKE.to_owned()).is_err() {
                break;
            }
        }
    });
    sender
}

/// Paints the text that waits for it above the prompt.
struct PromptPainter(Arc<Screen>);

impl Highlighter for PromptPainter {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        match self.0.text_above_prompt() {
            above if above.is_empty() => Cow::Borrowed(prompt),
            above => Cow::Owned(above + prompt),
        }
    }
}

impl Helper for PromptPainter {}
impl Hinter for PromptPainter {
    type Hint = String;
}
impl Validator for PromptPainter {}
impl Completer for PromptPainter {
    type Candidate = String;
}

/// Ctrl-C clears the line, and interrupts on an empty one.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(
        &self,
        _event: &Event,
        _n: RepeatCount,
        _positive: bool,
        context: &EventContext,
    ) -> Option<Cmd> {
        (!context.line().is_empty()).then_some(Cmd::Kill(Movement::WholeBuffer))
    }
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
