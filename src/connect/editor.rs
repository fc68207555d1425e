//! The line editor: rustyline, in a thread of its own, because nothing can cancel a call of `readline`.
//!
//! The main flow asks for a line and gets it, or why there is none. It can end the editor at any moment and
//! finds the terminal as it was before.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{getpid, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
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
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc as async_mpsc;
use tokio::time::timeout;

use super::history;
use super::screen::{END_BRACKETED_PASTE, Screen};
use super::suspend::Suspend;
use crate::output;

/// How many lines the history keeps.
const HISTORY_LENGTH: usize = 1000;

/// How long the editor may take to leave when it is interrupted. It does not notice while it searches the
/// history.
const LEAVE_LIMIT: Duration = Duration::from_millis(100);

/// What makes the editor paint its prompt anew, and with it the text that waits: a message for its external
/// printer, which must end with a line feed. One line up and one down leaves the cursor where it was.
const WAKE: &str = "\x1b[A\n";

/// What the user did.
#[derive(Debug)]
pub(super) enum Input {
    /// Typed a line, or pasted several.
    Lines(Vec<String>),
    /// Pressed Ctrl-D.
    End,
    /// Pressed Ctrl-C, on an empty line or without a prompt.
    Interrupt,
    /// The terminal cannot be read.
    Failed(ReadlineError),
}

/// The line editor.
#[derive(Debug)]
pub(super) struct Editor {
    screen: Arc<Screen>,
    requests: mpsc::Sender<()>,
    inputs: async_mpsc::UnboundedReceiver<Input>,
    /// Wakes the editor; on a terminal that cannot be edited on, there is nothing to wake.
    waker: Option<mpsc::Sender<()>>,
    is_editing: bool,
    attributes: Termios,
    /// While this lives, SIGINT does not end the process.
    interrupts: Signal,
}

impl Editor {
    /// Starts the editor's thread.
    ///
    /// # Errors
    /// Where standard input is no terminal after all, or signals cannot be handled.
    pub(super) fn start(prompt: &str, keep_history: bool, screen: &Arc<Screen>) -> Result<Self> {
        let attributes = tcgetattr(io::stdin()).context("could not read the terminal's attributes")?;
        let interrupts = signal(SignalKind::interrupt()).context("could not listen for signals")?;
        let (requests, requested) = mpsc::channel();
        let (sender, inputs) = async_mpsc::unbounded_channel();
        let (waker_sender, waker) = mpsc::channel();
        let session = Session {
            prompt: prompt.to_owned(),
            history: if keep_history { history::path() } else { None },
            screen: Arc::clone(screen),
            attributes: attributes.clone(),
        };
        thread::spawn(move || session.run(&requested, &sender, &waker_sender));
        Ok(Self {
            screen: Arc::clone(screen),
            requests,
            inputs,
            waker: waker.recv().unwrap_or_default(),
            is_editing: false,
            attributes,
            interrupts,
        })
    }

    /// Shows the prompt and lets the user type.
    ///
    /// # Errors
    /// Those of writing to the terminal.
    pub(super) fn prompt(&mut self) -> io::Result<()> {
        if self.waker.is_some() {
            self.screen.give_to_editor()?;
        } else {
            self.screen.end_line()?;
        }
        self.is_editing = true;
        // Where the thread is gone, `next` says so.
        let _ = self.requests.send(());
        Ok(())
    }

    /// Whether the user has a prompt.
    pub(super) fn is_editing(&self) -> bool {
        self.is_editing
    }

    /// Waits for what the user does: at the prompt, or Ctrl-C without one. Cancelled at any point, it loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Input {
        tokio::select! {
            input = self.inputs.recv(), if self.is_editing => {
                self.is_editing = false;
                input.unwrap_or(Input::Failed(ReadlineError::Eof))
            }
            // The editor catches it itself once it has the terminal in raw mode.
            _ = self.interrupts.recv() => Input::Interrupt,
        }
    }

    /// Shows text: above the line being typed, where there is one, and then it must consist of whole lines.
    ///
    /// # Errors
    /// Those of writing to the terminal.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if let (true, Some(waker)) = (self.screen.show(text)?, &self.waker) {
            // Where the waker is gone, so is the editor, and its last act was to show the text.
            let _ = waker.send(());
        }
        Ok(())
    }

    /// Ends an unfinished line of text.
    ///
    /// # Errors
    /// Those of writing to the terminal.
    pub(super) fn end_line(&self) -> io::Result<()> {
        self.screen.end_line()
    }

    /// Takes the terminal back from a line that is being typed, and leaves it as it was at the start.
    pub(super) async fn stop(&mut self) {
        if !self.is_editing {
            return;
        }
        self.is_editing = false;
        if self.waker.is_none() {
            let _ = self.screen.show("\n");
            return;
        }
        // Before the prompt is there, the terminal may not be in raw mode yet, and would be after us.
        let _ = timeout(LEAVE_LIMIT, self.screen.painted()).await;
        let _ = kill_process(getpid(), rustix::process::Signal::INT);
        if timeout(LEAVE_LIMIT, self.inputs.recv()).await.is_err() {
            // Not even `tcsetattr` can fail in a way that anything could be done about.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.attributes);
            let _ = self.screen.take_from_editor();
            let _ = self.screen.show(&format!("{END_BRACKETED_PASTE}\n"));
        }
    }
}

/// What the editor's thread works with.
struct Session {
    prompt: String,
    history: Option<PathBuf>,
    screen: Arc<Screen>,
    attributes: Termios,
}

type LineEditor = rustyline::Editor<PromptPainter, FileHistory>;

impl Session {
    fn run(
        mut self,
        requests: &mpsc::Receiver<()>,
        inputs: &async_mpsc::UnboundedSender<Input>,
        waker: &mpsc::Sender<Option<mpsc::Sender<()>>>,
    ) {
        let mut editor = match self.line_editor() {
            Ok(editor) => editor,
            Err(error) => {
                let _ = inputs.send(Input::Failed(error));
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
            let input = match result {
                Ok(text) => {
                    let lines = lines_of(&text);
                    self.add_to_history(&mut editor, &lines);
                    Input::Lines(lines)
                }
                Err(ReadlineError::Eof) => Input::End,
                Err(ReadlineError::Interrupted) => Input::Interrupt,
                Err(error) => Input::Failed(error),
            };
            let input = shown.map_or_else(|error| Input::Failed(error.into()), |()| input);
            if inputs.send(input).is_err() {
                return;
            }
        }
    }

    fn line_editor(&self) -> rustyline::Result<LineEditor> {
        let config = Config::builder()
            .max_history_size(HISTORY_LENGTH)?
            .history_ignore_space(true)
            // The prompt is painted by the highlighter, which must not be switched off by NO_COLOR.
            .color_mode(ColorMode::Forced)
            .build();
        let mut editor = LineEditor::with_config(config)?;
        editor.set_auto_add_history(false);
        editor.set_helper(Some(PromptPainter(Arc::clone(&self.screen))));
        editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
        let attributes = self.attributes.clone();
        editor
            .bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend { attributes })));
        // There is nothing to complete, and line protocols have tabs.
        editor.bind_sequence(KeyEvent::from('\t'), EventHandler::Simple(Cmd::SelfInsert(1, '\t')));
        Ok(editor)
    }

    fn load_history(&mut self, editor: &mut LineEditor) {
        let Some(path) = &self.history else { return };
        // A pipe of that name would be waited for.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            self.give_up_history(&io::Error::other("it is no file").into());
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
        let kept = history::make_folder(path).map_err(ReadlineError::Io);
        if let Err(error) = kept.and_then(|()| editor.append_history(path)) {
            self.give_up_history(&error);
        }
    }

    /// Goes on without a file: the conversation is worth more than its history.
    fn give_up_history(&mut self, error: &ReadlineError) {
        if let Some(path) = self.history.take() {
            output::tell(format_args!("could not keep the history in {}: {error}", path.display()));
        }
    }
}

/// The lines of what the editor returned: one, or those of a pasted block.
fn lines_of(text: &str) -> Vec<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(str::to_owned).collect()
}

/// A thread that wakes the editor, since to wake it blocks while it searches the history.
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

/// Paints the text that waits above the prompt, whenever the prompt is painted.
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

/// Ctrl-C clears the line, and is an interrupt on an empty one.
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
